package arch

import "math"

// A Rope is a rotary position encoding: pair i of a head is rotated by position·frequency(i)
// (Su et al. 2021, arXiv:2104.09864), in Hugging Face's layout, which pairs element i with
// element i + Dim/2.
type Rope struct {
	Type  string  // one of the types below
	Theta float64 // base of the frequencies
	Dim   int     // elements of a head that are rotated; the others stay

	Factor     float64   // by how much the context is extended
	LowFreq    float64   // llama3: wavelengths beyond Original/LowFreq are multiplied by Factor
	HighFreq   float64   // llama3: wavelengths below Original/HighFreq stay
	BetaFast   float64   // yarn: pairs that rotate more often in Original positions stay
	BetaSlow   float64   // yarn: the wavelengths of pairs that rotate less often are multiplied by Factor
	Original   int       // positions before the extension
	Short      []float64 // longrope: divisors of the frequencies of texts of at most Original tokens
	Long       []float64 // longrope: of longer ones
	AttnFactor float64   // multiplies cosine and sine
}

// The types of position encodings, as configurations spell them; "qwen" is the first Qwen's
// dynamic NTK, which its configuration only switches on.
const (
	RopeDefault  = "default"
	RopeLinear   = "linear"
	RopeDynamic  = "dynamic"
	RopeLlama3   = "llama3"
	RopeYarn     = "yarn"
	RopeLongRope = "longrope"
	RopeQwen     = "qwen"
)

// parseRope reads rope_theta with rope_scaling, or rope_parameters, which holds both.
func parseRope(c *Config, f *fields) Rope {
	sub, done := f.object("rope_scaling")
	if sub == nil || len(sub.raw) == 0 {
		sub, done = f.object("rope_parameters")
	}
	defer done()
	return readRope(c, f, sub, f.float("rope_theta", 10000))
}

// parseRopeOf reads the encoding of one kind of blocks: rope_parameters holds one object for
// each kind; older configurations have a key for the base, and rope_scaling where it applies.
func parseRopeOf(c *Config, f *fields, kind, key string, theta float64, scaled bool) Rope {
	theta = f.float(key, theta)
	if outer, done := f.object("rope_parameters"); outer != nil {
		defer done()
		sub, done := outer.object(kind)
		defer done()
		return readRope(c, f, sub, theta)
	}
	if !scaled {
		return readRope(c, f, nil, theta)
	}
	sub, done := f.object("rope_scaling")
	defer done()
	return readRope(c, f, sub, theta)
}

// readRope fills a Rope from the configuration f and the object sub that describes the
// scaling; sub may be nil.
func readRope(c *Config, f, sub *fields, theta float64) Rope {
	r := Rope{Type: RopeDefault, Theta: theta, AttnFactor: 1}
	rotated := f.float("partial_rotary_factor", 1)
	if sub != nil {
		rotated = sub.float("partial_rotary_factor", rotated)
		readScaling(&r, c, f, sub)
	}
	if !(rotated > 0 && rotated <= 1) {
		f.problem("partial_rotary_factor is %g, want more than 0 and at most 1", rotated)
	}
	r.Dim = int(float64(c.HeadDim) * rotated)
	return r
}

func readScaling(r *Rope, c *Config, f, sub *fields) {
	r.Type = sub.text("rope_type", sub.text("type", RopeDefault))
	r.Theta = sub.float("rope_theta", r.Theta)
	const original = "original_max_position_embeddings"
	r.Original = f.integer(original, sub.integer(original, c.MaxPositions)) // Phi-3 writes it outside
	r.Factor = sub.float("factor", 0)
	switch r.Type {
	case RopeDefault, RopeLinear, RopeDynamic:
	case RopeLlama3:
		r.LowFreq, r.HighFreq = sub.float("low_freq_factor", 0), sub.float("high_freq_factor", 0)
	case RopeYarn:
		r.BetaFast, r.BetaSlow = sub.float("beta_fast", 32), sub.float("beta_slow", 1)
		if r.Factor == 0 {
			r.Factor = float64(c.MaxPositions) / float64(max(r.Original, 1))
		}
		r.AttnFactor = sub.float("attention_factor", 0.1*math.Log(math.Max(r.Factor, 1))+1)
		if sub.float("mscale", 0) != 0 || !sub.flag("truncate", true) {
			sub.problem("mscale and truncate are not supported")
		}
	case RopeLongRope, "su":
		r.Type = RopeLongRope
		r.Short, r.Long = sub.floats("short_factor"), sub.floats("long_factor")
		if r.Factor == 0 {
			r.Factor = float64(c.MaxPositions) / float64(max(r.Original, 1))
		}
		scale := 1.0
		if r.Factor > 1 {
			scale = math.Sqrt(1 + math.Log(r.Factor)/math.Log(float64(r.Original)))
		}
		r.AttnFactor = sub.float("attention_factor", scale)
	default:
		sub.problem("rope_type %q is not supported", r.Type)
	}
}

// check reports impossible values.
func (r Rope) check(c *Config, f *fields) {
	if !(r.Theta > 0) || math.IsInf(r.Theta, 0) {
		f.problem("rope_theta is %g, want a positive number", r.Theta)
	}
	if r.Dim <= 0 || r.Dim > c.HeadDim || r.Dim%2 != 0 {
		f.problem("%d of %d elements of a head are rotated, want an even number", r.Dim, c.HeadDim)
	}
	if (r.Type == RopeDynamic || r.Type == RopeQwen) && r.Dim < 4 {
		f.problem("NTK scaling needs at least 4 rotated elements, not %d", r.Dim)
	}
	if r.Type != RopeDefault && r.Type != RopeQwen && r.Type != RopeLongRope && !(r.Factor >= 1) {
		f.problem("rope factor is %g, want at least 1", r.Factor)
	}
	if r.Type != RopeDefault && r.Type != RopeLinear && r.Original <= 1 {
		f.problem("original_max_position_embeddings is %d, want at least 2", r.Original)
	}
	if r.Type == RopeLlama3 && !(r.LowFreq > 0 && r.HighFreq > r.LowFreq) {
		f.problem("llama3 rope needs 0 < low_freq_factor < high_freq_factor")
	}
	if r.Type == RopeYarn && !(r.BetaSlow > 0 && r.BetaFast > r.BetaSlow) {
		f.problem("yarn rope needs 0 < beta_slow < beta_fast")
	}
	if r.Type == RopeLongRope && (len(r.Short) != r.Dim/2 || len(r.Long) != r.Dim/2) {
		f.problem("longrope has %d short and %d long factors, want %d", len(r.Short), len(r.Long), r.Dim/2)
	}
	if !(r.AttnFactor > 0) {
		f.problem("rope attention_factor is %g, want a positive number", r.AttnFactor)
	}
}

// Frequencies are the angles per position of the Dim/2 pairs, for a text whose prompt has n
// tokens. Only scalings that look at the length use n: it is the prompt's, so that tokens
// generated later are encoded the way the prompt's are. (Longrope counts these as well; see
// EncodedAlike.)
func (r Rope) Frequencies(n, maxPositions int) []float64 {
	theta := r.Theta
	if s := r.extension(n, maxPositions); s > 1 {
		// NTK: raise the base so that the longest wavelength is s times as long.
		theta *= math.Pow(s, float64(r.Dim)/float64(r.Dim-2))
	}
	out := make([]float64, r.Dim/2)
	for i := range out {
		w := math.Pow(theta, -float64(2*i)/float64(r.Dim))
		switch r.Type {
		case RopeLinear:
			w /= r.Factor
		case RopeLlama3:
			w = r.llama3(w)
		case RopeYarn:
			w = r.yarn(w, i)
		case RopeLongRope:
			if n > r.Original {
				w /= r.Long[i]
			} else {
				w /= r.Short[i]
			}
		}
		out[i] = w
	}
	return out
}

// extension is how far dynamic scalings extend the context for a prompt of n tokens.
func (r Rope) extension(n, maxPositions int) float64 {
	switch {
	case r.Type == RopeDynamic && n > maxPositions:
		return r.Factor*float64(n)/float64(maxPositions) - (r.Factor - 1)
	case r.Type == RopeQwen && n > r.Original:
		return math.Exp2(math.Ceil(math.Log2(float64(n)/float64(r.Original))+1)) - 1
	}
	return 1
}

// yarn lengthens the wavelengths of pairs that rotate slowly, keeps those of fast ones and blends between
// (Peng et al. 2023, arXiv:2309.00071, as transformers computes it).
func (r Rope) yarn(w float64, i int) float64 {
	at := func(rotations float64) float64 {
		return float64(r.Dim) * math.Log(float64(r.Original)/(rotations*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low := math.Max(math.Floor(at(r.BetaFast)), 0)
	high := math.Min(math.Ceil(at(r.BetaSlow)), float64(r.Dim-1))
	if low == high {
		high += 0.001
	}
	ramp := math.Min(1, math.Max(0, (float64(i)-low)/(high-low)))
	return w/r.Factor*ramp + w*(1-ramp)
}

// llama3 lengthens the long wavelengths, keeps the short ones and blends between.
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

// EncodedAlike is how many tokens can follow a text of n before the encoding of the text itself
// changes: longrope has other factors for texts of more than Original tokens.
func (c *Config) EncodedAlike(n int) int {
	most := math.MaxInt32
	for _, r := range c.Ropes {
		if r.Type == RopeLongRope && n <= r.Original {
			most = min(most, r.Original-n+1)
		}
	}
	return most
}

// Class is what Frequencies needs to know of n: prompts of one class are encoded alike.
func (r Rope) Class(n, maxPositions int) int {
	switch {
	case r.Type == RopeDynamic && n > maxPositions, r.Type == RopeQwen && n > r.Original:
		return n
	case r.Type == RopeLongRope && n > r.Original:
		return r.Original + 1
	}
	return 0
}

// A RopeTable holds cosines and sines by position for one set of frequencies.
type RopeTable struct {
	freq     []float64
	factor   float64
	cos, sin []float32 // [positions, len(freq)]
}

// Table makes the table of texts whose prompt has n tokens.
func (r Rope) Table(n, maxPositions int) *RopeTable {
	return &RopeTable{freq: r.Frequencies(n, maxPositions), factor: r.AttnFactor}
}

// At returns the rows of cosines and sines of position p, computing them if p is new. It is
// not safe for concurrent use.
func (t *RopeTable) At(p int) (cos, sin []float32) {
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

// LogN is the factor of the query at a position (Config.LognBase).
func (c *Config) LogN(pos int) float32 {
	if c.LognBase == 0 || pos < c.LognBase {
		return 1
	}
	return float32(math.Log(float64(pos+1)) / math.Log(float64(c.LognBase)))
}
