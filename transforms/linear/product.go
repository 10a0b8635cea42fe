package linear

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/persona-transfer/runpipeline/transforms/linear/kernel"
)

func init() { kernel.Use() }

// general is a row-major matrix without gaps, as BLAS takes it.
func general(rows, cols int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}

// upperOf is a symmetric matrix of which the upper triangle counts.
func upperOf(n int, data []float64) blas64.Symmetric {
	return blas64.Symmetric{Uplo: blas.Upper, N: n, Stride: n, Data: data}
}

// addTransposed adds aᵀb to c, with a [n×d], b [n×e] and c [d×e].
func addTransposed(c, a, b []float64, n, d, e int) {
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, general(n, d, a), general(n, e, b), 1, general(d, e, c))
}

// addSquare adds the upper triangle of aᵀa to that of c, with a [n×d] and c [d×d].
func addSquare(c, a []float64, n, d int) {
	blas64.Syrk(blas.Trans, 1, general(n, d, a), 1, upperOf(d, c))
}
