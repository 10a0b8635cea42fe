package gpu

import "math"

// families maps a model_type to what reads its configuration. Adding a family is adding a
// line here and, where it differs, a named field in Config.
var families = map[string]func(*Config, *fields){
	"gemma2":      gemma2,
	"gemma3_text": gemma3,
	"llama":       llama,
	"mistral":     mistral,
	"phi3":        phi3,
	"qwen":        qwen,
	"qwen2":       qwen2,
	"qwen3":       qwen3,
}

// common reads what nearly all configurations spell the same way.
func common(c *Config, f *fields) {
	c.Vocab = f.integer("vocab_size", 0)
	c.Hidden = f.integer("hidden_size", 0)
	c.Layers = f.integer("num_hidden_layers", 0)
	c.Heads = f.integer("num_attention_heads", 0)
	c.KVHeads = f.integer("num_key_value_heads", c.Heads)
	c.HeadDim = f.integer("head_dim", c.Hidden/max(c.Heads, 1))
	c.Inner = f.integer("intermediate_size", 0)
	c.MaxPositions = f.integer("max_position_embeddings", 0)
	c.NormEps = f.float("rms_norm_eps", 1e-6)
	c.Tied = f.flag("tie_word_embeddings", false)
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
	common(c, f)
	c.Ropes = []Rope{parseRope(c, f)}
	c.QKVBias = f.flag("attention_bias", false)
	c.OutBias = c.QKVBias
	c.MLPBias = f.flag("mlp_bias", false)
}

// mistral reads Mistral, whose blocks all see a window of positions.
func mistral(c *Config, f *fields) {
	common(c, f)
	c.Ropes = []Rope{parseRope(c, f)}
	c.Windows = everyBlock(c, f.integer("sliding_window", 0))
}

// phi3 reads Phi-3, which stores q, k, v as one tensor, and gate and up as one.
func phi3(c *Config, f *fields) {
	common(c, f)
	c.Ropes = []Rope{parseRope(c, f)}
	c.Windows = everyBlock(c, f.integer("sliding_window", 0))
	c.names.qkv, c.names.gateUp = "self_attn.qkv_proj", "mlp.gate_up_proj"
}

// qwen reads the first Qwen, by its own configuration class (modeling_qwen.py in
// https://huggingface.co/Qwen/Qwen-7B).
func qwen(c *Config, f *fields) {
	common(c, f)
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
	r := Rope{Type: ropeDefault, Theta: f.float("rotary_emb_base", 10000), AttnFactor: 1, Original: trained,
		Dim: int(float64(c.HeadDim) * f.float("rotary_pct", 1))}
	if f.flag("use_dynamic_ntk", false) {
		r.Type = ropeQwen
	}
	if f.flag("use_logn_attn", false) {
		c.LognBase = trained
	}
	c.Ropes = []Rope{r}
	c.names = qwenNames
}

// qwen2 reads Qwen2 and Qwen2.5.
func qwen2(c *Config, f *fields) {
	common(c, f)
	c.Ropes = []Rope{parseRope(c, f)}
	c.QKVBias = true
	slidingLayers(c, f, f.flag("use_sliding_window", false))
}

// qwen3 reads Qwen3, which norms the heads of q and k.
func qwen3(c *Config, f *fields) {
	common(c, f)
	c.HeadDim = f.integer("head_dim", 128)
	c.QueryScale = 1 / math.Sqrt(float64(max(c.HeadDim, 1)))
	c.Ropes = []Rope{parseRope(c, f)}
	c.QKVBias = f.flag("attention_bias", false)
	c.OutBias = c.QKVBias
	c.QKNorm = true
	slidingLayers(c, f, f.flag("use_sliding_window", false))
}

// gemma reads what Gemma 2 and 3 share; every period-th block sees the whole text.
func gemma(c *Config, f *fields, period int) {
	common(c, f)
	c.HeadDim = f.integer("head_dim", 256)
	c.Tied = f.flag("tie_word_embeddings", true)
	key := "hidden_activation"
	if _, ok := f.raw[key]; !ok {
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
		for l := range min(max(c.Layers, 0), maxDim) {
			types = append(types, map[bool]string{true: fullAttention, false: slidingAttention}[(l+1)%max(period, 1) == 0])
		}
	}
	window := f.integer("sliding_window", 4096)
	c.Windows = windowsFromTypes(f, types, window)
}

// gemma2 reads Gemma 2, which caps scores and logits.
func gemma2(c *Config, f *fields) {
	gemma(c, f, 2)
	c.Ropes = []Rope{parseRope(c, f)}
	c.AttnCap = f.float("attn_logit_softcapping", 50)
	c.LogitCap = f.float("final_logit_softcapping", 30)
	if isNull(f, "attn_logit_softcapping") {
		c.AttnCap = 0
	}
	if isNull(f, "final_logit_softcapping") {
		c.LogitCap = 0
	}
}

// gemma3 reads the text models of Gemma 3: heads are normed, and the blocks with a window
// have a position encoding of their own.
func gemma3(c *Config, f *fields) {
	gemma(c, f, f.integer("sliding_window_pattern", 6))
	c.QKNorm = true
	c.AttnCap = f.float("attn_logit_softcapping", 0)
	c.LogitCap = f.float("final_logit_softcapping", 0)
	c.Ropes = []Rope{
		parseRopeOf(c, f, fullAttention, "rope_theta", 1e6, true),
		parseRopeOf(c, f, slidingAttention, "rope_local_base_freq", 1e4, false),
	}
	for _, w := range c.Windows {
		c.LocalRope = append(c.LocalRope, w > 0)
	}
}

func isNull(f *fields, key string) bool { return string(f.raw[key]) == "null" }

// everyBlock gives all blocks the same window; 0 is none.
func everyBlock(c *Config, window int) []int {
	if window <= 0 {
		return nil
	}
	out := make([]int, min(max(c.Layers, 0), maxDim))
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

// slidingLayers sets the blocks' windows: from layer_types where the configuration has it,
// else all blocks from max_window_layers on (Qwen's older way).
func slidingLayers(c *Config, f *fields, on bool) {
	window := f.integer("sliding_window", 0)
	if !on || window == 0 {
		return
	}
	if types := f.texts("layer_types"); types != nil {
		c.Windows = windowsFromTypes(f, types, window)
		return
	}
	from := f.integer("max_window_layers", 0)
	c.Windows = make([]int, min(max(c.Layers, 0), maxDim))
	for l := range c.Windows {
		if l >= from {
			c.Windows[l] = window
		}
	}
}

func windowsFromTypes(f *fields, types []string, window int) []int {
	out := make([]int, len(types))
	for l, t := range types {
		switch t {
		case fullAttention:
		case slidingAttention:
			out[l] = window
		default:
			f.problem("layer_types[%d] %q is not supported", l, t)
		}
	}
	return out
}
