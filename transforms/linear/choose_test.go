package linear

import (
	"slices"
	"strings"
	"testing"
)

// TestChoiceOfLambda works out both choices and what is said about them: R² by penalty, with the standard
// error of the best.
func TestChoiceOfLambda(t *testing.T) {
	for _, c := range []struct {
		name         string
		r2           []float64 // at λ = 1, 2, 3, …
		se           float64
		best, simple float64
		edge         bool
		warnings     []string
	}{
		{"a peak", []float64{.5, .8, .7, .6}, .05, 2, 2, false, nil},
		{"within one standard error", []float64{.5, .8, .7, .6}, .11, 2, 3, false, nil},
		{"within one, beyond a dip", []float64{.5, .8, .6, .75}, .1, 2, 4, false, nil},
		{"never a smaller one", []float64{.79, .8, .1}, .1, 2, 2, false, nil},
		{"equal ones", []float64{.5, .8, .8, .1}, 0, 2, 3, false, nil},
		{"first", []float64{.9, .8, .7}, .01, 1, 1, true, []string{"best λ=1 is the smallest of the grid: a smaller one may be better"}},
		{"last", []float64{.7, .8, .9}, .01, 3, 3, true, []string{"best λ=3 is the largest of the grid: a larger one may be better"}},
		{"only one", []float64{.9}, .01, 1, 1, false, nil},
		{"no better than the mean", []float64{-.2, -.1, -.3}, .01, 2, 2, false, []string{"best λ=2 predicts held-out rows no better than their mean (R² -0.100)"}},
		{"as good as the mean", []float64{-.2, 0, -.3}, .01, 2, 2, false, []string{"best λ=2 predicts held-out rows no better than their mean (R² 0.000)"}},
	} {
		cv := &CV{}
		for i, r2 := range c.r2 {
			cv.Penalties = append(cv.Penalties, PenaltyFit{Lambda: float64(i + 1), R2: r2, StandardError: c.se})
		}
		cv.choose()
		if cv.Best != c.best || cv.OneStandardError != c.simple || cv.AtEdge != c.edge || !slices.Equal(cv.Warnings, c.warnings) {
			t.Errorf("%s: best %g, one standard error %g, edge %t, %q; want %g, %g, %t, %q", c.name,
				cv.Best, cv.OneStandardError, cv.AtEdge, cv.Warnings, c.best, c.simple, c.edge, c.warnings)
		}
	}
}

// TestPenaltiesAreScoredInOrderAndOnce sorts the grid: the choices go by its order.
func TestPenaltiesAreScoredInOrderAndOnce(t *testing.T) {
	x, y, _ := planted(60, 3, 2, 1, 81)
	folds, _, _ := foldsOf(t, 3, 3, 2, x, y)
	cv, err := CrossValidate(folds, []float64{10, .1, 1, .1}, ridgeOf(true))
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, s := range cv.Penalties {
		got = append(got, s.Lambda)
	}
	if !slices.Equal(got, []float64{.1, 1, 10}) || cv.N != 60 || cv.Folds != 3 {
		t.Errorf("penalties %v of %d rows in %d folds, want .1, 1, 10 of 60 in 3", got, cv.N, cv.Folds)
	}
}

// TestUnpredictableRowsAreReported fits targets that have nothing to do with their sources.
func TestUnpredictableRowsAreReported(t *testing.T) {
	x, y := normals(60*5, 83), normals(60*2, 85)
	folds, _, _ := foldsOf(t, 4, 5, 2, x, y)
	cv, err := CrossValidate(folds, []float64{1e-3, 1e-2}, ridgeOf(true))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(cv.Warnings, ";"), "no better than their mean") {
		t.Errorf("R² %.3f and %.3f: warnings %q", cv.Penalties[0].R2, cv.Penalties[1].R2, cv.Warnings)
	}
}
