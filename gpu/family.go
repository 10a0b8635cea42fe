package gpu

import "math"

// families maps a model_type to what reads its configuration. Adding a family is adding a
// line here and, where it differs, a named field in Config.
var families = map[string]func(*Config, *fields){
	"llama": llama,
	"qwen2": qwen2,
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
	c.Ropes = []Rope{parseRope(c, f, 10000)}
	c.QKVBias = f.flag("attention_bias", false)
	c.OutBias = c.QKVBias
	c.MLPBias = f.flag("mlp_bias", false)
}

// qwen2 reads Qwen2 and Qwen2.5.
func qwen2(c *Config, f *fields) {
	common(c, f)
	c.Ropes = []Rope{parseRope(c, f, 10000)}
	c.QKVBias = true
	slidingLayers(c, f, f.flag("use_sliding_window", false))
}

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
		case "full_attention":
		case "sliding_attention":
			out[l] = window
		default:
			f.problem("layer_types[%d] %q is not supported", l, t)
		}
	}
	return out
}
