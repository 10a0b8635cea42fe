package linear

import (
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestRidgeOfFewRows has fewer rows than columns, one that is constant, one of zeros and one that is far
// larger than the others. The map is held against the dual solution, Xᵀ(XXᵀ + λI)⁻¹Y, which solves a system
// of rows instead of columns.
func TestRidgeOfFewRows(t *testing.T) {
	const d, e = 12, 4
	for _, n := range []int{2, 3, 7, 11} {
		for _, odd := range []bool{false, true} {
			for _, lambda := range []float64{1e-3, .1, 10} {
				x, y := normals(n*d, 91), normals(n*e, 93)
				for i := range n {
					if odd {
						x[i*d+3], x[i*d+4], x[i*d+5] = 7, 0, 500*x[i*d+5]
					}
				}
				m := fit(t, gramOf(t, d, e, x, y), Spec{Method: Ridge, Centre: true, Lambda: lambda, Unit: Relative})
				cx, cy := centred(dense(n, d, x)), centred(dense(n, e, y))
				var k, dual, want mat.Dense
				k.Mul(cx, cx.T())
				penalty := lambda * mat.Trace(&k) / d
				for i := range n {
					k.Set(i, i, k.At(i, i)+penalty)
				}
				if err := dual.Solve(&k, cy); err != nil {
					t.Fatal(err)
				}
				want.Mul(cx.T(), &dual)
				// Conditions are below 10⁶ in both systems, and the sums are of float64.
				for i := range d {
					for j := range e {
						if got, want := m.W[i*e+j], want.At(i, j); math.Abs(got-want) > 1e-8*max(1, math.Abs(want)) {
							t.Errorf("%d rows, odd columns %t, λ=%g: W[%d,%d] = %g, want %g", n, odd, lambda, i, j, got, want)
						}
					}
				}
				if odd && (m.W[3*e] != 0 || m.W[4*e] != 0) {
					t.Errorf("%d rows, λ=%g: weights %g and %g of a constant and a dead column, want 0", n, lambda, m.W[3*e], m.W[4*e])
				}
			}
		}
	}
}

// TestFoldsOfFewRows cross-validates where the other folds have fewer rows than columns, fewer than the rank
// asked for, and where all rows are the same.
func TestFoldsOfFewRows(t *testing.T) {
	const d, e, k = 12, 8, 2
	x, y, _ := planted(10, d, e, 1, 95)
	folds, xs, ys := foldsOf(t, k, d, e, x, y) // five rows each
	spec := Spec{Method: Ridge, Centre: true, Unit: Relative}
	cv, err := CrossValidate(folds, []float64{0, .1}, spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(cv.Penalties) != 1 || !strings.Contains(strings.Join(cv.Warnings, ";"), "λ=0 left out") {
		t.Errorf("scores %v, warnings %q, want λ=0 left out", cv.Penalties, cv.Warnings)
	}
	if want := mean([]float64{bruteForce(xs, ys, d, e, 0, .1, true), bruteForce(xs, ys, d, e, 1, .1, true)}); math.Abs(cv.Penalties[0].R2-want) > 1e-9 {
		t.Errorf("R² %.12f, want %.12f", cv.Penalties[0].R2, want)
	}

	// Four centred directions cannot carry a map of rank 8: it is the ridge map, whose rank is four.
	low, err := CrossValidate(folds, []float64{.1}, Spec{Method: LowRank, Centre: true, Unit: Relative, Rank: 8})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := low.Penalties[0].R2, cv.Penalties[0].R2; math.Abs(got-want) > 1e-9 {
		t.Errorf("rank 8 of folds of rank 4: R² %.12f, want ridge's %.12f", got, want)
	}

	for i := range x {
		x[i] = x[i%d]
	}
	folds, _, _ = foldsOf(t, k, d, e, x, y)
	if _, err := CrossValidate(folds, []float64{1e-3, 1}, spec); !errors.Is(err, ErrIllConditioned) {
		t.Errorf("rows that are all the same: %v, want ErrIllConditioned", err)
	}
}
