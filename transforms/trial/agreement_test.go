package trial

import (
	"math"
	"slices"
	"testing"
)

func pairsOf(a, b []float64) (pairs []Pair) {
	for i := range a {
		pairs = append(pairs, Pair{a[i], b[i], i})
	}
	return pairs
}

func ones(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// TestAgreementIsThatOfOthers compares with scikit-learn 1.9.1 (cohen_kappa_score, quadratic) and SciPy 1.17.1
// (spearmanr).
func TestAgreementIsThatOfOthers(t *testing.T) {
	for _, c := range []struct {
		a, b            []float64
		kappa, spearman float64
	}{
		{[]float64{1, 2, 3, 4, 5, 3, 2, 2, 5, 1}, []float64{1, 3, 3, 5, 4, 3, 1, 2, 5, 2}, 0.8704663212435233, 0.8765822784810127},
		{[]float64{1, 1, 2, 5, 5, 4}, []float64{5, 4, 4, 1, 2, 1}, -0.9090909090909092, -0.818181818181818},
		{[]float64{3, 3, 3, 4}, []float64{3, 4, 5, 4}, 0, 0},
		{[]float64{1, 2, 5}, []float64{1, 2, 5}, 1, 1},
		{[]float64{1.4, 1.6, 4.6}, []float64{1, 2, 5}, 1, 1}, // rounded for the one, ordered for the other
	} {
		p := pairsOf(c.a, c.b)
		if k, s := kappa(p, ones(len(p))), spearman(p, ones(len(p)), ordersOf(p)); math.Abs(k-c.kappa) > 1e-12 || math.Abs(s-c.spearman) > 1e-12 {
			t.Errorf("%v and %v: kappa %g, Spearman %g, want %g and %g", c.a, c.b, k, s, c.kappa, c.spearman)
		}
		swapped := pairsOf(c.b, c.a)
		if k := kappa(swapped, ones(len(p))); math.Abs(k-c.kappa) > 1e-12 {
			t.Errorf("the other way round kappa is %g", k)
		}
	}
}

// TestWeightsAreRepetitions: a pair of weight 3 is three pairs, one of weight 0 none.
func TestWeightsAreRepetitions(t *testing.T) {
	p := pairsOf([]float64{1, 4, 2, 5, 3}, []float64{2, 4, 1, 3, 3})
	w := []float64{3, 1, 0, 2, 1}
	var repeated []Pair
	for i, n := range w {
		repeated = append(repeated, slices.Repeat(p[i:i+1], int(n))...)
	}
	if a, b := kappa(p, w), kappa(repeated, ones(7)); math.Abs(a-b) > 1e-12 {
		t.Errorf("kappa %g, of repeated pairs %g", a, b)
	}
	if a, b := spearman(p, w, ordersOf(p)), spearman(repeated, ones(7), ordersOf(repeated)); math.Abs(a-b) > 1e-12 {
		t.Errorf("Spearman %g, of repeated pairs %g", a, b)
	}
}

// TestAgreementResamplesPrompts: texts of one prompt that agree alike are one observation, so the interval is
// wider than that of as many prompts; missing ratings are left out; and one rating throughout has no agreement.
func TestAgreementResamplesPrompts(t *testing.T) {
	r := newRand([32]byte{1})
	var alone, together []Pair
	for i := range 40 {
		a := float64(1 + r.IntN(5))
		b := min(5, max(1, a+float64(r.IntN(3)-1)))
		alone = append(alone, Pair{a, b, i}, Pair{math.NaN(), b, i})
		for range 3 {
			together = append(together, Pair{a, b, i})
		}
	}
	one, three := Agree(alone, [32]byte{}), Agree(together, [32]byte{})
	if one.Kappa.N != 40 || three.Kappa.N != 120 || one.Kappa.Low > one.Kappa.Value || one.Kappa.High < one.Kappa.Value || one.Spearman.Low < .5 {
		t.Errorf("agreement %+v and %+v", one, three)
	}
	if math.Abs(float64(one.Kappa.Low-three.Kappa.Low)) > 1e-12 || math.Abs(float64(one.Kappa.Value-three.Kappa.Value)) > 1e-12 {
		t.Errorf("three texts a prompt that are alike narrow the interval: %+v, %+v", one.Kappa, three.Kappa)
	}
	for name, p := range map[string][]Pair{"no pairs": nil, "missing": {{math.NaN(), 1, 0}}, "one rating": pairsOf([]float64{3, 3, 3}, []float64{3, 3, 3})} {
		if a := Agree(p, [32]byte{}); !a.Kappa.Value.Missing() || !a.Spearman.Value.Missing() || !a.Kappa.Low.Missing() {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
