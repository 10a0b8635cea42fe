package linear

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// Every method is scored by itself: fitted on the rows of the other folds, one prediction for each
// held-out row. Refitting uses the same solver on the same sums, so only the errors' sums differ:
// about 10⁻¹² relative.
func TestEveryMethodIsCrossValidatedByItself(t *testing.T) {
	const n, d, e, k = 240, 7, 5, 4
	x, y, _ := planted(n, d, e, 4, 43)
	for i := range x { // columns of different sizes, so that standardising matters
		x[i] *= float32(1 + 4*(i%d))
	}
	folds, xs, ys := foldsOf(t, k, d, e, x, y)
	for _, method := range Methods {
		spec := Spec{Method: method, Centre: true, Unit: Relative}
		if method == LowRank {
			spec.Rank = 2
		}
		cv, err := CrossValidate(folds, []float64{1e-3, 1}, spec)
		if err != nil {
			t.Fatal(err)
		}
		want := []float64{1e-3, 1}
		if !spec.penalised() {
			want = []float64{0}
		}
		if len(cv.Penalties) != len(want) {
			t.Fatalf("%s: %d scores, want penalties %v", method, len(cv.Penalties), want)
		}
		for i, lambda := range want {
			spec.Lambda = lambda
			var r2 []float64
			for f := range k {
				m := fit(t, gramOf(t, d, e, slices.Concat(slices.Concat(xs[:f], xs[f+1:])...), slices.Concat(slices.Concat(ys[:f], ys[f+1:])...)), spec)
				r2 = append(r2, heldOut(m, xs[f], ys[f]))
			}
			if got := cv.Penalties[i]; got.Lambda != lambda || math.Abs(got.R2-mean(r2)) > 1e-9 {
				t.Errorf("%s, λ=%g: R² %.12f at λ=%g, want %.12f", method, lambda, got.R2, got.Lambda, mean(r2))
			}
		}
	}
}

// heldOut is 1 − ΣSSE/ΣSST of a map's predictions, row by row.
func heldOut(m *Map, x, y []float32) float64 {
	n := len(x) / m.Rows
	centre := make([]float64, m.Cols)
	for i, v := range y {
		centre[i%m.Cols] += float64(v) / float64(n)
	}
	var sse, sst float64
	for r := range n {
		for j := range m.Cols {
			p := m.MeanY[j]
			for i := range m.Rows {
				p += (float64(x[r*m.Rows+i]) - m.MeanX[i]) * m.W[i*m.Cols+j]
			}
			v := float64(y[r*m.Cols+j])
			sse += (v - p) * (v - p)
			sst += (v - centre[j]) * (v - centre[j])
		}
	}
	return 1 - sse/sst
}

// With fewer rows than dimensions ordinary least squares has no answer, whatever the penalties say.
func TestCrossValidationOfLeastSquaresNeedsRows(t *testing.T) {
	x, y, _ := planted(10, 6, 4, 1, 45)
	folds, _, _ := foldsOf(t, 2, 6, 4, x, y)
	if _, err := CrossValidate(folds, []float64{1}, Spec{Method: OLS, Centre: true}); !errors.Is(err, ErrIllConditioned) {
		t.Errorf("five rows in six dimensions: %v, want ErrIllConditioned", err)
	}
	if _, err := CrossValidate(folds, []float64{1}, Spec{Method: LowRank, Unit: Relative}); err == nil || errors.Is(err, ErrIllConditioned) {
		t.Errorf("low_rank of rank 0: %v, want the specification refused", err)
	}
}
