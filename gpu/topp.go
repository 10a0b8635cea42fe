package gpu

import (
	"math"
	"slices"
)

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

// A shortlist is the candidates for one token, as top-k and top-p leave them, and what is drawn from them.
type shortlist struct {
	top     float32
	inverse float32 // 1/temperature
	list    []candidate
	sorted  []candidate
	sum     float64
}

func (d *shortlist) start(top float32, temperature float64) {
	// A temperature too small for float32 would make 0·∞ of the best token.
	d.top, d.inverse, d.sum = top, min(float32(1/temperature), math.MaxFloat32), 0
	d.list = d.list[:0]
}

// negligible is the exponent below which a token's weight counts as zero: the best one's
// times e⁻³⁶ is less than the rounding of a sum.
const negligible = -36

// add weighs a token.
func (d *shortlist) add(v float32, id int32) {
	if x := (v - d.top) * d.inverse; x > negligible {
		w := expNegative(x)
		d.sum += float64(w)
		d.list = append(d.list, candidate{v, w, id})
	}
}

// weighAll weighs every token.
func (d *shortlist) weighAll(p *sampler, logits [][]float32) {
	p.spans(logits, func(base int32, part []float32) {
		for i, v := range part {
			d.add(v, base+int32(i))
		}
	})
}

// weighBest weighs the k best tokens: it keeps up to 2k and drops the worse half when full.
func (d *shortlist) weighBest(p *sampler, logits [][]float32, k int) {
	k = min(k, math.MaxInt32)
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
func (d *shortlist) draw(topP, u float64) int32 {
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
func (d *shortlist) dropLight(topP float64) {
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
func (d *shortlist) canonical(f func(candidate) bool) {
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
func (d *shortlist) group(c candidate) int {
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
