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
	for _, p := range pairs {
		if _, ok := index[p.Prompt]; !ok {
			index[p.Prompt] = len(index)
			prompts = append(prompts, 2*len(prompts)) // all in one half: nothing is crossed here
		}
	}
	if len(pairs) == 0 {
		return Agreement{noEstimate, noEstimate}
	}
	b := NewBootstrap(prompts, agreementDraws, agreementLevel, seed)
	weigh := func(of func([]Pair, []float64) float64) Estimate {
		s := statistic{point: of(pairs, slices.Repeat([]float64{1}, len(pairs)))}
		w := make([]float64, len(pairs))
		for _, weights := range b.weights {
			for i, p := range pairs {
				w[i] = float64(weights[index[p.Prompt]])
			}
			s.draws = append(s.draws, of(pairs, w))
		}
		return b.estimate(s, len(pairs))
	}
	return Agreement{weigh(kappa), weigh(spearman)}
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
func spearman(pairs []Pair, w []float64) float64 {
	a := ranks(pairs, w, func(p Pair) float64 { return p.A })
	b := ranks(pairs, w, func(p Pair) float64 { return p.B })
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

// ranks gives each pair the rank of one of its ratings, a pair of weight w standing for w equal ones.
func ranks(pairs []Pair, w []float64, of func(Pair) float64) []float64 {
	order := make([]int, len(pairs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(of(pairs[i]), of(pairs[j])) })
	out := make([]float64, len(pairs))
	below := 0.0
	for from := 0; from < len(order); {
		to, weight := from, 0.0
		for ; to < len(order) && of(pairs[order[to]]) == of(pairs[order[from]]); to++ {
			weight += w[order[to]]
		}
		for _, i := range order[from:to] {
			out[i] = below + (weight+1)/2
		}
		below += weight
		from = to
	}
	return out
}
