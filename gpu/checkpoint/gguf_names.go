package checkpoint

import (
	"fmt"
	"strings"
)

// Tensor names of GGUF and what Hugging Face calls them. Sources: gguf-py's
// tensor_mapping.py and convert_hf_to_gguf.py of https://github.com/ggml-org/llama.cpp.

// outerNames are the tensors outside the blocks.
var outerNames = map[string]string{
	"token_embd.weight":  "model.embed_tokens.weight",
	"output_norm.weight": "model.norm.weight",
	"output.weight":      "lm_head.weight",
}

// blockNames are the parts of blk.N, which become model.layers.N.
var blockNames = map[string]string{
	"attn_norm":   "input_layernorm",
	"attn_q":      "self_attn.q_proj",
	"attn_k":      "self_attn.k_proj",
	"attn_v":      "self_attn.v_proj",
	"attn_q_norm": "self_attn.q_norm",
	"attn_k_norm": "self_attn.k_norm",
	"attn_output": "self_attn.o_proj",
	"ffn_norm":    "post_attention_layernorm",
	"ffn_gate":    "mlp.gate_proj",
	"ffn_up":      "mlp.up_proj",
	"ffn_down":    "mlp.down_proj",
}

// gemmaNames differ from blockNames: Gemma has norms before and after both halves.
var gemmaNames = map[string]string{
	"post_attention_norm": "post_attention_layernorm",
	"ffn_norm":            "pre_feedforward_layernorm",
	"post_ffw_norm":       "post_feedforward_layernorm",
}

// phi3Names differ from blockNames: Phi-3 keeps q, k and v in one tensor, gate and up in
// another.
var phi3Names = map[string]string{
	"attn_qkv": "self_attn.qkv_proj",
	"ffn_up":   "mlp.gate_up_proj",
}

// The first Qwen has names of its own throughout.
var (
	qwenOuterNames = map[string]string{
		"token_embd.weight":  "transformer.wte.weight",
		"output_norm.weight": "transformer.ln_f.weight",
		"output.weight":      "lm_head.weight",
	}
	qwenNames = map[string]string{
		"attn_norm":   "ln_1",
		"attn_qkv":    "attn.c_attn",
		"attn_output": "attn.c_proj",
		"ffn_norm":    "ln_2",
		"ffn_gate":    "mlp.w2",
		"ffn_up":      "mlp.w1",
		"ffn_down":    "mlp.c_proj",
	}
)

// An architecture is one of GGUF's model families and what has to be done about it.
type architecture struct {
	outer  map[string]string
	prefix string              // of a block, before its number
	blocks []map[string]string // the first that has a part's name counts

	// permuted: convert_hf_to_gguf.py reorders the rows of q and k.
	permuted bool
	// shifted: it adds 1 to the weights of all norms.
	shifted bool
	config  func(m *ggufModel) map[string]any
}

var architectures = map[string]architecture{
	"llama":  {outer: outerNames, prefix: "model.layers.", blocks: []map[string]string{blockNames}, permuted: true, config: llamaConfig},
	"qwen":   {outer: qwenOuterNames, prefix: "transformer.h.", blocks: []map[string]string{qwenNames}, config: qwenConfig},
	"qwen2":  {outer: outerNames, prefix: "model.layers.", blocks: []map[string]string{blockNames}, config: qwen2Config},
	"qwen3":  {outer: outerNames, prefix: "model.layers.", blocks: []map[string]string{blockNames}, config: qwen3Config},
	"gemma2": {outer: outerNames, prefix: "model.layers.", blocks: []map[string]string{gemmaNames, blockNames}, shifted: true, config: gemma2Config},
	"gemma3": {outer: outerNames, prefix: "model.layers.", blocks: []map[string]string{gemmaNames, blockNames}, shifted: true, config: gemma3Config},
	"phi3":   {outer: outerNames, prefix: "model.layers.", blocks: []map[string]string{phi3Names, blockNames}, config: phi3Config},
}

// ropeTensors hold frequency factors; they become part of the configuration.
var ropeTensors = map[string]bool{
	"rope_freqs.weight":        true,
	"rope_factors_long.weight": true, "rope_factors_short.weight": true,
}

// name returns Hugging Face's name of a tensor, false if it has none.
func (a *architecture) name(gguf string) (string, bool) {
	if name, ok := a.outer[gguf]; ok {
		return name, true
	}
	rest, ok := strings.CutPrefix(gguf, "blk.")
	if !ok {
		return "", false
	}
	number, rest, ok := strings.Cut(rest, ".")
	if !ok || !decimal(number) {
		return "", false
	}
	part, kind, ok := strings.Cut(rest, ".")
	if !ok || kind != "weight" && kind != "bias" {
		return "", false
	}
	for _, names := range a.blocks {
		if name, ok := names[part]; ok {
			return a.prefix + number + "." + name + "." + kind, true
		}
	}
	return "", false
}

// decimal tells a block's number, written without leading zeros.
func decimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}

// convert gives a tensor Hugging Face's name and undoes what the converter did to it.
func (m *ggufModel) convert(t *tensor) error {
	name, ok := m.arch.name(t.Name)
	if !ok {
		return fmt.Errorf("tensor %q is not part of architecture %s", t.Name, m.archName)
	}
	if m.arch.permuted {
		heads := m.heads
		if strings.Contains(t.Name, ".attn_k.") {
			heads = m.kvHeads
		}
		if strings.Contains(t.Name, ".attn_q.") || strings.Contains(t.Name, ".attn_k.") {
			rows, _ := t.rows()
			if rows%(2*heads) != 0 {
				return fmt.Errorf("tensor %q: %d rows for %d heads", t.Name, rows, heads)
			}
			t.row = unpermute(rows / heads)
		}
	}
	if m.arch.shifted && strings.HasSuffix(t.Name, "_norm.weight") {
		t.add = -1
	}
	t.Name = name
	return nil
}

// unpermute returns, for a row as Hugging Face has it, the row where GGUF keeps it. Within
// a head of size d Hugging Face rotates row j together with row j+d/2; the converter makes
// them neighbours, 2j and 2j+1:
//
//	weights.reshape(heads, 2, d/2, …).swapaxes(1, 2)
func unpermute(d int) func(int) int {
	return func(row int) int {
		head, within := row/d, row%d
		return head*d + within%(d/2)*2 + within/(d/2)
	}
}
