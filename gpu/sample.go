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

// spans shows f the logits that may be chosen, part by part; base is the id of a part's first.
func (p *sampler) spans(logits [][]float32, f func(base int32, part []float32)) {
	base := int32(0)
	for _, block := range logits {
		from, end := base, base+int32(len(block))
		for _, id := range p.barred {
			if id >= from && id < end {
				f(from, block[from-base:id-base])
				from = id + 1
			}
		}
		f(from, block[from-base:])
		base = end
	}
}

// choose picks a token from logits given in blocks, and returns the margin between the best
// and the second-best logit as well.
//
// With a temperature it divides logits by it, keeps the TopK best, keeps of these the fewest
// that reach TopP together, and takes the first token, in canonical order, at which the
// running sum of probabilities exceeds the row's uniform number.
func (p *sampler) choose(logits [][]float32, n Noise, step int) (token int32, margin float32, err error) {
	best, top, second := p.best(logits)
	if best < 0 || math.IsNaN(float64(top)) || math.IsInf(float64(top), 0) {
		return 0, 0, fmt.Errorf("the largest logit is %g", top)
	}
	if p.s.Temperature == 0 {
		return best, top - second, nil
	}
	d := p.pool.Get().(*shortlist)
	defer p.pool.Put(d)
	d.start(top, p.s.Temperature)
	if p.s.TopK > 0 {
		d.weighBest(p, logits, p.s.TopK)
	} else {
		d.weighAll(p, logits)
	}
	return d.draw(p.s.TopP, n.Uniform(step)), top - second, nil
}

// best finds the largest logit, the smallest id among equals, and the second largest; NaN if one of
// the logits is.
func (p *sampler) best(logits [][]float32) (id int32, top, second float32) {
	top, second = float32(math.Inf(-1)), float32(math.Inf(-1))
	id = -1
	nan := false
	p.spans(logits, func(base int32, part []float32) {
		for i, v := range part {
			switch {
			case v > top:
				id, top, second = base+int32(i), v, top
			case v > second:
				second = v
			case v != v:
				nan = true
			}
		}
	})
	if nan {
		top = float32(math.NaN())
	}
	return id, top, second
}
