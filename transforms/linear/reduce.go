package linear

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/persona-transfer/runpipeline/transforms/linear/eigen"
)

// reduce scores any number of penalties from one eigendecomposition S = Vᵀ·diag(s)·V. With B = VQ, Z = VRᵀ,
// T = ZZᵀ, F = ZY and u = 1/(s + λ), the error of target j is
//
//	Σ(y − ŷ)² = Σy² − 2·Σᵢ uᵢ·Bᵢⱼ·Fᵢⱼ + Σᵢₖ uᵢ·uₖ·Bᵢⱼ·Tᵢₖ·Bₖⱼ.
//
// The double sum would take a product of matrices for each penalty, but uᵢ·uₖ = (uᵢ − uₖ)/(sₖ − sᵢ), so with
// Mᵢₖ = Tᵢₖ/(sₖ − sᵢ) it is 2·Σᵢ uᵢ·Bᵢⱼ·(MB)ᵢⱼ: one product for all penalties. Eigenvalues that are too close for
// the division stay as they are, both at uᵢ².
func (f *fold) reduce(penalties []float64) ([][]float64, error) {
	m, e := f.order, f.e
	values, err := eigen.Symmetric(f.s, m)
	if err != nil {
		return nil, fmt.Errorf("eigenvalues of %d rows: %w", m, err)
	}
	v := general(m, m, f.s)
	b := times(v, general(m, e, f.q))
	t, cross, squares := f.rotate(v)
	out := make([][]float64, len(penalties))
	var at []int // penalties that can be solved for
	for i, lambda := range penalties {
		low, high := values[0]+lambda, values[m-1]+lambda
		if f.lacking {
			low = lambda
		}
		if low > 0 && high/low <= maxCond {
			at = append(at, i)
			out[i] = slices.Clone(squares)
		}
	}
	if len(at) == 0 {
		return out, nil
	}
	u := general(len(at), m, make([]float64, len(at)*m))
	least := math.Inf(1)
	for row, i := range at {
		least = min(least, penalties[i])
		for k, s := range values {
			u.Data[row*m+k] = 1 / (s + penalties[i])
		}
	}
	sums := general(len(at), e, make([]float64, len(at)*e))
	for from := 0; from < m; from += pairRows {
		addPairs(sums, u, from, min(pairRows, m-from), values, least, t, b, cross)
	}
	for row, i := range at {
		for j, s := range sums.Data[row*e : (row+1)*e] {
			out[i][j] = max(0, out[i][j]+s)
		}
	}
	return out, nil
}

// rotate returns T, F and Σy² per target dimension.
func (f *fold) rotate(v blas64.General) (t, cross blas64.General, squares []float64) {
	m, e := f.order, f.e
	if f.held != nil {
		mirror(f.held.xx, m)
		half := times(v, general(m, m, f.held.xx))
		t = general(m, m, f.held.xx)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, half, v, 0, t)
		return t, times(v, general(m, e, f.held.xy)), f.held.yy
	}
	z := times(v, general(m, f.h, f.rt))
	t = general(m, m, make([]float64, m*m))
	blas64.Syrk(blas.NoTrans, 1, z, 0, upperOf(m, t.Data))
	mirror(t.Data, m)
	squares = make([]float64, e)
	addSquares(squares, f.y)
	return t, times(z, general(f.h, e, f.y)), squares
}

// times is a product of two matrices.
func times(a, b blas64.General) blas64.General {
	c := general(a.Rows, b.Cols, make([]float64, a.Rows*b.Cols))
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, a, b, 0, c)
	return c
}

const (
	// pairRows is for how many eigenvalues the pairs are formed at a time.
	pairRows = 256

	// closePair is the difference of two eigenvalues, as a share of s + λ, below which they count as close. Taking
	// both at the same u errs by a quarter of its square, 3·10⁻¹¹; above it the division costs no more than
	// 2⁻⁵²/10⁻⁵ = 2·10⁻¹¹.
	closePair = 1e-5
)

// addPairs adds, for the eigenvalues from, from+1, … and each penalty, whose u are a row,
//
//	Σᵢ uᵢ·2·Bᵢⱼ·((MB)ᵢⱼ − Fᵢⱼ) + uᵢ²·Bᵢⱼ·(NB)ᵢⱼ,
//
// N being T where eigenvalues are close and 0 elsewhere, where M is what it is.
func addPairs(sums, u blas64.General, from, rows int, values []float64, least float64, t, b, cross blas64.General) {
	m, e := b.Rows, b.Cols
	apart, near := general(rows, m, make([]float64, rows*m)), general(rows, m, make([]float64, rows*m))
	pairs := false
	for i := range rows {
		s := values[from+i]
		for k, other := range values {
			x := t.Data[(from+i)*m+k]
			if gap := other - s; math.Abs(gap) > closePair*(max(s, other)+least) {
				apart.Data[i*m+k] = x / gap
			} else {
				near.Data[i*m+k] = x
				pairs = pairs || k != from+i
			}
		}
	}
	mb := times(apart, b)
	var nb blas64.General
	if pairs {
		nb = times(near, b)
	} else {
		nb = general(rows, e, make([]float64, rows*e))
		for i := range rows {
			own := near.Data[i*m+from+i]
			for j, x := range b.Data[(from+i)*e : (from+i+1)*e] {
				nb.Data[i*e+j] = own * x
			}
		}
	}
	for i := range rows {
		at := (from + i) * e
		for j, x := range b.Data[at : at+e] {
			mb.Data[i*e+j] = 2 * x * (mb.Data[i*e+j] - cross.Data[at+j])
			nb.Data[i*e+j] *= x
		}
	}
	first := general(u.Rows, rows, make([]float64, u.Rows*rows))
	second := general(u.Rows, rows, make([]float64, u.Rows*rows))
	for p := range u.Rows {
		for i, x := range u.Data[p*m+from : p*m+from+rows] {
			first.Data[p*rows+i], second.Data[p*rows+i] = x, x*x
		}
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, first, mb, 1, sums)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, second, nb, 1, sums)
}
