package gpu

import (
	"crypto/sha256"
	"encoding/binary"
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
	s    Sampling
	ends map[int32]bool // end-of-text tokens
	pool sync.Pool
}

func newSampler(s Sampling, ends []int32) *sampler {
	p := &sampler{s: s, ends: map[int32]bool{}, pool: sync.Pool{New: func() any { return new([]candidate) }}}
	for _, id := range ends {
		p.ends[id] = true
	}
	return p
}

// A candidate is a token with its weight, its probability times a constant.
type candidate struct {
	weight float64
	id     int32
}

// before is the canonical order: by weight from the largest, then by id.
func before(a, b candidate) int {
	switch {
	case a.weight > b.weight:
		return -1
	case a.weight < b.weight:
		return 1
	}
	return int(a.id) - int(b.id)
}

// allowed reports whether a token may be chosen.
func (p *sampler) allowed(id int32) bool { return p.s.StopAtEOS || !p.ends[id] }

// choose picks a token from logits given in blocks, and returns the margin between the best
// and the second-best logit as well.
//
// With a temperature it divides logits by it, keeps the TopK best, keeps of these the fewest
// that reach TopP together, and takes the first token, in canonical order, at which the
// running sum of probabilities exceeds the row's uniform number.
func (p *sampler) choose(logits [][]float32, n Noise, step int) (token int32, margin float32) {
	best, top, second := p.best(logits)
	if p.s.Temperature == 0 {
		return best, top - second
	}
	buf := p.pool.Get().(*[]candidate)
	defer p.pool.Put(buf)
	list, sum := p.weigh((*buf)[:0], logits, top)
	*buf = list
	return draw(list, sum, p.s.TopK, p.s.TopP, n.Uniform(step)), top - second
}

// best finds the largest logit, the smallest id among equals, and the second largest.
func (p *sampler) best(logits [][]float32) (id int32, top, second float32) {
	top, second = float32(math.Inf(-1)), float32(math.Inf(-1))
	id = -1
	base := int32(0)
	for _, block := range logits {
		for i, v := range block {
			if v > second && p.allowed(base+int32(i)) {
				if v > top {
					id, top, second = base+int32(i), v, top
				} else {
					second = v
				}
			}
		}
		base += int32(len(block))
	}
	return max(id, 0), top, second
}

// negligible is the exponent below which a token's weight counts as zero: e⁻³⁶ of the best
// one's, less than the rounding of the sum.
const negligible = -36

// weigh lists the tokens that are not negligible, by id, with weights exp((logit−top)/T).
func (p *sampler) weigh(list []candidate, logits [][]float32, top float32) ([]candidate, float64) {
	var sum float64
	floor := top + float32(negligible*p.s.Temperature)
	inverse := 1 / p.s.Temperature
	base := int32(0)
	for _, block := range logits {
		for i, v := range block {
			if v >= floor && p.allowed(base+int32(i)) {
				w := math.Exp(float64(v-top) * inverse)
				sum += w
				list = append(list, candidate{w, base + int32(i)})
			}
		}
		base += int32(len(block))
	}
	return list, sum
}

// draw finds the token of the uniform number u. Only the front of the canonical order is
// sorted: candidates are taken in groups of weights within a factor of two.
func draw(list []candidate, sum float64, topK int, topP, u float64) int32 {
	total := sum
	if topK > 0 && topK < len(list) || topP > 0 && topP < 1 {
		if topK <= 0 || topK > len(list) {
			topK = len(list)
		}
		list, total = truncate(list, sum, topK, topP)
	}
	target := u * total
	var run float64
	last := list[0]
	for c := range canonical(list) {
		run += c.weight
		last = c
		if run > target {
			break
		}
	}
	return last.id
}

// truncate keeps the first topK of the canonical order and of these as many as it takes to
// reach topP of their sum.
func truncate(list []candidate, sum float64, topK int, topP float64) ([]candidate, float64) {
	var kept []candidate
	var run float64
	if topK < len(list) {
		sum = 0
		for c := range canonical(list) {
			kept = append(kept, c)
			sum += c.weight
			if len(kept) == topK {
				break
			}
		}
		list, kept = kept, nil
	}
	if !(topP > 0 && topP < 1) {
		return list, sum
	}
	for c := range canonical(list) {
		kept = append(kept, c)
		run += c.weight
		if run >= topP*sum {
			break
		}
	}
	return kept, run
}

// canonical yields candidates in canonical order, sorting no more than is asked for.
func canonical(list []candidate) func(yield func(candidate) bool) {
	return func(yield func(candidate) bool) {
		var ends [64]int
		sorted := byMagnitude(list, &ends)
		from := 0
		for _, to := range ends {
			group := sorted[from:to]
			slices.SortFunc(group, before)
			for _, c := range group {
				if !yield(c) {
					return
				}
			}
			from = to
		}
	}
}

// magnitude is the group of a weight w in (0, 1]: −⌊log₂ w⌋, at most 63.
func magnitude(w float64) int { return min(63, max(0, -math.Ilogb(w))) }

// byMagnitude orders candidates by magnitude, keeping their order within one, and tells
// where each magnitude ends.
func byMagnitude(list []candidate, ends *[64]int) []candidate {
	var count [64]int
	for _, c := range list {
		count[magnitude(c.weight)]++
	}
	at := [64]int{}
	n := 0
	for i, k := range count {
		at[i] = n
		n += k
		ends[i] = n
	}
	out := make([]candidate, len(list))
	for _, c := range list {
		m := magnitude(c.weight)
		out[at[m]] = c
		at[m]++
	}
	return out
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
