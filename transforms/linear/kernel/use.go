package kernel

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	blasgonum "gonum.org/v1/gonum/blas/gonum"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Use gives gonum the routines of this package, for the whole process.
func Use() {
	blas64.Use(routines{})
	lapack64.Use(decompositions{})
}

// routines are gonum's BLAS but for those that are written out. These check less than gonum's: what is out of
// range panics as an index.
type routines struct{ blasgonum.Implementation }

type decompositions struct{ lapackgonum.Implementation }

func trans(t blas.Transpose) bool { return t != blas.NoTrans }

// Dgemm is C = alpha·op(A)·op(B) + beta·C.
func (routines) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	product(all, m, n, k, alpha, of(a, lda, trans(tA)), of(b, ldb, trans(tB)), beta, c, ldc)
}

// Dsyrk is C = alpha·A·Aᵀ + beta·C, or alpha·Aᵀ·A + beta·C, of one triangle of C.
func (routines) Dsyrk(uplo blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	wanted := upper
	if uplo == blas.Lower {
		wanted = lower
	}
	m := of(a, lda, trans(tA))
	product(wanted, n, n, k, alpha, m, m.transposed(), beta, c, ldc)
}

// Dtrsm solves op(A)·X = alpha·B or X·op(A) = alpha·B for X in the place of B [m×n].
func (routines) Dtrsm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	if m == 0 || n == 0 {
		return
	}
	if alpha != 1 {
		scale(all, m, n, alpha, b, ldb)
	}
	transposed := trans(tA)
	rhs, order, cols := of(b, ldb, false), m, n
	if side == blas.Right { // op(A)ᵀ·Xᵀ = Bᵀ
		transposed, rhs, order, cols = !transposed, rhs.transposed(), n, m
	}
	s := &triangle{t: of(a, lda, transposed), n: order, reverse: (uplo == blas.Upper) != transposed, unit: diag == blas.Unit}
	s.solve(rhs, cols)
}

// Dpotrf puts the factor of a symmetric positive definite matrix in the place of one of its triangles.
func (d decompositions) Dpotrf(uplo blas.Uplo, n int, a []float64, lda int) bool {
	if uplo != blas.Upper {
		return d.Implementation.Dpotrf(uplo, n, a, lda)
	}
	return cholesky(n, a, lda)
}
