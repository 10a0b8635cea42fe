package linear

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
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

// settle makes zeros of squares about the mean that are no more than rounding: the dimension does not vary; and then
// of its errors that are no more.
func settle(sst, rounding []float64, sse ...[]float64) {
	for j, r := range rounding {
		if sst[j] > r {
			continue
		}
		sst[j] = 0
		for _, errs := range sse {
			if errs != nil && errs[j] <= r {
				errs[j] = 0
			}
		}
	}
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
	sse, sst := m.squaredErrors(g.clone()), g.total()
	settle(sst, g.targetRounding(), sse)
	return goodnessOf(sse, sst, g.N), nil
}

// squaredErrors returns Σ(y − Predict(x))² per target dimension over the rows that g sums up,
//
//	yy − 2·w·xy + w·xx·w
//
// from the moments about the map's means. It destroys g.
func (m *Map) squaredErrors(g *Gram) []float64 {
	t := g.shift(m.MeanX, m.MeanY, nil)
	mirror(t.xx, t.d)
	tw := make([]float64, len(m.W))
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, general(t.d, t.d, t.xx), general(t.d, t.e, m.W), 0, general(t.d, t.e, tw))
	sse := slices.Clone(t.yy)
	for i := range t.d {
		w, a, b := m.W[i*t.e:(i+1)*t.e], tw[i*t.e:(i+1)*t.e], t.xy[i*t.e:(i+1)*t.e]
		for j := range sse {
			sse[j] += w[j] * (a[j] - 2*b[j])
		}
	}
	for j := range sse {
		sse[j] = max(0, sse[j])
	}
	return sse
}

// A tally collects the folds' results at one penalty.
type tally struct {
	singular           bool
	absolute           []float64
	r2, standard, half []float64
	sse, sst           float64
	dims               int
}

// add takes the result of a round at penalty i.
func (t *tally) add(r *round, i int) {
	sse, sst := r.sse[i], r.sst
	if sse == nil {
		t.singular = true
		return
	}
	t.absolute = append(t.absolute, r.absolute[i])
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
		Lambda: lambda, Absolute: mean(t.absolute),
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
