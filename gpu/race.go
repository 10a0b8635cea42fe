package gpu

// A race has every token arrive after an exponential time at the rate of its weight: E/w, with a standard
// exponential variable E of its own. The token that arrives first is a token drawn with probability w/Σw, and
// the one of the largest log w − log E: −log E is Gumbel noise (Gumbel 1954; Maddison, Tarlow & Minka 2014,
// arXiv:1411.0030).
//
// So a token can be drawn without adding up or sorting; and with the same variables another distribution
// draws the same token with probability (1 − D)/(1 + D) at least, where D is their distance in total variation
// (Daliri, Musco & Suresh 2024, arXiv:2408.07978).
type race struct {
	lo, hi uint32    // the noise of the step
	first  candidate // of those that have entered
	time   float32   // its exponential variable
	bound  float32   // a token whose variable exceeds this times its weight is not the first
}

// A candidate is a token with its weight, its probability times a constant.
type candidate struct {
	logit, weight float32
	id            int32
}

// slack makes a bound of a quotient of float32 numbers that was rounded, and is rounded again as it is used.
const slack = 1 + 0x1p-21

// start begins a race with one token.
func (r *race) start(c candidate) {
	r.first, r.time = c, exponential(uniform(bitsOf(r.lo, r.hi, c.id)))
	r.bound = r.time / c.weight * slack
}

// enter adds a token whose uniform number is v. Products of two float32 are exact, so tokens that differ in
// rounding alone are in the same order everywhere; the smallest id is the first among equals.
func (r *race) enter(c candidate, v float32) {
	time := exponential(v)
	mine, other := float64(time)*float64(r.first.weight), float64(r.time)*float64(c.weight)
	if mine < other || mine == other && c.id < r.first.id {
		r.first, r.time = c, time
		r.bound = time / c.weight * slack
	}
}

// of runs a race of candidates.
func (r *race) of(list []candidate) candidate {
	r.start(list[0])
	for _, c := range list[1:] {
		if v := uniform(bitsOf(r.lo, r.hi, c.id)); v <= r.bound*c.weight { // an exponential variable is no less than v
			r.enter(c, v)
		}
	}
	return r.first
}
