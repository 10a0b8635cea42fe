package trial

import (
	"math"
	"slices"
)

// CollapsedCoherence is the most that a collapsed text's coherence can be.
const CollapsedCoherence = 1.5

// The two lines of [Coherence].
const (
	// ordinaryCoherence is that of a text whose order tells as much as that of unsteered texts does: they
	// are not the best that can be written.
	ordinaryCoherence = 4.6
	// A text may take allowance times as many nats a token as unsteered ones, or as leastNats where those
	// take hardly any, before it loses lossOfNats for each further time. Under Gemma 3 people's sentences
	// and poems take 1.2 to 2.4 times as many; the embedded pair's texts, at the alphas at which phrases
	// follow each other without a seam that holds, 3 to 5.
	allowance  = 2
	lossOfNats = 2
	leastNats  = 1
)

// A Likelihood is what the unsteered model says of a text, in nats a token: the mean negative log-likelihood
// NLL, and by how much it is less than that of the same words shuffled ([ShuffleWords]): what their Order
// tells.
type Likelihood struct{ NLL, Order float64 }

// Coherence returns how sensible a continuation reads, from 1 to 5: the less of two lines through what the
// medians of unsteered anchor texts are under the same decoding,
//
//	1 + 3.6·order/anchor.Order          the order of its words tells something,
//	5 − 2·(nll/anchor.NLL − 2), at most 5   it is not far less likely than such texts are.
//
// The first does not ask how usual the words are, so a joyful sentence or a rare word costs nothing, and a
// list or a word said again earns nothing, however likely it is; the second sees phrases that are each in
// order and do not follow. Less nats than the anchors' are no fault by themselves. A collapse flag caps the
// result at 1.5. What is missing makes it missing, but that of a collapsed text (an empty one has no
// likelihood), which is 1.
func Coherence(text, anchor Likelihood, collapsed bool) float64 {
	if isMissing(text.NLL) || isMissing(text.Order) || isMissing(anchor.NLL) || !(anchor.Order > 0) {
		if collapsed {
			return 1
		}
		return math.NaN()
	}
	order := 1 + (ordinaryCoherence-1)*text.Order/anchor.Order
	likely := 5 - lossOfNats*max(0, text.NLL/max(anchor.NLL, leastNats)-allowance)
	c := max(1, min(order, likely, 5))
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
