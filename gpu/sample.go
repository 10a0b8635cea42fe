package gpu

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
)

// Sampler names how tokens are chosen from logits, as recipes and other engines have to know it. It stands for
// the numbers of [Noise.Words] and everything that is made of them: another way to choose has another name.
const Sampler = "gumbel/1"

// A sampler chooses tokens. It is safe for concurrent use.
type sampler struct {
	s      Sampling
	ends   map[int32]bool // end-of-text tokens
	barred []int32        // tokens that cannot be chosen, in order
	pool   sync.Pool
}

func newSampler(s Sampling, ends []int32) *sampler {
	p := &sampler{s: s, ends: map[int32]bool{}, pool: sync.Pool{New: func() any { return new(nucleus) }}}
	for _, id := range ends {
		p.ends[id] = true
	}
	if !s.StopAtEOS {
		p.barred = slices.Sorted(maps.Keys(p.ends))
	}
	return p
}

// choose picks a token from logits, and returns the margin between the best and the second-best logit as
// well if it is greedy. It may overwrite the logits.
//
// With a temperature it divides logits by it, keeps the TopK best, keeps of these the fewest
// that reach TopP together, and takes the token that wins their [race].
func (p *sampler) choose(logits []float32, n Noise, step int) (token int32, margin float32, err error) {
	for _, id := range p.barred {
		if int(id) < len(logits) {
			logits[id] = float32(math.Inf(-1))
		}
	}
	if p.s.Temperature == 0 {
		return greedy(logits)
	}
	tokens := p.pool.Get().(*nucleus)
	defer p.pool.Put(tokens)
	if err := tokens.weigh(logits, p.s.Temperature); err != nil {
		return 0, 0, err
	}
	lo, hi := n.Words(step)
	if r := (race{lo: lo, hi: hi}); p.s.TopK > 0 {
		token = tokens.drawBest(p.s.TopK, p.s.TopP, r)
	} else {
		token = tokens.draw(p.s.TopP, r)
	}
	return token, 0, nil
}

// record appends a token that was chosen to what a row became, or ends it.
func (p *sampler) record(r *Row, o *Output, token int32, margin float32) {
	if p.ends[token] {
		o.Ended = true
		return
	}
	o.Tokens = append(o.Tokens, token)
	if r.OnToken != nil {
		r.OnToken(token)
	}
	if p.s.Temperature == 0 {
		o.Margins = append(o.Margins, margin)
	}
}

// greedy finds the largest logit, the smallest id among equals, and its distance to the second largest.
func greedy(logits []float32) (id int32, margin float32, err error) {
	top, second := float32(math.Inf(-1)), float32(math.Inf(-1))
	for i, v := range logits {
		switch {
		case v > top:
			id, top, second = int32(i), v, top
		case v > second:
			second = v
		case v != v:
			return 0, 0, fmt.Errorf("a logit is not a number")
		}
	}
	if math.IsInf(float64(top), 0) {
		return 0, 0, fmt.Errorf("the largest logit is %g", top)
	}
	return id, top - second, nil
}
