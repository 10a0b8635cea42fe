package arch

import (
	"cmp"
	"math"
)

// families maps a model_type to what reads its configuration. Adding a family is adding a
// line here and, where it differs, a named field in Config.
var families = map[string]func(*Config, *fields){
	"gemma2":      gemma2,
	"gemma3":      gemma3Vision,
	"gemma3_text": gemma3,
	"llama":       llama,
	"mistral":     mistral,
	"phi3":        phi3,
	"qwen":        qwen,
	"qwen2":       qwen2,
	"qwen3":       qwen3,
}

// absent is what a family's configurations mean by leaving a key out: the defaults of its
// class in transformers. Keys without an entry are required.
type absent struct {
	vocab, heads, positions int
	kvHeads                 int // 0: as many as heads
	headDim                 int // 0: hidden size over heads
	eps                     float64
	tied                    bool
}

// common reads what nearly all configurations spell the same way.
func common(c *Config, f *fields, otherwise absent) {
	c.Vocab = f.integer("vocab_size", otherwise.vocab)
	c.Hidden = f.integer("hidden_size", 0)
	c.Layers = f.integer("num_hidden_layers", 0)
	c.Heads = f.integer("num_attention_heads", otherwise.heads)
	c.KVHeads = f.integer("num_key_value_heads", cmp.Or(otherwise.kvHeads, c.Heads))
	c.HeadDim = f.integer("head_dim", cmp.Or(otherwise.headDim, c.Hidden/max(c.Heads, 1)))
	c.Inner = f.integer("intermediate_size", 0)
	c.MaxPositions = f.integer("max_position_embeddings", otherwise.positions)
	c.NormEps = f.float("rms_norm_eps", cmp.Or(otherwise.eps, 1e-6))
	c.Tied = f.flag("tie_word_embeddings", otherwise.tied)
	c.Activation = activation(f, "hidden_act", "silu")
	c.QueryScale = 1 / math.Sqrt(float64(max(c.HeadDim, 1)))
	c.names = llamaNames
}

func activation(f *fields, key, otherwise string) Activation {
	switch name := f.text(key, otherwise); name {
	case "silu", "swish":
		return SiLU
	case "gelu_pytorch_tanh", "gelu_new":
		return GELUTanh
	case "gelu":
		return GELU
	default:
		f.problem("%s %q is not supported (supported: silu, gelu, gelu_pytorch_tanh)", key, name)
		return SiLU
	}
}

// llama reads LLaMA 1, 2 and 3, SmolLM2, and everything else that calls itself "llama".
func llama(c *Config, f *fields) {
	common(c, f, absent{positions: 2048})
	c.Ropes = []Rope{parseRope(c, f)}
	c.QKVBias = f.flag("attention_bias", false)
	c.OutBias = c.QKVBias
	c.MLPBias = f.flag("mlp_bias", false)
}

// mistral reads Mistral, whose blocks all see a window of positions unless it is null.
func mistral(c *Config, f *fields) {
	common(c, f, absent{kvHeads: 8, positions: 4096 * 32})
	c.Ropes = []Rope{parseRope(c, f)}
	if !isNull(f, "sliding_window") {
		c.Windows = everyBlock(c, window(f))
	}
}

// phi3 reads Phi-3, which stores q, k, v as one tensor, and gate and up as one.
func phi3(c *Config, f *fields) {
	common(c, f, absent{positions: 4096, eps: 1e-5})
	c.Ropes = []Rope{parseRope(c, f)}
	if t := c.Ropes[0].Type; t == RopeYarn { // transformers reads it as longrope
		f.problem("rope_type %q is not supported for phi3", t)
	}
	if f.has("sliding_window") {
		c.Windows = everyBlock(c, window(f))
	}
	c.names.qkv, c.names.gateUp = "self_attn.qkv_proj", "mlp.gate_up_proj"
}

// qwen reads the first Qwen, by its own configuration class (modeling_qwen.py in
// https://huggingface.co/Qwen/Qwen-7B).
func qwen(c *Config, f *fields) {
	common(c, f, absent{})
	c.HeadDim = f.integer("kv_channels", c.HeadDim)
	c.QueryScale = 1 / math.Sqrt(float64(max(c.HeadDim, 1)))
	c.KVHeads = c.Heads
	c.NormEps = f.float("layer_norm_epsilon", 1e-6)
	c.QKVBias = true // of c_attn, whatever no_bias says about the other matrices
	if !f.flag("no_bias", true) {
		f.problem("no_bias false is not supported")
	}
	if !f.flag("scale_attn_weights", true) {
		f.problem("scale_attn_weights false is not supported")
	}
	both := f.integer("intermediate_size", 0) // w1 and w2 together
	if both%2 != 0 {
		f.problem("intermediate_size %d is odd", both)
	}
	c.Inner = both / 2
	trained := f.integer("seq_length", c.MaxPositions)
	r := Rope{Type: RopeDefault, Theta: f.float("rotary_emb_base", 10000), AttnFactor: 1, Original: trained,
		Dim: int(float64(c.HeadDim) * f.float("rotary_pct", 1))}
	if f.flag("use_dynamic_ntk", false) {
		r.Type = RopeQwen
	}
	if f.flag("use_logn_attn", false) {
		c.LognBase = trained
		if trained < 2 {
			f.problem("seq_length is %d, want at least 2", trained)
		}
	}
	c.Ropes = []Rope{r}
	c.names = qwenNames
}

// qwen2 reads Qwen2 and Qwen2.5.
func qwen2(c *Config, f *fields) {
	common(c, f, absent{positions: 32768})
	c.Ropes = []Rope{parseRope(c, f)}
	c.QKVBias = true
	slidingLayers(c, f)
}

// qwen3 reads Qwen3, which norms the heads of q and k.
func qwen3(c *Config, f *fields) {
	common(c, f, absent{positions: 32768, headDim: 128})
	c.Ropes = []Rope{parseRope(c, f)}
	c.QKVBias = f.flag("attention_bias", false)
	c.OutBias = c.QKVBias
	c.QKNorm = true
	slidingLayers(c, f)
}

// gemma reads what Gemma 2 and 3 share; every period-th block sees the whole text.
func gemma(c *Config, f *fields, period int, otherwise absent) {
	otherwise.heads, otherwise.kvHeads, otherwise.headDim, otherwise.tied = 8, 4, 256, true
	common(c, f, otherwise)
	key := "hidden_activation"
	if !f.has(key) {
		key = "hidden_act"
	}
	c.Activation = activation(f, key, "gelu_pytorch_tanh")
	c.QKVBias = f.flag("attention_bias", false)
	c.OutBias = c.QKVBias
	c.NormOffset = 1
	c.PostNorms = true
	c.EmbedScale = float32(math.Sqrt(float64(c.Hidden)))
	c.QueryScale = 1 / math.Sqrt(f.float("query_pre_attn_scalar", 256))
	if f.flag("use_bidirectional_attention", false) {
		f.problem("use_bidirectional_attention is not supported")
	}
	c.names = gemmaNames
	types := f.texts("layer_types")
	if types == nil {
		for l := range min(max(c.Layers, 0), maxLayers) {
			types = append(types, map[bool]string{true: fullAttention, false: slidingAttention}[(l+1)%max(period, 1) == 0])
		}
	}
	c.Windows = windowsFromTypes(f, types, window(f))
}

// gemma2 reads Gemma 2, which caps scores and logits.
func gemma2(c *Config, f *fields) {
	gemma(c, f, 2, absent{vocab: 256000, positions: 8192})
	c.Ropes = []Rope{parseRope(c, f)}
	c.AttnCap = capOf(f, "attn_logit_softcapping", 50)
	c.LogitCap = capOf(f, "final_logit_softcapping", 30)
}

// gemma3 reads the text models of Gemma 3: heads are normed, and the blocks with a window
// have a position encoding of their own.
func gemma3(c *Config, f *fields) {
	gemma(c, f, f.integer("sliding_window_pattern", 6), absent{vocab: 262208, positions: 131072})
	c.QKNorm = true
	c.AttnCap = capOf(f, "attn_logit_softcapping", 0)
	c.LogitCap = capOf(f, "final_logit_softcapping", 0)
	c.Ropes = []Rope{
		parseRopeOf(c, f, fullAttention, "rope_theta", 1e6, true),
		parseRopeOf(c, f, slidingAttention, "rope_local_base_freq", 1e4, false),
	}
	for _, w := range c.Windows {
		c.LocalRope = append(c.LocalRope, w > 0)
	}
}

// gemma3Vision reads the Gemma 3 models that also take images (4B and larger): their text model is
// described under text_config. The vision tower is not read.
func gemma3Vision(c *Config, f *fields) {
	text, done := f.object("text_config")
	if text == nil {
		f.problem("text_config is missing")
		return
	}
	defer done()
	gemma3(c, text)
	c.layouts = gemma3Layouts(c.names)
	c.names = c.layouts[0]
}

// capOf reads a soft cap; null, and an absent key whose default is 0, is none.
func capOf(f *fields, key string, otherwise float64) float64 {
	if isNull(f, key) {
		return 0
	}
	v := f.float(key, otherwise)
	if f.has(key) && !(v > 0) {
		f.problem("%s is %g, want a positive number", key, v)
	}
	return v
}

func isNull(f *fields, key string) bool { return string(f.raw[key]) == "null" }

// window is the number of positions that a block with a window sees.
func window(f *fields) int {
	n := f.integer("sliding_window", 4096)
	if n < 1 {
		f.problem("sliding_window is %d, want at least 1", n)
	}
	return n
}

// everyBlock gives all blocks the same window.
func everyBlock(c *Config, window int) []int {
	out := make([]int, min(max(c.Layers, 0), maxLayers))
	for l := range out {
		out[l] = window
	}
	return out
}

// The kinds of blocks in layer_types.
const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_attention"
)

// slidingLayers sets the blocks' windows if use_sliding_window says so: from layer_types where
// the configuration has it, else all blocks from max_window_layers on (Qwen's older way).
func slidingLayers(c *Config, f *fields) {
	if !f.flag("use_sliding_window", false) || isNull(f, "sliding_window") {
		return
	}
	if types := f.texts("layer_types"); types != nil {
		c.Windows = windowsFromTypes(f, types, window(f))
		return
	}
	c.Windows = everyBlock(c, window(f))
	clear(c.Windows[:min(max(f.integer("max_window_layers", 28), 0), len(c.Windows))])
}

func windowsFromTypes(f *fields, types []string, window int) []int {
	out := make([]int, len(types))
	for l, t := range types {
		switch t {
		case fullAttention:
		case slidingAttention:
			out[l] = window
		default:
			f.problem("layer_types[%d] %.40q is not supported", l, t)
		}
	}
	return out
}
