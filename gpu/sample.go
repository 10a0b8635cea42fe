package gpu

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
)

// Noise names a stream of uniform numbers. Rows with equal noise see equal numbers whatever
// else distinguishes them, so that conditions can be compared in pairs.
type Noise struct {
	Seed   uint64
	Prompt [32]byte // digest of the prompt's text
}

// PromptDigest is the SHA-256 of a prompt's text.
func PromptDigest(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// Uniform is number step of the stream, in [0, 1). It is a function of the noise and step
// only: the first eight bytes of the digest (little endian), the seed and the step, mixed in
// this order by the finaliser of SplitMix64 (Steele, Lea & Flood 2014), give 53 bits.
func (n Noise) Uniform(step int) float64 {
	x := mix(binary.LittleEndian.Uint64(n.Prompt[:8]))
	x = mix(x ^ n.Seed)
	x = mix(x ^ uint64(step))
	return float64(x>>11) * 0x1p-53
}

// mix is one step of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// A sampler chooses tokens. It is safe for concurrent use.
type sampler struct {
	s      Sampling
	ends   map[int32]bool // end-of-text tokens
	barred []int32        // tokens that cannot be chosen, in order
	pool   sync.Pool
}

func newSampler(s Sampling, ends []int32) *sampler {
	p := &sampler{s: s, ends: map[int32]bool{}, pool: sync.Pool{New: func() any { return new(shortlist) }}}
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
// that reach TopP together, and takes the first token, in canonical order, at which the
// running sum of probabilities exceeds the row's uniform number.
func (p *sampler) choose(logits []float32, n Noise, step int) (token int32, margin float32, err error) {
	for _, id := range p.barred {
		if int(id) < len(logits) {
			logits[id] = float32(math.Inf(-1))
		}
	}
	if p.s.Temperature == 0 {
		return greedy(logits)
	}
	d := p.pool.Get().(*shortlist)
	defer p.pool.Put(d)
	if err := d.weighAll(logits, p.s.Temperature); err != nil {
		return 0, 0, err
	}
	if p.s.TopK > 0 {
		d.keepBest(logits, p.s.TopK)
	} else {
		d.keepHeavy(logits, p.s.TopP)
	}
	return d.draw(p.s.TopP, n.Uniform(step)), 0, nil
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
