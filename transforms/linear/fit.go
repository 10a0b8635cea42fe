package linear

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// ErrIllConditioned reports that a Gram matrix is too close to singular to solve. The remedy is a
// larger penalty or more samples.
var ErrIllConditioned = errors.New("Gram matrix is ill-conditioned")

// maxCond keeps about four significant digits: solving loses log₁₀(cond) of the sixteen that a
// float64 holds.
const maxCond = 1e12

// A Method is a way to fit a map.
type Method string

const (
	// Ridge minimises ‖XW − Y‖² + λ‖W‖²; W = (XᵀX + λI)⁻¹XᵀY. Hoerl & Kennard (1970).
	Ridge Method = "ridge"
	// OLS is ridge without a penalty. It needs more rows than dimensions.
	OLS Method = "ols"
	// Procrustes is the best rotation with one scale: W = c·UVᵀ for XᵀY = UΣVᵀ, which maximises
	// tr(WᵀXᵀY) among matrices with orthonormal rows (d ≤ e) or columns (d > e); c then is the
	// least-squares scale. Schönemann (1966).
	Procrustes Method = "procrustes"
	// LowRank is the ridge map cut to its Rank largest singular values (Eckart & Young 1936).
	LowRank Method = "low_rank"
	// Standardised is ridge on source columns of unit variance (second moment, if not centred),
	// written back in the original units, so that a few large dimensions do not escape the penalty.
	Standardised Method = "standardised"
)

// Methods lists the methods in the order of their documentation.
var Methods = []Method{Ridge, OLS, Procrustes, LowRank, Standardised}

// A Spec says how to fit a map.
type Spec struct {
	Method Method     `json:"method"`
	Centre bool       `json:"centre"` // subtract the means of both sides first
	Lambda float64    `json:"lambda"` // penalty; ignored by ols and procrustes
	Unit   LambdaUnit `json:"unit"`
	Rank   int        `json:"rank,omitempty"` // of low_rank
}

// Validate returns everything that is wrong with s, or nil.
func (s Spec) Validate() error {
	var errs []error
	if !slices.Contains(Methods, s.Method) {
		errs = append(errs, fmt.Errorf("method %q, want one of %s", s.Method, names(Methods)))
	}
	if s.Method == LowRank && s.Rank < 1 {
		errs = append(errs, fmt.Errorf("rank %d, want at least 1", s.Rank))
	}
	if s.penalised() {
		if _, err := s.Unit.absolute(s.Lambda, &moments{xx: mat.NewSymDense(1, nil)}); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// penalised reports whether the method uses Lambda.
func (s Spec) penalised() bool { return s.Method != OLS && s.Method != Procrustes }

func names(methods []Method) string {
	var b strings.Builder
	for i, m := range methods {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(m))
	}
	return b.String()
}

// Fit returns the map that spec describes for the rows that g sums up. To fit on differences
// instead of activations, sum up differences and leave Centre false. The error wraps
// [ErrIllConditioned] if the matrix to be solved has a condition number above 10¹². Fit does not
// modify g.
func Fit(g *Gram, spec Spec) (*Map, error) {
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	if g.N < 1 || spec.Centre && g.N < 2 {
		return nil, fmt.Errorf("fit %s: %d samples: %w", spec.Method, g.N, ErrIllConditioned)
	}
	mo := g.centre(spec.Centre)
	m := &Map{Rows: g.D, Cols: g.E, MeanX: mo.px, MeanY: mo.py, Spec: spec, N: g.N}
	var err error
	switch spec.Method {
	case Ridge, OLS:
		err = m.solve(mo)
	case LowRank:
		if err = m.solve(mo); err == nil {
			err = m.truncate(spec.Rank)
		}
	case Standardised:
		err = m.solveStandardised(mo)
	case Procrustes:
		err = m.rotate(mo)
	}
	if err != nil {
		return nil, fmt.Errorf("fit %s, λ=%g, %d samples in %d dimensions: %w", spec.Method, spec.Lambda, g.N, g.D, err)
	}
	return m, nil
}

// solve sets W to the solution of (xx + λI)·W = xy, with its condition and degrees of freedom
//
//	Σ s/(s+λ) = d − λ·tr((xx + λI)⁻¹) = d − λ·‖L⁻¹‖²_F, where LLᵀ = xx + λI.
func (m *Map) solve(mo *moments) error {
	if m.Spec.penalised() {
		var err error
		if m.Lambda, err = m.Spec.Unit.absolute(m.Spec.Lambda, mo); err != nil {
			return err
		}
	}
	a := mat.NewSymDense(m.Rows, nil)
	a.CopySym(mo.xx)
	for i := range m.Rows {
		a.SetSym(i, i, a.At(i, i)+m.Lambda)
	}
	var chol mat.Cholesky
	if !chol.Factorize(a) {
		return ErrIllConditioned
	}
	if m.Condition = chol.Cond(); !(m.Condition <= maxCond) {
		return fmt.Errorf("condition %.1e: %w", m.Condition, ErrIllConditioned)
	}
	var w mat.Dense
	if err := chol.SolveTo(&w, mo.xy); err != nil {
		return err
	}
	m.W = slices.Clone(w.RawMatrix().Data)
	m.DegreesOfFreedom = float64(m.Rows)
	if m.Lambda > 0 {
		var lower, inverse mat.TriDense
		chol.LTo(&lower)
		if err := inverse.InverseTri(&lower); err != nil {
			return err
		}
		f := mat.Norm(&inverse, 2)
		m.DegreesOfFreedom -= m.Lambda * f * f
	}
	return nil
}

// solveStandardised solves in units of each source column's standard deviation. Columns that do
// not vary keep their unit, as in scikit-learn's StandardScaler.
func (m *Map) solveStandardised(mo *moments) error {
	scale := make([]float64, m.Rows)
	for i := range scale {
		scale[i] = math.Sqrt(mo.xx.At(i, i) / float64(mo.n))
		if !(scale[i] > 0) {
			scale[i] = 1
		}
	}
	scaled := &moments{n: mo.n, xx: mat.NewSymDense(m.Rows, nil), xy: mat.DenseCopyOf(mo.xy)}
	for i := range m.Rows {
		for j := i; j < m.Rows; j++ {
			scaled.xx.SetSym(i, j, mo.xx.At(i, j)/scale[i]/scale[j])
		}
		row := scaled.xy.RawRowView(i)
		for j := range row {
			row[j] /= scale[i]
		}
	}
	if err := m.solve(scaled); err != nil {
		return err
	}
	for i, s := range scale {
		for j := range m.Cols {
			m.W[i*m.Cols+j] /= s
		}
	}
	return nil
}

// truncate keeps the rank largest singular values of W. A rank at or above min(d, e) keeps all.
func (m *Map) truncate(rank int) error {
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(m.Rows, m.Cols, m.W), mat.SVDThin) {
		return errors.New("singular value decomposition does not converge")
	}
	values := svd.Values(nil)
	if rank >= len(values) {
		return nil
	}
	var u, v, w mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	left := mat.DenseCopyOf(u.Slice(0, m.Rows, 0, rank))
	for i := range m.Rows {
		row := left.RawRowView(i)
		for j := range row {
			row[j] *= values[j]
		}
	}
	w.Mul(left, v.Slice(0, m.Cols, 0, rank).T())
	m.W = slices.Clone(w.RawMatrix().Data)
	return nil
}

// rotate sets W to the scaled orthogonal map.
func (m *Map) rotate(mo *moments) error {
	var svd mat.SVD
	if !svd.Factorize(mo.xy, mat.SVDThin) {
		return errors.New("singular value decomposition does not converge")
	}
	var u, v, q, sq mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	q.Mul(&u, v.T())
	sq.Mul(mo.xx, &q)
	var inner, size float64
	for _, s := range svd.Values(nil) {
		inner += s
	}
	for i := range m.Rows {
		a, b := q.RawRowView(i), sq.RawRowView(i)
		for j := range a {
			size += a[j] * b[j]
		}
	}
	if !(inner > 0 && size > 0) {
		return fmt.Errorf("source and target do not vary together: %w", ErrIllConditioned)
	}
	q.Scale(inner/size, &q)
	m.W = slices.Clone(q.RawMatrix().Data)
	return nil
}
