package gpu

import (
	"fmt"
	"math"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/cpu"
)

// inOrder compares by the canonical order: by probability from the largest, then by id.
func inOrder(a, b candidate) int {
	switch {
	case a.logit > b.logit:
		return -1
	case a.logit < b.logit:
		return 1
	}
	return int(a.id) - int(b.id)
}

// A nucleus is the tokens that top-k and top-p leave of a vocabulary. The vocabulary is gone through in parts:
// most hold no token that can be drawn.
type nucleus struct {
	logits  []float32
	weights []float32 // exp((logit − top)/temperature)
	top     float32
	sum     float64 // of all weights
	list    []candidate

	// Of each part: its largest logit, the weight of that, which is its largest weight but for rounding, and the
	// sum of its weights.
	tops, most, sums []float32
}

const (
	vocabPart = 256

	// negligible is the exponent below which a part of the vocabulary weighs nothing: the best token's weight
	// times e⁻³⁶ is less than the rounding of a sum, and no such token arrives first, since the best token's
	// variable is at most 17 and its own at least e⁻²³.
	negligible = -36
)

// weigh weighs every token.
func (n *nucleus) weigh(logits []float32, temperature float64) error {
	n.logits, n.tops = logits, n.tops[:0]
	for part := range slices.Chunk(logits, vocabPart) {
		n.tops = append(n.tops, cpu.Largest(part))
	}
	n.top = slices.Max(n.tops)
	if math.IsInf(float64(n.top), 0) {
		return fmt.Errorf("the largest logit is %g", n.top)
	}
	// Beyond the range of float32, 0·∞ would come of the best token or of one that cannot be drawn.
	inverse := max(math.SmallestNonzeroFloat32, min(float32(1/temperature), math.MaxFloat32))
	n.most = slices.Grow(n.most[:0], len(n.tops))[:len(n.tops)]
	cpu.Weigh(n.most, n.tops, n.top, inverse)
	n.weights = slices.Grow(n.weights[:0], len(logits))[:len(logits)]
	n.sums, n.sum = n.sums[:0], 0
	for i, top := range n.tops {
		from, to := n.part(i)
		var sum float32
		if (top-n.top)*inverse > negligible {
			sum = cpu.Weigh(n.weights[from:to], logits[from:to], n.top, inverse)
		} else if clear(n.weights[from:to]); slices.ContainsFunc(logits[from:to], isNaN) {
			sum = float32(math.NaN())
		}
		n.sums, n.sum = append(n.sums, sum), n.sum+float64(sum)
	}
	if math.IsNaN(n.sum) {
		return fmt.Errorf("a logit is not a number")
	}
	return nil
}

func isNaN(v float32) bool { return v != v }

// part is where part i of the vocabulary is.
func (n *nucleus) part(i int) (from, to int) {
	return i * vocabPart, min((i+1)*vocabPart, len(n.logits))
}

func (n *nucleus) at(id int) candidate { return candidate{n.logits[id], n.weights[id], int32(id)} }

// best is the most probable token.
func (n *nucleus) best() candidate {
	from, to := n.part(slices.Index(n.tops, n.top))
	return n.at(from + slices.Index(n.logits[from:to], n.top))
}

// draw runs the race of the tokens that reach a probability together, of all if it is 0 or 1.
//
// A race that more tokens enter has the same winner if that is one of these, so all enter at first. If the
// winner is none, neither is any token after it, and those before it race again: a token that is one of them
// is found without sorting, and on average each race halves what weighs too much.
func (n *nucleus) draw(topP float64, r race) int32 {
	after := candidate{logit: float32(math.Inf(-1))} // all
	if !(topP > 0 && topP < 1) {
		return n.run(r, 0, after).id
	}
	// As many tokens as there are, each lighter than this, weigh less than 1 − p together, so that the others
	// reach p without them.
	floor := float32((1 - topP) * n.sum / float64(len(n.logits)+1))
	for {
		winner := n.run(r, floor, after)
		if n.inside(winner, topP*n.sum) {
			return winner.id
		}
		after = winner
	}
}

// run finds the winner of the race of the tokens before one that weigh at least floor.
func (n *nucleus) run(r race, floor float32, limit candidate) candidate {
	r.start(n.best())
	least := max(floor, 0x1p-33/r.bound)
	for i, most := range n.most {
		if most < least {
			continue
		}
		from, to := n.part(i)
		for j, w := range n.weights[from:to] {
			if w < least {
				continue
			}
			v := uniform(bitsOf(r.lo, r.hi, int32(from+j)))
			if v > r.bound*w { // an exponential variable is no less than v
				continue
			}
			if c := n.at(from + j); inOrder(c, limit) < 0 {
				r.enter(c, v)
				least = max(floor, 0x1p-33/r.bound)
			}
		}
	}
	return r.first
}

// inside reports whether a token is one of the fewest that reach a weight: those before it weigh less.
func (n *nucleus) inside(c candidate, weight float64) bool {
	var most float64
	for i, top := range n.tops {
		if top >= c.logit {
			most += float64(n.sums[i])
		}
	}
	if most < weight {
		return true
	}
	var sum float64
	for i, top := range n.tops {
		if top < c.logit {
			continue
		}
		from, to := n.part(i)
		for j, v := range n.logits[from:to] {
			if v >= c.logit && (v > c.logit || int32(from+j) < c.id) {
				sum += float64(n.weights[from+j])
			}
		}
		if sum >= weight {
			return false
		}
	}
	return true
}

// drawBest runs the race of the k most probable tokens, and of these of the fewest that reach a probability
// together.
func (n *nucleus) drawBest(k int, topP float64, r race) int32 {
	n.keepBest(k)
	kept := n.list
	if topP > 0 && topP < 1 {
		var all, sum float64
		for _, c := range kept {
			all += float64(c.weight)
		}
		for i, c := range kept {
			if sum += float64(c.weight); sum >= topP*all {
				kept = kept[:i+1]
				break
			}
		}
	}
	return r.of(kept).id
}

// keepBest lists the k most probable tokens in order: it keeps up to 2k and drops the worse half when full.
func (n *nucleus) keepBest(k int) {
	k = min(k, len(n.logits))
	kept := n.list[:0]
	floor := float32(math.Inf(-1))
	half := func() {
		slices.SortFunc(kept, inOrder)
		kept = kept[:min(k, len(kept))]
	}
	for i, top := range n.tops {
		if top <= floor {
			continue
		}
		from, to := n.part(i)
		for j, v := range n.logits[from:to] {
			if v <= floor || n.weights[from+j] == 0 {
				continue
			}
			kept = append(kept, n.at(from+j))
			if len(kept) >= 2*k {
				half()
				floor = kept[k-1].logit
			}
		}
	}
	half()
	n.list = kept
}
