package gpu

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"
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
	p := &sampler{s: s, ends: map[int32]bool{}, pool: sync.Pool{New: func() any { return new(draft) }}}
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

// A candidate is a token with its weight, its probability times a constant.
type candidate struct {
	logit, weight float32
	id            int32
}

// before is the canonical order: by probability from the largest, then by id.
func before(a, b candidate) int {
	switch {
	case a.logit > b.logit:
		return -1
	case a.logit < b.logit:
		return 1
	}
	return int(a.id) - int(b.id)
}

// choose picks a token from logits given in blocks, and returns the margin between the best
// and the second-best logit as well.
//
// With a temperature it divides logits by it, keeps the TopK best, keeps of these the fewest
// that reach TopP together, and takes the first token, in canonical order, at which the
// running sum of probabilities exceeds the row's uniform number.
func (p *sampler) choose(logits [][]float32, n Noise, step int) (token int32, margin float32, err error) {
	best, top, second := p.best(logits)
	if best < 0 || math.IsInf(float64(top), 0) {
		return 0, 0, fmt.Errorf("no logit is a number")
	}
	if p.s.Temperature == 0 {
		return best, top - second, nil
	}
	d := p.pool.Get().(*draft)
	defer p.pool.Put(d)
	d.start(top, p.s.Temperature)
	if p.s.TopK > 0 {
		d.weighBest(p, logits, p.s.TopK)
	} else {
		d.weighAll(p, logits)
	}
	return d.draw(p.s.TopP, n.Uniform(step)), top - second, nil
}

// best finds the largest logit, the smallest id among equals, and the second largest.
func (p *sampler) best(logits [][]float32) (id int32, top, second float32) {
	top, second = float32(math.Inf(-1)), float32(math.Inf(-1))
	id = -1
	p.spans(logits, func(base int32, part []float32) {
		for i, v := range part {
			switch {
			case v > top:
				id, top, second = base+int32(i), v, top
			case v > second:
				second = v
			}
		}
	})
	return id, top, second
}

// A draft is one token being drawn.
type draft struct {
	top     float32
	inverse float32 // 1/temperature
	list    []candidate
	sorted  []candidate
	sum     float64
}

func (d *draft) start(top float32, temperature float64) {
	d.top, d.inverse, d.sum = top, float32(1/temperature), 0
	d.list = d.list[:0]
}

// negligible is the exponent below which a token's weight counts as zero: the best one's
// times e⁻³⁶ is less than the rounding of a sum.
const negligible = -36

// add weighs a token.
func (d *draft) add(v float32, id int32) {
	if x := (v - d.top) * d.inverse; x > negligible {
		w := expNegative(x)
		d.sum += float64(w)
		d.list = append(d.list, candidate{v, w, id})
	}
}

// weighAll weighs every token.
func (d *draft) weighAll(p *sampler, logits [][]float32) {
	p.spans(logits, func(base int32, part []float32) {
		for i, v := range part {
			d.add(v, base+int32(i))
		}
	})
}

// weighBest weighs the k best tokens: it keeps up to 2k and drops the worse half when full.
func (d *draft) weighBest(p *sampler, logits [][]float32, k int) {
	kept := d.sorted[:0]
	floor := float32(math.Inf(-1))
	p.spans(logits, func(base int32, part []float32) {
		for i, v := range part {
			if v <= floor {
				continue
			}
			kept = append(kept, candidate{v, 0, base + int32(i)})
			if len(kept) >= 2*k {
				slices.SortFunc(kept, before)
				kept = kept[:k]
				floor = kept[k-1].logit
			}
		}
	})
	slices.SortFunc(kept, before)
	for _, c := range kept[:min(k, len(kept))] {
		d.add(c.logit, c.id)
	}
	d.sorted = kept
}

// draw finds the token of the uniform number u.
func (d *draft) draw(topP, u float64) int32 {
	total := d.sum
	if topP > 0 && topP < 1 {
		d.dropLight(topP)
		var run float64
		n := 0
		d.canonical(func(c candidate) bool {
			run += float64(c.weight)
			n++
			return run < topP*d.sum
		})
		d.list, total = append(d.list[:0], d.sorted[:n]...), run
	}
	var run float64
	var last candidate
	d.canonical(func(c candidate) bool {
		run += float64(c.weight)
		last = c
		return run <= u*total
	})
	return last.id
}

// dropLight drops tokens that top-p cannot keep: n tokens each lighter than (1−p)·sum/n weigh
// less than 1−p together, so the others reach p without them.
func (d *draft) dropLight(topP float64) {
	cut := float32((1 - topP) * d.sum / float64(len(d.list)+1))
	kept := d.list[:0]
	for _, c := range d.list {
		if c.weight >= cut {
			kept = append(kept, c)
		}
	}
	d.list = kept
}

// groups is how many groups of like probability canonical tells apart.
const groups = 64

// canonical shows the candidates to f in canonical order until it returns false, and leaves
// those that it showed at the start of d.sorted. It sorts no more than it shows: candidates
// are taken in groups of weights within a factor of two.
func (d *draft) canonical(f func(candidate) bool) {
	var ends [groups]int
	for _, c := range d.list {
		ends[d.group(c)]++
	}
	var at [groups]int
	for i := 1; i < groups; i++ {
		at[i] = ends[i-1] // by now the sum of all groups before
		ends[i] += at[i]
	}
	d.sorted = slices.Grow(d.sorted[:0], len(d.list))[:len(d.list)]
	for _, c := range d.list {
		g := d.group(c)
		d.sorted[at[g]] = c
		at[g]++
	}
	from := 0
	for _, to := range ends {
		part := d.sorted[from:to]
		slices.SortFunc(part, before)
		for _, c := range part {
			if !f(c) {
				return
			}
		}
		from = to
	}
}

// group is the number of halvings from the best token's weight to a candidate's.
func (d *draft) group(c candidate) int {
	return min(groups-1, int((d.top-c.logit)*d.inverse*math.Log2E))
}

// expNegative is eˣ for −87 < x ≤ 0 to seven digits: Cephes' expf (Moshier 1989), three times
// as fast as math.Exp.
func expNegative(x float32) float32 {
	n := float32(int32(x*math.Log2E - 0.5))
	g := x - n*0.693359375 + n*2.12194440e-4
	p := ((((1.9875691500e-4*g+1.3981999507e-3)*g+8.3334519073e-3)*g+4.1665795894e-2)*g+1.6666665459e-1)*g + 5.0000001201e-1
	return math.Float32frombits(uint32(127+int32(n))<<23) * (p*g*g + g + 1)
}

// parallel runs f(0) … f(n-1) on all cores.
func parallel(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// readBlocks shows f the rows of logits that come in blocks [rows, ≤2048].
func readBlocks(blocks []*tensors.Tensor, rows int, f func(row func(b int) [][]float32)) error {
	flat := make([][]float32, len(blocks))
	for i, t := range blocks {
		if err := read(t, func(x []float32) { flat[i] = x }); err != nil {
			return err
		}
	}
	f(func(b int) [][]float32 {
		out := make([][]float32, len(flat))
		for i, x := range flat {
			w := len(x) / rows
			out[i] = x[b*w : (b+1)*w]
		}
		return out
	})
	return nil
}
