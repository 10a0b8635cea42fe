package linear

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/persona-transfer/runpipeline/transforms/linear/eigen"
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
		if _, err := s.Unit.absolute(s.Lambda, 1); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// penalised reports whether the method uses Lambda.
func (s Spec) penalised() bool { return s.Method != OLS && s.Method != Procrustes }

// linear reports whether the map is linear in the targets.
func (s Spec) linear() bool { return s.Method != LowRank && s.Method != Procrustes }

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
	return FitInPlace(g.clone(), spec)
}

// FitInPlace is [Fit] without a second Gram: g is of no use after it.
func FitInPlace(g *Gram, spec Spec) (*Map, error) {
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	if g.N < 1 || spec.Centre && g.N < 2 {
		return nil, fmt.Errorf("fit %s: %d samples: %w", spec.Method, g.N, ErrIllConditioned)
	}
	return fitMoments(g.moments(spec.Centre), spec)
}

// fitMoments is [Fit] from moments, which it destroys.
func fitMoments(mo *moments, spec Spec) (*Map, error) {
	m := &Map{Rows: mo.d, Cols: mo.e, MeanX: mo.px, MeanY: mo.py, Spec: spec, N: mo.n}
	var err error
	switch spec.Method {
	case Ridge, OLS:
		err = m.solve(mo)
	case LowRank:
		if err = m.solve(mo); err == nil {
			err = m.truncate(spec.Rank)
		}
	case Standardised:
		scale := mo.standardise()
		if err = m.solve(mo); err == nil {
			m.unscale(scale)
		}
	case Procrustes:
		err = m.rotate(mo)
	}
	if err != nil {
		return nil, fmt.Errorf("fit %s, λ=%g, %d samples in %d dimensions: %w", spec.Method, spec.Lambda, mo.n, mo.d, err)
	}
	return m, nil
}

// solve sets W to the solution of (xx + λI)·W = xy, with its condition and degrees of freedom
//
//	Σ s/(s+λ) = d − λ·tr((xx + λI)⁻¹).
//
// It takes the place of the moments.
func (m *Map) solve(mo *moments) error {
	if m.Spec.penalised() {
		var err error
		if m.Lambda, err = m.Spec.Unit.absolute(m.Spec.Lambda, mo.trace()/float64(mo.d)); err != nil {
			return err
		}
	}
	size := norm(mo.xx, mo.d)
	f, ok := factorise(mo.xx, mo.d, m.Lambda)
	if !ok {
		return ErrIllConditioned
	}
	if m.Condition = f.condition(size); !(m.Condition <= maxCond) {
		return fmt.Errorf("condition %.1e: %w", m.Condition, ErrIllConditioned)
	}
	m.W = mo.xy
	f.solve(m.W, m.Cols)
	m.DegreesOfFreedom = float64(m.Rows)
	if m.Lambda > 0 {
		m.DegreesOfFreedom -= m.Lambda * f.traceOfInverse()
	}
	return nil
}

// unscale makes of a map of scaled columns one of the columns themselves.
func (m *Map) unscale(scale []float64) {
	for i, s := range scale {
		row := m.W[i*m.Cols : (i+1)*m.Cols]
		for j := range row {
			row[j] /= s
		}
	}
}

// truncate keeps the rank largest singular values of W = UΣVᵀ: what is left is U₁U₁ᵀ·W, of the first columns of
// U, or W·V₁V₁ᵀ. A rank at or above min(d, e) keeps all. The vectors are those of WWᵀ or WᵀW, whichever is
// smaller, and as good as their squared singular values lie apart.
func (m *Map) truncate(rank int) error {
	square, n := m.square()
	if rank >= n {
		return nil
	}
	if _, err := eigen.Symmetric(square, n); err != nil {
		return fmt.Errorf("singular vectors: %w", err)
	}
	kept, w := general(rank, n, square[(n-rank)*n:]), general(m.Rows, m.Cols, m.W)
	if n == m.Rows {
		part := times(kept, w)
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, kept, part, 0, w)
		return nil
	}
	part := general(m.Rows, rank, make([]float64, m.Rows*rank))
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, w, kept, 0, part)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, part, kept, 0, w)
	return nil
}

// square is the upper triangle of WWᵀ or WᵀW, whichever is smaller.
func (m *Map) square() (a []float64, n int) {
	w := general(m.Rows, m.Cols, m.W)
	how, n := blas.NoTrans, m.Rows
	if m.Cols < m.Rows {
		how, n = blas.Trans, m.Cols
	}
	a = make([]float64, n*n)
	blas64.Syrk(how, 1, w, 0, upperOf(n, a))
	return a, n
}

// rotate sets W to the scaled orthogonal map.
func (m *Map) rotate(mo *moments) error {
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(mo.d, mo.e, mo.xy), mat.SVDThin) {
		return errors.New("singular value decomposition does not converge")
	}
	var u, v, q, sq mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	q.Mul(&u, v.T())
	sq.Mul(mat.NewSymDense(mo.d, mo.xx), &q)
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
