package trial

import (
	"math"
	"slices"
)

// AUROC returns the area under the receiver operating characteristic: the probability that a
// positive's score is above a negative's, ties counting half (Mann & Whitney 1947). It is missing
// (NaN) if a side is empty or a score is NaN.
func AUROC(positive, negative []float64) float64 {
	type scored struct {
		score    float64
		positive bool
	}
	var all []scored
	for _, s := range positive {
		all = append(all, scored{s, true})
	}
	for _, s := range negative {
		all = append(all, scored{s, false})
	}
	for _, s := range all {
		if math.IsNaN(s.score) {
			return math.NaN()
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		}
		return 0
	})
	// The sum of the positives' ranks, ties sharing the mean rank.
	ranks := 0.0
	for from := 0; from < len(all); {
		to, p := from, 0
		for to < len(all) && all[to].score == all[from].score {
			if all[to].positive {
				p++
			}
			to++
		}
		ranks += float64(p) * float64(from+1+to) / 2
		from = to
	}
	n, m := float64(len(positive)), float64(len(negative))
	return (ranks - n*(n+1)/2) / (n * m) // 0/0 is NaN
}
