package eigen

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// backRows is how many reflections are applied to the vectors at once: more make better products and more to be
// prepared for them.
func backRows(n int) int {
	if n <= 1024 {
		return 64
	}
	return 128
}

// back turns the rows of z [n×n], vectors of T, into those of A: z ← z·Qᵀ. Reflections s, s+1, … together
// are I − Vᵀ·F·V with V of their vectors as rows and F upper triangular (the compact WY form of Schreiber &
// Van Loan 1989; LAPACK dlarft and dlarfb), so that Qᵀ is a product of I − Vᵀ·Fᵀ·V from the last block to
// the first.
func (r *reduction) back(z []float64) {
	n := r.n
	if n < 3 {
		// For two rows there is no reflection: what is behind the first off-diagonal element is empty.
		return
	}
	block := backRows(n)
	v, fv, zv := make([]float64, block*n), make([]float64, block*n), make([]float64, n*block)
	f, gram := make([]float64, block*block), make([]float64, block*block)
	reflections := n - 2
	for s := (reflections - 1) / block * block; s >= 0; s -= block {
		rows, columns := min(block, reflections-s), n-s-1
		for i := range rows { // reflection s+i begins at column s+i+1
			row := v[i*columns:][:columns]
			clear(row[:i])
			copy(row[i:], r.a[(s+i)*n+s+i+1:][:columns-i])
		}
		V := blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: v}
		FV := blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: fv}
		Z := blas64.General{Rows: n, Cols: columns, Stride: n, Data: z[s+1:]}
		ZV := blas64.General{Rows: n, Cols: rows, Stride: rows, Data: zv}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, V, V, 0, square(gram, rows))
		factor(f, gram, r.tau[s:s+rows])
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, square(f, rows), V, 0, FV)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, Z, V, 0, ZV)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, -1, ZV, FV, 1, Z)
	}
}

func square(x []float64, n int) blas64.General {
	return blas64.General{Rows: n, Cols: n, Stride: n, Data: x}
}

// factor sets f [m×m] to F of the reflections whose vectors have the products gram [m×m]: column j is
// −τ_j·F·(V·v_j) above τ_j. Row by row, since rows are contiguous.
func factor(f, gram, tau []float64) {
	m := len(tau)
	clear(f)
	for i := range m {
		row := f[i*m:][:m]
		for k := i; k < m; k++ { // row[k] is the sum so far
			if k == i {
				row[k] = tau[k]
			} else {
				row[k] *= -tau[k]
			}
			addRowGeneric(gram[k*m+k+1:(k+1)*m], row[k+1:], row[k])
		}
	}
}
