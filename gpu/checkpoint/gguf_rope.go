package checkpoint

import "math"

// addRope adds rope_scaling for what the file says about stretched positions.
func (m *ggufModel) addRope(c map[string]any) {
	if m.archName == "qwen" {
		return
	}
	headDim, _ := c["head_dim"].(int)
	dims := m.intOr("rope.dimension_count", headDim)
	long, short := m.factors("rope_factors_long.weight", dims/2), m.factors("rope_factors_short.weight", dims/2)
	switch freqs := m.factors("rope_freqs.weight", dims/2); {
	case len(m.problems) > 0:
	case freqs != nil:
		c["rope_scaling"] = m.fromFrequencies(c, freqs, dims)
	case long != nil && short != nil:
		original := m.intOr("rope.scaling.original_context_length", c["max_position_embeddings"].(int))
		scaling := map[string]any{"type": "longrope", "rope_type": "longrope", "long_factor": long, "short_factor": short,
			"original_max_position_embeddings": original}
		if f := m.floatOr("rope.scaling.attn_factor", 0); f != 0 {
			scaling["attention_factor"] = f
		}
		c["rope_scaling"] = scaling
	case long != nil || short != nil:
		m.problem("only one of rope_factors_long.weight and rope_factors_short.weight is there")
	default:
		m.addPlainRope(c)
	}
}

// addPlainRope adds a scaling that takes a factor only.
func (m *ggufModel) addPlainRope(c map[string]any) {
	factor := m.floatOr("rope.scaling.factor", m.floatOr("rope.scale_linear", 0))
	kind, ok := m.meta[m.archName+".rope.scaling.type"].(string)
	if !ok {
		kind = "linear"
	}
	if factor == 0 || factor == 1 || kind == "none" {
		return
	}
	scaling := map[string]any{"type": kind, "rope_type": kind, "factor": factor}
	if n := m.intOr("rope.scaling.original_context_length", 0); n > 0 {
		scaling["original_max_position_embeddings"] = n
	}
	c["rope_scaling"] = scaling
}

// factors returns the values of a tensor of frequency factors; nil if it is not there.
func (m *ggufModel) factors(name string, n int) []float32 {
	t := m.tensors[name]
	if t == nil {
		return nil
	}
	rows, width := t.rows()
	if len(t.Shape) != 1 || rows != n {
		m.problem("tensor %s: shape %v for %d frequencies", name, t.Shape, n)
		return nil
	}
	out := make([]float32, rows*width)
	if err := t.readRows(0, rows, out); err != nil {
		m.problem("tensor %s: %v", name, err)
	}
	return out
}

// fromFrequencies turns rope_freqs.weight back into what convert_hf_to_gguf.py made it of:
// the llama3 scaling, which all its users run with the same low and high frequency factors
// and original length. Other factors are kept as they are, as a longrope scaling that is
// the same for short and long texts; both divide frequency i by factor i.
func (m *ggufModel) fromFrequencies(c map[string]any, freqs []float32, dims int) map[string]any {
	const low, high, original = 1.0, 4.0, 8192
	factor := 1.0
	for _, f := range freqs {
		factor = max(factor, float64(f))
	}
	theta := float64(c["rope_theta"].(float32))
	for i, f := range freqs {
		// The converter computes in float32; its smooth part amplifies the rounding.
		const tol = 1e-4
		if want := llama3Factor(theta, i, dims, factor, low, high, original); !(math.Abs(float64(f)-want) <= tol*want) {
			return map[string]any{"type": "longrope", "rope_type": "longrope", "long_factor": freqs, "short_factor": freqs,
				"factor": 1.0, "attention_factor": 1.0, "original_max_position_embeddings": c["max_position_embeddings"]}
		}
	}
	return map[string]any{"rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
		"original_max_position_embeddings": original}
}

// llama3Factor is by how much the llama3 scaling divides frequency i of dims/2
// (transformers' _compute_llama3_parameters).
func llama3Factor(theta float64, i, dims int, factor, low, high, original float64) float64 {
	wavelength := 2 * math.Pi * math.Pow(theta, 2*float64(i)/float64(dims))
	switch {
	case wavelength < original/high:
		return 1
	case wavelength > original/low:
		return factor
	}
	smooth := (original/wavelength - low) / (high - low)
	return 1 / ((1-smooth)/factor + smooth)
}
