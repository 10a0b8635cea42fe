package trial

import (
	"maps"
	"math"
	"slices"
)

// A NullReport says what vectors do that carry nothing: random directions and maps of shuffled pairs. A single
// vector of that kind moves the trait by some amount of its own, up or down; how far these amounts lie apart is
// part of every comparison of a vector with none and with the controls, since the vector that is judged might
// be one of them.
type NullReport struct {
	Conditions []string `json:"conditions"` // that draw vectors at random
	Draws      int      `json:"draws"`      // the fewest of one of them
	// Spread is the standard deviation over such vectors of their effect on the trait, texts' own variation
	// taken out: one persona's, or for several, of the mean over them.
	Spread Number `json:"spread"`
}

// enoughDraws is the number of random vectors from which their spread is known to a sixth.
const enoughDraws = 20

// A variation is an analysis of variance of effects by the vector that made them.
type variation struct {
	between, within         float64 // sums of squares
	freeBetween, freeWithin float64 // degrees of freedom
	texts                   float64 // Σ over analyses of the texts of a vector, n₀ of the method of moments
	analyses, pairs         float64 // analyses, and pairs of a condition and a persona
	draws                   int     // the fewest of an analysis
}

// add analyses the effects of one condition of one persona: a group for each vector.
func (v *variation) add(groups map[int][]float64) {
	draws := slices.Sorted(maps.Keys(groups))
	if len(draws) < 2 {
		return
	}
	texts, squares, mean := 0.0, 0.0, Mean(slices.Concat(values(groups, draws)...))
	for _, draw := range draws {
		n := float64(len(groups[draw]))
		texts, squares = texts+n, squares+n*n
		g := groups[draw]
		own := Mean(g)
		v.between += float64(len(g)) * (own - mean) * (own - mean)
		for _, x := range g {
			v.within += (x - own) * (x - own)
		}
	}
	k := float64(len(draws))
	v.freeBetween, v.freeWithin = v.freeBetween+k-1, v.freeWithin+texts-k
	v.texts += (texts - squares/texts) / (k - 1)
	v.analyses++
	if v.draws == 0 || len(draws) < v.draws {
		v.draws = len(draws)
	}
}

// values lists a map's values in the order of keys.
func values(groups map[int][]float64, keys []int) (list [][]float64) {
	for _, k := range keys {
		list = append(list, groups[k])
	}
	return list
}

// variance returns the variance between vectors, texts' own taken out: the method of moments of a one-way
// random-effects model (Searle, Casella & McCulloch 1992, chapter 3),
//
//	v = (MSB − MSW)/n₀,  with the variance  w = 2(MSB²/f_B + MSW²/f_W)/n₀²,
//
// drawn towards 0 by its own uncertainty: v − w/v, never below 0 (the positive-part rule of James & Stein 1961). From
// few texts v is mostly noise, and a verdict must not hang on it. It is missing if no condition has two vectors. Where
// no vector made two texts, they cannot be told apart and it is the whole.
func (v *variation) variance() float64 {
	if v.freeBetween == 0 {
		return math.NaN()
	}
	between := v.between / v.freeBetween
	if v.freeWithin == 0 {
		return between
	}
	within, size := v.within/v.freeWithin, v.texts/v.analyses
	found := (between - within) / size
	if found <= 0 {
		return 0
	}
	// Analyses of one condition and persona at several alphas are of the same vectors and prompts.
	alphas := v.analyses / v.pairs
	error := 2 * alphas * (between*between/v.freeBetween + within*within/v.freeWithin) / (size * size)
	return max(0, found-error/found)
}

// vectorsApart analyses what random vectors do at the alphas at which a persona's mapped and native vectors
// are judged.
func vectorsApart(v *variation, rows []Row, base *series, at []float64) {
	table := newCell(base.rows, []string{base.choice.Persona}, distinct(base.rows, promptOf))
	unsteered := map[int]float64{}
	for i, p := range distinct(base.rows, promptOf) {
		unsteered[p] = table.trait.sum[0][i] / table.trait.count[0][i]
	}
	slices.Sort(at)
	before := v.analyses
	for _, alpha := range slices.Compact(at) { // one vector's texts at two alphas are no two texts
		groups := map[int][]float64{}
		for _, r := range rowsAt(rows, alpha) {
			u, ok := unsteered[r.Prompt]
			if d := r.Trait - u; ok && !r.Collapsed && !isMissing(d) {
				groups[r.Draw] = append(groups[r.Draw], d)
			}
		}
		v.add(groups)
	}
	if v.analyses > before {
		v.pairs++
	}
}
