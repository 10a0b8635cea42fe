package linear

import (
	"math"
	"testing"
)

// TestTargetsThatDoNotVary count as 1 where the others' mean predicts them, whatever the constant: sums of 0.1 are
// rounded, those of 7 are not. The scores of the other targets are not touched.
func TestTargetsThatDoNotVary(t *testing.T) {
	const e, folds = 3, 3
	grid := []float64{.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 50, 100}
	for _, c := range []float32{7, .1, 3.3, 12345.678} {
		for _, shape := range [][2]int{{48, 6}, {48, 20}, {15, 20}} { // many held out, few, fewer than dimensions
			n, d := shape[0], shape[1]
			x, y, _ := planted(n, d, e, 4, 87)
			var others []float32
			for i := range n {
				y[i*e+1] = c
				others = append(others, y[i*e], y[i*e+2])
			}
			all, _, _ := foldsOf(t, folds, d, e, x, y)
			two, _, _ := foldsOf(t, folds, d, e-1, x, others)
			for _, spec := range []Spec{centredRidge, {Method: Standardised, Centre: true, Unit: Relative}, {Method: LowRank, Rank: 2, Centre: true, Unit: Relative}} {
				for _, lambdas := range [][]float64{grid[3:4], grid} {
					got, want := crossValidated(t, all, lambdas, spec), crossValidated(t, two, lambdas, spec)
					for i := range lambdas {
						if w := (2*want[i].R2Standardised + 1) / 3; math.Abs(got[i].R2Standardised-w) > 1e-9*max(1, math.Abs(w)) {
							t.Errorf("constant %v in %d rows of %d, %s, λ=%g of %d: mean R² %.9f, want %.9f",
								c, n, d, spec.Method, lambdas[i], len(lambdas), got[i].R2Standardised, w)
						}
					}
				}
			}
			g := gramOf(t, d, e, x, y)
			s, err := fit(t, g, centredRidge).Goodness(g)
			if err != nil {
				t.Fatal(err)
			}
			h := gramOf(t, d, e-1, x, others)
			want, err := fit(t, h, centredRidge).Goodness(h)
			if err != nil {
				t.Fatal(err)
			}
			if w := (2*want.R2Standardised + 1) / 3; math.Abs(s.R2Standardised-w) > 1e-9 {
				t.Errorf("constant %v in %d rows of %d: mean R² of all rows %.9f, want %.9f", c, n, d, s.R2Standardised, w)
			}
		}
	}
}

// TestTargetsThatAreConstantElsewhere count as 0: they do not vary in the fold that is held out, and the others'
// mean is another value.
func TestTargetsThatAreConstantElsewhere(t *testing.T) {
	for _, d := range []int{6, 20} {
		x, y, _ := planted(48, d, 1, 4, 89)
		for i := range y {
			y[i] = .1 + float32(i/5%3)
		}
		folds, _, _ := foldsOf(t, 3, d, 1, x, y)
		if p := crossValidated(t, folds, []float64{.1}, centredRidge); p[0].R2Standardised != 0 || p[0].R2 != 0 {
			t.Errorf("%d dimensions: R² %g, %g by dimension, want 0", d, p[0].R2, p[0].R2Standardised)
		}
	}
}
