package trial

import (
	"cmp"
	"math"
	"slices"
)

// A Pair is what two raters gave one text, on the scale from 1 to 5. Texts of one prompt are resampled
// together.
type Pair struct {
	A, B   float64
	Prompt int
}

// An Agreement says how far two raters agree: on the number (Kappa) and on the order (Spearman).
type Agreement struct {
	Kappa    Estimate `json:"kappa"`
	Spearman Estimate `json:"spearman"`
}

const (
	categories     = 5 // of the scale
	agreementDraws = 2000
	agreementLevel = 0.95
)

// Agree compares two raters over the pairs in which neither is missing; intervals are of resampled
// prompts. Neither measure exists where a rater gave every text the same.
func Agree(pairs []Pair, seed [32]byte) Agreement {
	pairs = slices.DeleteFunc(slices.Clone(pairs), func(p Pair) bool { return isMissing(p.A) || isMissing(p.B) })
	index := map[int]int{}
	var prompts []int
	place := make([]int, len(pairs)) // of each pair's prompt
	for i, p := range pairs {
		if _, ok := index[p.Prompt]; !ok {
			index[p.Prompt] = len(index)
			prompts = append(prompts, 2*len(prompts)) // all in one half: nothing is crossed here
		}
		place[i] = index[p.Prompt]
	}
	if len(pairs) == 0 {
		return Agreement{noEstimate, noEstimate}
	}
	b := NewBootstrap(prompts, agreementDraws, agreementLevel, seed)
	orders := ordersOf(pairs)
	weigh := func(of func([]Pair, []float64) float64) Estimate {
		s := statistic{point: of(pairs, slices.Repeat([]float64{1}, len(pairs)))}
		w := make([]float64, len(pairs))
		for _, weights := range b.weights {
			for i, p := range place {
				w[i] = float64(weights[p])
			}
			s.draws = append(s.draws, of(pairs, w))
		}
		return b.estimate(s, len(pairs))
	}
	return Agreement{weigh(kappa), weigh(func(pairs []Pair, w []float64) float64 { return spearman(pairs, w, orders) })}
}

// kappa is Cohen's weighted kappa with quadratic weights (Cohen 1968),
//
//	1 − Σ (i−j)² o(i,j) / Σ (i−j)² r(i) c(j) / n,
//
// of ratings rounded to the nearest of the five points: o counts the pairs, r and c the two raters'
// ratings. It is 1 for perfect agreement and 0 for what raters with these habits would reach by chance;
// NaN where chance leaves nothing to disagree about.
func kappa(pairs []Pair, w []float64) float64 {
	var rows, columns [categories]float64
	n, observed := 0.0, 0.0
	for k, p := range pairs {
		i, j := category(p.A), category(p.B)
		rows[i] += w[k]
		columns[j] += w[k]
		n += w[k]
		observed += w[k] * float64((i-j)*(i-j))
	}
	chance := 0.0
	for i, r := range rows {
		for j, c := range columns {
			chance += float64((i-j)*(i-j)) * r * c
		}
	}
	if chance == 0 {
		return math.NaN()
	}
	return 1 - observed*n/chance
}

// category is the nearest point of the scale, from 0.
func category(rating float64) int { return min(max(int(math.Round(rating))-1, 0), categories-1) }

// spearman is the correlation of the two raters' ranks, equal ratings sharing the mean of theirs
// (Spearman 1904); NaN where a rater has only one rank.
func spearman(pairs []Pair, w []float64, orders [2]order) float64 {
	a, b := orders[0].ranks(w), orders[1].ranks(w)
	n, meanA, meanB := 0.0, 0.0, 0.0
	for k := range pairs {
		n += w[k]
		meanA += w[k] * a[k]
		meanB += w[k] * b[k]
	}
	meanA, meanB = meanA/n, meanB/n
	var ab, aa, bb float64
	for k := range pairs {
		x, y := a[k]-meanA, b[k]-meanB
		ab += w[k] * x * y
		aa += w[k] * x * x
		bb += w[k] * y * y
	}
	if aa == 0 || bb == 0 {
		return math.NaN()
	}
	return ab / math.Sqrt(aa*bb)
}

// An order is the pairs by rising rating of one rater: those that are equal together.
type order [][]int

// ordersOf sorts once for all resamples: their weights change ranks, but no order.
func ordersOf(pairs []Pair) (orders [2]order) {
	for k, of := range []func(Pair) float64{func(p Pair) float64 { return p.A }, func(p Pair) float64 { return p.B }} {
		index := make([]int, len(pairs))
		for i := range index {
			index[i] = i
		}
		slices.SortFunc(index, func(i, j int) int { return cmp.Compare(of(pairs[i]), of(pairs[j])) })
		for from := 0; from < len(index); {
			to := from
			for to < len(index) && of(pairs[index[to]]) == of(pairs[index[from]]) {
				to++
			}
			orders[k] = append(orders[k], index[from:to])
			from = to
		}
	}
	return orders
}

// ranks gives each pair its rank, a pair of weight w standing for w equal ones.
func (o order) ranks(w []float64) []float64 {
	out := make([]float64, len(w))
	below := 0.0
	for _, equal := range o {
		weight := 0.0
		for _, i := range equal {
			weight += w[i]
		}
		for _, i := range equal {
			out[i] = below + (weight+1)/2
		}
		below += weight
	}
	return out
}
