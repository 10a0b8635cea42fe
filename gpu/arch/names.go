package arch

import (
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// names are a family's tensor names; those of a block follow its prefix and end in
// ".weight" or ".bias".
type names struct {
	embed, norm, head, block        string // block has one %d
	q, k, v, o, gate, up, down      string
	qkv, gateUp                     string // fused tensors, "" where the family has none
	attnNorm, mlpNorm               string // before attention, before the feed-forward part
	postAttn, postMLP, qNorm, kNorm string
	unread                          []string // beginnings of the names of tensors that are not the decoder's
}

// under is n for a decoder that is part of a larger model: its tensors' names begin with prefix.
func (n names) under(prefix string) names {
	n.embed, n.norm, n.head, n.block = prefix+n.embed, prefix+n.norm, prefix+n.head, prefix+n.block
	return n
}

var llamaNames = names{
	embed: "model.embed_tokens", norm: "model.norm", head: "lm_head", block: "model.layers.%d.",
	q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj", o: "self_attn.o_proj",
	gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj",
	attnNorm: "input_layernorm", mlpNorm: "post_attention_layernorm",
	qNorm: "self_attn.q_norm", kNorm: "self_attn.k_norm",
}

var qwenNames = names{
	embed: "transformer.wte", norm: "transformer.ln_f", head: "lm_head", block: "transformer.h.%d.",
	qkv: "attn.c_attn", o: "attn.c_proj",
	gate: "mlp.w2", up: "mlp.w1", down: "mlp.c_proj", // w1(x)·silu(w2(x))
	attnNorm: "ln_1", mlpNorm: "ln_2",
}

var gemmaNames = func() names {
	n := llamaNames
	n.mlpNorm, n.postAttn, n.postMLP = "pre_feedforward_layernorm", "post_attention_layernorm", "post_feedforward_layernorm"
	return n
}()

// bare is n for a checkpoint that was saved from the model without its head, as embedding models
// are: names begin behind "model." or "transformer.".
func (n names) bare() names {
	for _, name := range []*string{&n.embed, &n.norm, &n.block} {
		_, *name, _ = strings.Cut(*name, ".")
	}
	return n
}

// gemma3Layouts are the names that Gemma 3 with a vision tower has had: on the hub and as transformers 5
// saves it, as transformers 4.52 saved it, and as its base model is saved.
func gemma3Layouts(n names) []names {
	const tower, projector = "vision_tower.", "multi_modal_projector."
	body := n.bare()
	hub, later, base := body.under("language_model.model."), body.under("model.language_model."), body.under("language_model.")
	hub.head, later.head, base.head = "language_model.lm_head", "lm_head", "lm_head"
	hub.unread, base.unread = []string{tower, projector}, []string{tower, projector}
	later.unread = []string{"model." + tower, "model." + projector}
	return []names{hub, later, base}
}

// Fitted is c with the names under which the checkpoint keeps its tensors: the first layout whose
// embedding is there, else c as it is. Its output matrix may be under the name of any layout.
//
// A checkpoint may also store an output matrix although the configuration calls it tied to the
// embedding, as some fine-tuned models do: the stored one is used, as transformers does where the
// two differ.
func (c *Config) Fitted(have []checkpoint.TensorInfo) *Config {
	stored := func(name string) bool {
		return slices.ContainsFunc(have, func(t checkpoint.TensorInfo) bool { return t.Name == name+".weight" })
	}
	out := *c
	for _, n := range c.layouts {
		if stored(n.embed) {
			out.names = n
			break
		}
	}
	for _, n := range c.layouts {
		if !stored(out.names.head) && stored(n.head) {
			out.names.head = n.head
		}
	}
	out.Tied = c.Tied && !stored(out.names.head)
	return &out
}

// OutputTensor is the name of the stored output matrix, one row for each token: the embedding's if
// the two are tied.
func (c *Config) OutputTensor() string {
	if c.Tied {
		return c.names.embed + ".weight"
	}
	return c.names.head + ".weight"
}
