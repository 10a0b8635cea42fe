package linear

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// A Goodness is how well a map predicts rows, most usefully rows that it was not fitted on. All R²
// compare with the mean of those rows. A dimension that does not vary counts as 1 if it is
// predicted exactly and 0 otherwise, as in scikit-learn.
type Goodness struct {
	N                int     `json:"n"`
	R2               float64 `json:"r2"`              // 1 − ΣSSE/ΣSST over dimensions
	R2Standardised   float64 `json:"r2_standardised"` // mean over dimensions of 1 − SSE/SST
	R2Median         float64 `json:"r2_median"`       // median over dimensions of 1 − SSE/SST
	MeanSquaredError float64 `json:"mean_squared_error"`
}

// goodnessOf summarises squared errors and total squares per dimension of n rows.
func goodnessOf(sse, sst []float64, n int) Goodness {
	each := make([]float64, len(sse))
	var errs, total float64
	for j := range sse {
		errs += sse[j]
		total += sst[j]
		each[j] = ratio(sse[j], sst[j])
	}
	s := Goodness{N: n, R2: ratio(errs, total), R2Standardised: mean(each)}
	slices.Sort(each)
	s.R2Median = (each[(len(each)-1)/2] + each[len(each)/2]) / 2
	s.MeanSquaredError = errs / float64(n) / float64(len(sse))
	return s
}

// ratio returns 1 − sse/sst with scikit-learn's values where sst is 0.
func ratio(sse, sst float64) float64 {
	switch {
	case sst > 0:
		return 1 - sse/sst
	case sse > 0:
		return 0
	}
	return 1
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// Goodness returns how well [Map.Predict] does on the rows that g sums up.
func (m *Map) Goodness(g *Gram) (Goodness, error) {
	if g.D != m.Rows || g.E != m.Cols {
		return Goodness{}, fmt.Errorf("goodness of fit: map of %d×%d on a Gram of %d×%d", m.Rows, m.Cols, g.D, g.E)
	}
	if g.N == 0 {
		return Goodness{}, fmt.Errorf("goodness of fit: no rows")
	}
	return goodnessOf(m.squaredErrors(g), g.centre(true).yy, g.N), nil
}

// squaredErrors returns Σ(y − Predict(x))² per target dimension over the rows that g sums up.
func (m *Map) squaredErrors(g *Gram) []float64 {
	t := g.about(m.MeanX, m.MeanY)
	return squaredErrors(mat.NewDense(m.Rows, m.Cols, m.W), t.xx, t.xy, t.yy)
}

// A CurvePoint is how well a map that was fitted on the first N rows predicts held-out ones.
type CurvePoint struct {
	N    int      `json:"n"`
	Held Goodness `json:"held"`
}

// LearningCurve fits spec on growing sums of train, in order, and scores on held after 1, 2, 4, …
// parts and after the last. Only the sum is in memory. Sums that are too small to be solved are left
// out, so a curve may be empty.
func LearningCurve(train iter.Seq2[*Gram, error], held *Gram, spec Spec) ([]CurvePoint, error) {
	total, parts := NewGram(held.D, held.E), 0
	var curve []CurvePoint
	point := func() error {
		m, err := Fit(total, spec)
		if errors.Is(err, ErrIllConditioned) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("learning curve, %d rows: %w", total.N, err)
		}
		s, err := m.Goodness(held)
		curve = append(curve, CurvePoint{N: total.N, Held: s})
		return err
	}
	for g, err := range train {
		if err == nil {
			err = total.Merge(g)
		}
		if err != nil {
			return nil, fmt.Errorf("learning curve, part %d: %w", parts, err)
		}
		if parts++; parts&(parts-1) == 0 {
			if err := point(); err != nil {
				return nil, err
			}
		}
	}
	if parts&(parts-1) != 0 {
		if err := point(); err != nil {
			return nil, err
		}
	}
	return curve, nil
}

// A tally collects the folds' results at one penalty.
type tally struct {
	singular           bool
	absolute, dof      []float64
	r2, standard, half []float64
	sse, sst           float64
	dims               int
}

func (t *tally) add(sse, sst []float64) {
	s := goodnessOf(sse, sst, 1)
	t.r2 = append(t.r2, s.R2)
	t.standard = append(t.standard, s.R2Standardised)
	t.half = append(t.half, s.R2Median)
	t.dims = len(sse)
	for j := range sse {
		t.sse += sse[j]
		t.sst += sst[j]
	}
}

func (t *tally) result(lambda float64, n int) PenaltyFit {
	s := PenaltyFit{
		Lambda: lambda, Absolute: mean(t.absolute), DegreesOfFreedom: mean(t.dof),
		R2: mean(t.r2), R2Standardised: mean(t.standard), R2Median: mean(t.half),
		R2Pooled: ratio(t.sse, t.sst), MeanSquaredError: t.sse / float64(n) / float64(t.dims),
	}
	squares := 0.0
	for _, r := range t.r2 {
		squares += (r - s.R2) * (r - s.R2)
	}
	k := float64(len(t.r2))
	s.StandardError = math.Sqrt(squares / (k - 1) / k)
	return s
}
