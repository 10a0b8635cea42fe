package linear

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// A factor is the Cholesky decomposition UᵀU of S + λI.
type factor struct {
	u      blas64.Triangular
	lambda float64
}

// factorise decomposes s + λI in the place of the upper triangle of s [n×n]. It reports whether that is positive
// definite.
func factorise(s []float64, n int, lambda float64) (f *factor, ok bool) {
	for i := range n {
		s[i*n+i] += lambda
	}
	f = &factor{lambda: lambda}
	f.u, ok = lapack64.Potrf(upperOf(n, s))
	return f, ok
}

// norm is ‖S‖₁ of a symmetric matrix, which is an upper bound of its eigenvalues.
func norm(s []float64, n int) float64 {
	return lapack64.Lansy(lapack.MaxColumnSum, upperOf(n, s), make([]float64, n))
}

// condition estimates the condition number of S + λI in the 1-norm, of which that of S is given (Higham 1988, as
// LAPACK's DPOCON).
func (f *factor) condition(norm float64) float64 {
	n := f.u.N
	return 1 / lapack64.Pocon(upperOf(n, f.u.Data), norm+f.lambda, make([]float64, 3*n), make([]int, n))
}

// solve puts (S + λI)⁻¹·b in the place of b [n×cols].
func (f *factor) solve(b []float64, cols int) {
	x := general(f.u.N, cols, b)
	blas64.Trsm(blas.Left, blas.Trans, 1, f.u, x)
	blas64.Trsm(blas.Left, blas.NoTrans, 1, f.u, x)
}

// traceOfInverse is tr((S + λI)⁻¹) = ‖U⁻¹‖²_F. It destroys the factor.
func (f *factor) traceOfInverse() float64 {
	n, u := f.u.N, f.u.Data
	invert(f.u)
	sum := 0.0
	for i := range n {
		for _, v := range u[i*n+i : (i+1)*n] {
			sum += v * v
		}
	}
	return sum
}

// invert puts the inverse of an upper triangle in its place: of its halves, and of what connects them,
//
//	U₁₂ ← −U₁₁⁻¹·U₁₂·U₂₂⁻¹.
func invert(u blas64.Triangular) {
	const small = 48
	if u.N <= small {
		lapack64.Trtri(u) // its diagonal is that of a decomposition, so not zero
		return
	}
	h := u.N / 2
	first, second := u, u
	first.N, second.N, second.Data = h, u.N-h, u.Data[h*u.Stride+h:]
	between := blas64.General{Rows: h, Cols: u.N - h, Stride: u.Stride, Data: u.Data[h:]}
	blas64.Trsm(blas.Left, blas.NoTrans, -1, first, between)
	blas64.Trsm(blas.Right, blas.NoTrans, 1, second, between)
	invert(first)
	invert(second)
}
