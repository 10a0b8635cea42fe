package trial

import (
	"math"
	"slices"
)

// knots are the line from excess negative log-likelihood per token (nats) to coherence.
var knots = []struct{ excess, coherence float64 }{{0, 4.6}, {0.5, 4.0}, {1, 3.2}, {2, 2}, {3.5, 1}}

// CollapsedCoherence is the most that a collapsed text's coherence can be.
const CollapsedCoherence = 1.5

// Coherence returns how sensible a continuation reads, from 1 to 5, from its mean negative
// log-likelihood per token under the unsteered model and the median of the unsteered anchor texts
// under the same decoding. With e = |nll − anchorMedian| it is linear between
//
//	e: 0 → 4.6, 0.5 → 4.0, 1 → 3.2, 2 → 2, 3.5 → 1
//
// and 1 beyond. The line is symmetric because a text that surprises the model less than its own
// samples is dull or repetitive. A collapse flag caps the result at 1.5. A missing nll is a
// missing coherence, except that of a collapsed text (an empty one has no nll), which is 1.
func Coherence(nll, anchorMedian float64, collapsed bool) float64 {
	e := math.Abs(nll - anchorMedian)
	if isMissing(e) {
		if collapsed {
			return 1
		}
		return math.NaN()
	}
	c := knots[len(knots)-1].coherence
	for i := 1; i < len(knots); i++ {
		if a, b := knots[i-1], knots[i]; e <= b.excess {
			c = a.coherence + (e-a.excess)/(b.excess-a.excess)*(b.coherence-a.coherence)
			break
		}
	}
	if collapsed {
		c = min(c, CollapsedCoherence)
	}
	return c
}

// Trait returns how much of a trait a text shows, from 1 to 5, on the line through two anchors of
// the scorer's logit s: 1 at the mean of unsteered texts, 5 at the mean of held-out positive
// texts, clipped. It is missing (NaN) if a value is, or if the positive anchor is not above the
// unsteered one: then the scorer cannot tell the trait from the model's ordinary text.
func Trait(s, unsteered, positive float64) float64 {
	if isMissing(s) || !(positive > unsteered) || math.IsInf(positive-unsteered, 0) {
		return math.NaN()
	}
	return 1 + 4*max(0, min(1, (s-unsteered)/(positive-unsteered)))
}

// Median returns the median of the values that are not missing, NaN if there is none.
func Median(values []float64) float64 {
	v := present(values)
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// Mean returns the mean of the values that are not missing, NaN if there is none.
func Mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !isMissing(v) {
			sum += v
			n++
		}
	}
	return sum / float64(n) // 0/0 is NaN
}

// present returns a copy of the values that are not missing.
func present(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), isMissing)
}
