package linear

import (
	"math"
	"testing"
)

// TestTheBestPenaltyIsFitted: the map has the penalty of the highest R², not the one-standard-error choice that is
// reported beside it; and is that of all rows. So have the maps of the curve, of which the last is that of all folds
// but the first.
func TestTheBestPenaltyIsFitted(t *testing.T) {
	const n, d, e, folds = 60, 6, 3, 5
	x, y, _ := planted(n, d, e, 12, 91)
	fold := make([]int, n)
	for i := range fold {
		fold[i] = i % folds
	}
	table, err := NewTable(d, e, x, y, fold)
	if err != nil {
		t.Fatal(err)
	}
	s, err := FitBest(table, []float64{1e-3, .02, .03, 10}, centredRidge)
	if err != nil {
		t.Fatal(err)
	}
	if s.CV.Best == s.CV.OneStandardError || s.CV.AtEdge {
		t.Fatalf("the choices are λ=%g and %g, at edge %t: the data show nothing", s.CV.Best, s.CV.OneStandardError, s.CV.AtEdge)
	}
	if s.Map.Spec.Lambda != s.CV.Best || s.Map.N != n {
		t.Errorf("the map of %d rows has λ=%g, the best for %d is %g", s.Map.N, s.Map.Spec.Lambda, n, s.CV.Best)
	}
	last, spec := s.Curve[len(s.Curve)-1], centredRidge
	spec.Lambda = s.CV.Best
	sse, sst := byDefinition(t, table, spec, 0)
	if want := goodnessOf(sse, sst, n/folds); last.N != n-n/folds || math.Abs(last.Held.R2-want.R2) > 1e-10 {
		t.Errorf("the curve ends with an R² of %.12f of %d rows, want %.12f of %d", last.Held.R2, last.N, want.R2, n-n/folds)
	}
}
