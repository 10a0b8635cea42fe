package linear

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// addTransposed adds AᵀB to C, with A [n×d], B [n×e] and C [d×e], all row-major and dense. It is
// the one product in this package whose cost grows with the number of samples, 2·n·d·e
// operations, and so the place to put a faster one.
func addTransposed(c, a, b []float64, n, d, e int) {
	blas64.Gemm(blas.Trans, blas.NoTrans, 1,
		blas64.General{Rows: n, Cols: d, Stride: d, Data: a},
		blas64.General{Rows: n, Cols: e, Stride: e, Data: b}, 1,
		blas64.General{Rows: d, Cols: e, Stride: e, Data: c})
}
