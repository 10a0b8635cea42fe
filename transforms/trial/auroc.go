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

// AUROCInterval is the 95 % interval of an AUROC of n positives and m negatives: all areas θ from which
// the observed one is at most 1.96 standard errors away, with the standard error that Hanley & McNeil
// (1982) give for θ,
//
//	θ(1−θ) (1 + k (1−θ)/(2−θ) + k θ/(1+θ)) / nm,  k = (n+m)/2 − 1,
//
// which is method 5 of Newcombe (2006). Unlike an interval around the observed area it has a width where
// that is 1, as it easily is with few texts. It is missing if the area is, or a side is empty.
func AUROCInterval(auroc float64, n, m int) (low, high Number) {
	if isMissing(auroc) || n < 1 || m < 1 {
		return missing, missing
	}
	k := float64(n+m)/2 - 1
	near := func(t float64) bool {
		variance := t * (1 - t) * (1 + k*(1-t)/(2-t) + k*t/(1+t)) / float64(n*m)
		return (auroc-t)*(auroc-t) <= 1.96*1.96*variance
	}
	// From the area outwards near holds up to one point on each side; 60 halvings find it to the bit.
	bound := func(end float64) Number {
		inside, outside := auroc, end
		for range 60 {
			if middle := (inside + outside) / 2; near(middle) {
				inside = middle
			} else {
				outside = middle
			}
		}
		return Number(inside)
	}
	return bound(0), bound(1)
}
