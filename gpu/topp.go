package gpu

import (
	"fmt"
	"math"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/cpu"
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
// The vocabulary is gone through in parts: most hold no token that can be drawn.
type shortlist struct {
	top         float32
	temperature float64
	inverse     float32 // 1/temperature
	sum         float64 // of all weights
	tops        []float32
	weights     []float32
	list        []candidate
	sorted      []candidate // list by groups
	ends        [groups]int // of each group in sorted
	sums        [groups]float64
}

const (
	vocabPart = 256

	// negligible is the exponent below which a part of the vocabulary weighs nothing: the best token's weight
	// times e⁻³⁶ is less than the rounding of a sum.
	negligible = -36
)

// weighAll weighs every token.
func (d *shortlist) weighAll(logits []float32, temperature float64) error {
	d.tops = d.tops[:0]
	for part := range slices.Chunk(logits, vocabPart) {
		d.tops = append(d.tops, cpu.Largest(part))
	}
	d.top = slices.Max(d.tops)
	if math.IsInf(float64(d.top), 0) {
		return fmt.Errorf("the largest logit is %g", d.top)
	}
	// A temperature too small for float32 would make 0·∞ of the best token.
	d.temperature, d.inverse, d.sum = temperature, min(float32(1/temperature), math.MaxFloat32), 0
	d.weights = slices.Grow(d.weights[:0], len(logits))[:len(logits)]
	for i, top := range d.tops {
		from, to := i*vocabPart, min((i+1)*vocabPart, len(logits))
		if (top-d.top)*d.inverse > negligible {
			d.sum += float64(cpu.Weigh(d.weights[from:to], logits[from:to], d.top, d.inverse))
		} else if clear(d.weights[from:to]); slices.ContainsFunc(logits[from:to], isNaN) {
			d.sum = math.NaN()
		}
	}
	if math.IsNaN(d.sum) {
		return fmt.Errorf("a logit is not a number")
	}
	return nil
}

func isNaN(v float32) bool { return v != v }

// keepBest leaves the k most probable tokens: it keeps up to 2k and drops the worse half when full.
func (d *shortlist) keepBest(logits []float32, k int) {
	k = min(k, len(logits))
	kept := d.list[:0]
	floor := float32(math.Inf(-1))
	half := func() {
		slices.SortFunc(kept, before)
		kept = kept[:min(k, len(kept))]
	}
	for i, v := range logits {
		if v <= floor || d.weights[i] == 0 {
			continue
		}
		kept = append(kept, candidate{v, d.weights[i], int32(i)})
		if len(kept) >= 2*k {
			half()
			floor = kept[k-1].logit
		}
	}
	half()
	d.list, d.sum = kept, 0
	for _, c := range kept {
		d.sum += float64(c.weight)
	}
}

// keepHeavy leaves the tokens that top-p can keep: n tokens each lighter than (1−p)·sum/n weigh less than
// 1−p together, so that the others reach p without them. Without top-p it leaves all.
func (d *shortlist) keepHeavy(logits []float32, topP float64) {
	floor := float32(math.Inf(-1))
	if topP > 0 && topP < 1 {
		floor = float32(float64(d.top) + d.temperature*math.Log((1-topP)*d.sum/float64(len(logits)+1)))
	}
	d.list = d.list[:0]
	for i, top := range d.tops {
		if top < floor {
			continue
		}
		from := i * vocabPart
		for j, v := range logits[from:min(from+vocabPart, len(logits))] {
			if v >= floor && d.weights[from+j] > 0 {
				d.list = append(d.list, candidate{v, d.weights[from+j], int32(from + j)})
			}
		}
	}
}

// draw finds the token of the uniform number u: of the fewest that reach topP together, the first in
// canonical order at which the running sum of probabilities exceeds u.
func (d *shortlist) draw(topP, u float64) int32 {
	d.group()
	kept, total := len(d.sorted), d.sum
	if topP > 0 && topP < 1 {
		kept, total = d.reach(topP*d.sum, len(d.sorted), true)
	}
	at, _ := d.reach(u*total, kept, false)
	return d.sorted[at-1].id
}

// groups is how many groups of like probability are told apart, eight for each halving.
const groups = 512

// group puts the candidates into d.sorted by groups of like weight, the heaviest first, and adds each group
// up. Within a group they are in the order of their ids until somebody needs another.
func (d *shortlist) group() {
	d.ends, d.sums = [groups]int{}, [groups]float64{}
	for _, c := range d.list {
		g := d.groupOf(c)
		d.ends[g]++
		d.sums[g] += float64(c.weight)
	}
	var at [groups]int
	for i := 1; i < groups; i++ {
		at[i] = d.ends[i-1] // by now the sum of all groups before
		d.ends[i] += at[i]
	}
	d.sorted = slices.Grow(d.sorted[:0], len(d.list))[:len(d.list)]
	for _, c := range d.list {
		g := d.groupOf(c)
		d.sorted[at[g]] = c
		at[g]++
	}
}

// reach is how many of the first most candidates, in canonical order, it takes for their sum to exceed a
// weight, or to be as large if that is enough, and that sum; all of them if it never does. Only the group
// in which that happens is put in order.
func (d *shortlist) reach(weight float64, most int, orEqual bool) (n int, sum float64) {
	reached := func(sum float64) bool { return sum > weight || orEqual && sum == weight }
	from := 0
	for g, to := range d.ends {
		if from == to {
			continue
		}
		if sum+d.sums[g] < weight && to < most {
			sum, from = sum+d.sums[g], to
			continue
		}
		part := d.sorted[from:to]
		slices.SortFunc(part, before)
		for i, c := range part {
			if sum += float64(c.weight); reached(sum) || from+i+1 == most {
				return from + i + 1, sum
			}
		}
		from = to
	}
	return from, sum
}

// groupOf is eight times the number of halvings from the best token's weight to a candidate's.
func (d *shortlist) groupOf(c candidate) int {
	return min(groups-1, int((d.top-c.logit)*d.inverse*(8*math.Log2E)))
}
