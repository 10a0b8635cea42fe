package eigen

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// panelRows is how many rows are reduced before the rest of the matrix learns of it: the longer a panel, the
// better its products, and the more of it every row is corrected by.
const panelRows = 32

// A reduction turns a symmetric matrix A [n×n] into a tridiagonal one, T = QᵀAQ, by n−2 reflections
// H_i = I − τ_i·v_i·v_iᵀ, Q = H_0·H_1·… (Golub & Van Loan, "Matrix Computations", 8.3; LAPACK dsytrd and
// dlatrd). Reflection i makes zeros of row i behind its first off-diagonal element; v_i, which has a one
// there and zeros before, replaces that row of a.
//
// A reflection changes the rest of the matrix by −v·wᵀ − w·vᵀ. Within a panel these changes are kept as
// vectors, by which the next row is corrected when its turn comes and what the rest of the matrix is
// multiplied with is corrected as well; behind it they are applied together, as matrix products.
type reduction struct {
	a      []float64 // [n×n], row-major; only i ≤ j is used
	n      int
	d, e   []float64 // the diagonal of T, and e[i] between i and i+1
	tau    []float64
	crew   *crew
	k      *kernels
	stride int // of the rows below, at least n and a multiple of lanes

	// Rows and columns are counted from the panel's first.
	panel   []float64 // [2·panelRows]: v_0, w_0, v_1, w_1, …
	swapped []float64 // [2·panelRows]: w_0, v_0, w_1, v_1, …
	row     []float64 // the row at hand
	parts   []float64 // [group]: what each part adds to a symmetric product
	dots    []float64 // [2·panelRows]: panel·v

	sums    [group + 1][group * lanes]float64 // of the tasks of times
	factors [group]float64
}

func reduce(a []float64, n int, c *crew, k *kernels) *reduction {
	stride := (n + lanes - 1) / lanes * lanes
	if stride%512 == 0 {
		stride += lanes // rows a multiple of 4096 bytes apart would share one place in the first cache
	}
	r := &reduction{
		a: a, n: n, crew: c, k: k, stride: stride,
		d: make([]float64, n), e: make([]float64, max(0, n-1)), tau: make([]float64, max(0, n-1)),
		panel: make([]float64, 2*panelRows*stride), swapped: make([]float64, 2*panelRows*stride),
		row: make([]float64, stride), parts: make([]float64, group*stride), dots: make([]float64, 2*panelRows),
	}
	for s := 0; s < n; s += panelRows {
		rows := min(panelRows, n-s)
		clear(r.panel)
		clear(r.swapped)
		for q := range rows {
			r.reflect(s, q)
		}
		r.update(s, rows)
	}
	return r
}

// reflect reduces row q of the panel that begins at row and column s.
func (r *reduction) reflect(s, q int) {
	i, columns := s+q, r.n-s
	padded := (columns + lanes - 1) / lanes * lanes
	row := r.row[:padded]
	copy(row[q:], r.a[i*r.n+i:(i+1)*r.n])
	clear(row[columns:])
	r.correct(row, q, q, func(p int) float64 { return -r.swapped[p*r.stride+q] })
	r.d[i] = row[q]
	if i == r.n-1 {
		return
	}
	v := r.panel[2*q*r.stride:][:padded]
	r.e[i], r.tau[i] = reflector(v[q+1:columns], row[q+1:columns])
	copy(r.a[i*r.n+i+1:(i+1)*r.n], v[q+1:])
	if r.tau[i] == 0 {
		clear(v)
		return
	}
	w := r.panel[(2*q+1)*r.stride:][:padded]
	r.times(w, v, s, q)
	var sums [lanes]float64
	dotGeneric(w, v, &sums)
	tau := r.tau[i]
	half := -tau / 2 * (tau * total(sums[:]))
	for j := range w {
		w[j] = math.FMA(half, v[j], tau*w[j])
	}
	copy(r.swapped[2*q*r.stride:], w)
	copy(r.swapped[(2*q+1)*r.stride:], v)
}

// times sets w to A·v from column q+1 on and to zero before, where A is what the first q reflections of the
// panel at s have made of the matrix and v is zero up to column q.
func (r *reduction) times(w, v []float64, s, q int) {
	at, columns := s+q+1, r.n-s
	bounds := partsOf(columns - q - 1)
	x := v[q+1 : columns]
	// The corrections' products with v are one task more.
	crew := r.crew
	if len(x) < 192 {
		crew = nil // is over before a second thread has begun
	}
	crew.each(group+1, func(task int) {
		if task == group {
			r.project(v, q)
			return
		}
		part := r.parts[task*r.stride:][:len(w)]
		clear(part)
		r.symmetric(part[q+1:columns], x, at, bounds[task], bounds[task+1], &r.sums[task])
	})
	clear(w)
	r.factors = [group]float64{1, 1, 1, 1, 1, 1, 1, 1}
	r.k.add(r.parts, r.stride, w, &r.factors)
	r.correct(w, q, q+1, func(p int) float64 { return -r.dots[p^1] })
	clear(w[:q+1])
}

// project sets dots to the products of the panel's first q pairs of rows with v.
func (r *reduction) project(v []float64, q int) {
	from := (q + 1) / lanes * lanes
	sums := &r.sums[group]
	for p := 0; p < 2*q; p += group {
		r.k.dots(r.panel[p*r.stride+from:], r.stride, v[from:], sums)
		for l := range group {
			r.dots[p+l] = total(sums[l*lanes:])
		}
	}
	clear(r.dots[2*q:]) // v itself, and the row that w is being written to, are in the last group
}

// correct adds factor(p) times row p of the panel, for its first q pairs of rows, to x from column on and to
// some columns before.
func (r *reduction) correct(x []float64, q, column int, factor func(p int) float64) {
	from := column / lanes * lanes
	for p := 0; p < 2*q; p += group {
		for l := range r.factors {
			r.factors[l] = factor(p + l)
		}
		r.k.add(r.panel[p*r.stride+from:], r.stride, x[from:], &r.factors)
	}
}

// leastSquare is the sum of squares below which a row is taken for zero: it would be less than 2⁻⁴⁵⁰ of the
// matrix's largest element, and its square has too few digits to make a reflection of.
const leastSquare = 0x1p-900

// reflector sets v to the vector of the reflection H = I − τ·v·vᵀ with H·x = (beta, 0, 0, …); v[0] is one.
// τ is zero, and v is to be ignored, if nothing is to be reflected. See LAPACK dlarfg.
func reflector(v, x []float64) (beta, tau float64) {
	var square float64
	for _, t := range x[1:] {
		square = math.FMA(t, t, square)
	}
	if square < leastSquare {
		clear(v)
		return x[0], 0
	}
	beta = -math.Copysign(math.Sqrt(math.FMA(x[0], x[0], square)), x[0])
	tau = (beta - x[0]) / beta
	scale := 1 / (x[0] - beta)
	for i, t := range x {
		v[i] = t * scale
	}
	v[0] = 1
	return beta, tau
}

// updateRows is how many rows of the rest are updated by one product: what lies below the diagonal of such a
// block is computed in vain.
const updateRows = 128

// update applies the reflections of the panel at s to what is behind it.
func (r *reduction) update(s, rows int) {
	for i := s + rows; i < r.n; i += updateRows {
		high, wide := min(updateRows, r.n-i), r.n-i
		blas64.Gemm(blas.Trans, blas.NoTrans, -1,
			blas64.General{Rows: 2 * rows, Cols: high, Stride: r.stride, Data: r.panel[i-s:]},
			blas64.General{Rows: 2 * rows, Cols: wide, Stride: r.stride, Data: r.swapped[i-s:]}, 1,
			blas64.General{Rows: high, Cols: wide, Stride: r.n, Data: r.a[i*r.n+i:]})
	}
}
