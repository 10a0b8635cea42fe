package gpu

import "math"

// A Rope is a rotary position encoding: pair i of a head turns by position·frequency(i)
// (Su et al. 2021, arXiv:2104.09864), in Hugging Face's layout, which pairs element i with
// element i + Dim/2.
type Rope struct {
	Type  string  // "default", "linear", "dynamic", "llama3"
	Theta float64 // base of the frequencies
	Dim   int     // elements of a head that turn; the others stay

	Factor     float64 // by how much the context is stretched
	LowFreq    float64 // llama3: wavelengths beyond Original/LowFreq are stretched whole
	HighFreq   float64 // llama3: wavelengths below Original/HighFreq stay
	Original   int     // positions before stretching
	AttnFactor float64 // multiplies cosine and sine
}

// ropeTypes are the scalings that are implemented.
var ropeTypes = map[string]bool{"default": true, "linear": true, "dynamic": true, "llama3": true}

// parseRope reads rope_theta with rope_scaling, or rope_parameters, which holds both.
func parseRope(c *Config, f *fields, theta float64) Rope {
	sub, done := f.object("rope_parameters")
	if sub == nil {
		sub, done = f.object("rope_scaling")
	}
	defer done()
	r := Rope{Type: "default", Theta: f.float("rope_theta", theta), Dim: c.HeadDim, AttnFactor: 1}
	if p := f.float("partial_rotary_factor", 1); p != 1 {
		r.Dim = int(float64(c.HeadDim) * p)
	}
	if sub == nil {
		return r
	}
	readScaling(&r, c, sub)
	return r
}

// readScaling fills r from the object that names the scaling.
func readScaling(r *Rope, c *Config, f *fields) {
	r.Type = f.text("rope_type", f.text("type", "default"))
	r.Theta = f.float("rope_theta", r.Theta)
	if p := f.float("partial_rotary_factor", 1); p != 1 {
		r.Dim = int(float64(c.HeadDim) * p)
	}
	r.Factor = f.float("factor", 1)
	r.LowFreq = f.float("low_freq_factor", 0)
	r.HighFreq = f.float("high_freq_factor", 0)
	r.Original = f.integer("original_max_position_embeddings", c.MaxPositions)
	if !ropeTypes[r.Type] {
		f.problem("rope_type %q is not supported", r.Type)
	}
}

// check reports impossible values.
func (r Rope) check(c *Config, f *fields) {
	if !(r.Theta > 0) || math.IsInf(r.Theta, 0) {
		f.problem("rope_theta is %g, want a positive number", r.Theta)
	}
	if r.Dim <= 0 || r.Dim > c.HeadDim || r.Dim%2 != 0 {
		f.problem("%d of %d elements of a head turn, want an even number", r.Dim, c.HeadDim)
	}
	switch r.Type {
	case "linear", "dynamic", "llama3":
		if !(r.Factor >= 1) {
			f.problem("rope factor is %g, want at least 1", r.Factor)
		}
	}
	if r.Type == "llama3" && !(r.LowFreq > 0 && r.HighFreq > r.LowFreq && r.Original > 0) {
		f.problem("llama3 rope needs 0 < low_freq_factor < high_freq_factor and original_max_position_embeddings")
	}
}

// frequencies are the angles per position of the Dim/2 pairs, for a text whose prompt has n
// tokens. Only scalings that look at the length use n: it is the prompt's, so that tokens
// generated later turn the way the prompt's do.
func (r Rope) frequencies(n, maxPositions int) []float64 {
	theta := r.Theta
	if r.Type == "dynamic" && n > maxPositions {
		// NTK: raise the base so that the longest wavelength covers n positions.
		s := r.Factor*float64(n)/float64(maxPositions) - (r.Factor - 1)
		theta *= math.Pow(s, float64(r.Dim)/float64(r.Dim-2))
	}
	out := make([]float64, r.Dim/2)
	for i := range out {
		w := math.Pow(theta, -float64(2*i)/float64(r.Dim))
		switch r.Type {
		case "linear":
			w /= r.Factor
		case "llama3":
			w = r.llama3(w)
		}
		out[i] = w
	}
	return out
}

// llama3 stretches the long wavelengths, keeps the short ones and blends between.
func (r Rope) llama3(w float64) float64 {
	wave := 2 * math.Pi / w
	low, high := float64(r.Original)/r.LowFreq, float64(r.Original)/r.HighFreq
	switch {
	case wave > low:
		return w / r.Factor
	case wave < high:
		return w
	}
	s := (float64(r.Original)/wave - r.LowFreq) / (r.HighFreq - r.LowFreq)
	return (1-s)*w/r.Factor + s*w
}

// lengthDependent reports whether frequencies looks at n.
func (r Rope) lengthDependent() bool { return r.Type == "dynamic" }

// A ropeTable holds cosines and sines by position for one set of frequencies.
type ropeTable struct {
	freq     []float64
	factor   float64
	cos, sin []float32 // [positions, len(freq)]
}

// at returns the rows of cosines and sines of position p, computing them if p is new. It is
// not safe for concurrent use.
func (t *ropeTable) at(p int) (cos, sin []float32) {
	h := len(t.freq)
	for have := len(t.cos) / h; have <= p; have++ {
		for _, w := range t.freq {
			s, c := math.Sincos(float64(have) * w)
			t.cos = append(t.cos, float32(c*t.factor))
			t.sin = append(t.sin, float32(s*t.factor))
		}
	}
	return t.cos[p*h : (p+1)*h], t.sin[p*h : (p+1)*h]
}
