package eigen

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// hardMatrices are those that have broken decompositions: everything or nothing deflates, values are
// pathologically close, or elements are of all sizes.
func hardMatrices() map[string][]float64 {
	const n = 150
	diagonal := func(value func(i int) float64) []float64 { return banded(n, value, func(int) float64 { return 0 }) }
	out := map[string][]float64{
		"zero":                   make([]float64, n*n),
		"one zero":               {0},
		"negative":               {-3},
		"identity":               diagonal(func(int) float64 { return 1 }),
		"minus identity":         diagonal(func(int) float64 { return -1 }),
		"diagonal":               diagonal(func(i int) float64 { return float64((7*i)%n - 40) }),
		"diagonal with repeats":  diagonal(func(i int) float64 { return float64(i % 3) }),
		"one element":            diagonal(func(i int) float64 { return float64(max(0, i-n+2)) }),
		"clustered":              clustered(200, 1),
		"Wilkinson 21":           wilkinson(1, 0),
		"glued Wilkinson, wide":  wilkinson(12, 1e-2),
		"glued Wilkinson":        wilkinson(12, 1e-8),
		"glued Wilkinson, tight": wilkinson(12, 1e-14),
		"no gram":                gram(3, n, 0),
		"gram of few rows":       gram(20, n, 2),
		"gram of most rows":      gram(140, n, 3),
		"gram of more rows":      gram(300, n, 4),
		"large gram of few rows": gram(100, 400, 5),
		"graded up":              graded(n, func(i int) float64 { return math.Pow(10, -12*float64(n-1-i)/n) }),
		"graded down":            graded(n, func(i int) float64 { return math.Pow(10, -12*float64(i)/n) }),
		"steeply graded":         graded(n, func(i int) float64 { return math.Pow(10, -2*float64(i)) }),
		"graded to the end":      graded(60, func(i int) float64 { return math.Pow(10, -5*float64(i)) }),
		"huge":                   graded(n, func(int) float64 { return 1e75 }),
		"tiny":                   graded(n, func(int) float64 { return 1e-75 }),
		"huge and tiny":          graded(n, func(i int) float64 { return math.Pow(1e75, float64(i%3-1)) }),
		"subnormal":              banded(40, func(i int) float64 { return 5e-324 * float64(i) }, func(int) float64 { return 5e-324 }),
		"near the end of range":  banded(40, func(i int) float64 { return 1e307 * float64(i%9) }, func(int) float64 { return 1e306 }),
		"all ones":               banded(2, func(int) float64 { return 1 }, func(int) float64 { return 1 }),
		"second differences":     banded(n, func(int) float64 { return 2 }, func(int) float64 { return -1 }),
		"no diagonal":            banded(n, func(int) float64 { return 0 }, func(i int) float64 { return float64(1 + i%2) }),
		"small beside the cut":   banded(n, func(i int) float64 { return float64(i % 5) }, func(i int) float64 { return math.Pow(10, -float64(i%20)) }),
		"tiny off the diagonal":  banded(n, func(int) float64 { return 1 }, func(int) float64 { return 1e-16 }),
		"blocks of all sizes":    banded(n, func(i int) float64 { return math.Pow(10, -float64(i/10*20)) }, func(i int) float64 { return math.Pow(10, -float64(i/10*20)) / 3 }),
	}
	ones, exchange, arrow, hilbert := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
	for i := range n {
		for j := range n {
			ones[i*n+j] = 1
			hilbert[i*n+j] = 1 / float64(i+j+1)
		}
		exchange[i*n+n-1-i] = 1
		arrow[i*n+i], arrow[i], arrow[i*n] = float64(i), 1, 1
	}
	out["ones"], out["exchange"], out["arrow"], out["Hilbert"] = ones, exchange, arrow, hilbert
	return out
}

// banded returns a tridiagonal matrix.
func banded(n int, diagonal, beside func(i int) float64) []float64 {
	a := make([]float64, n*n)
	for i := range n {
		a[i*n+i] = diagonal(i)
		if i+1 < n {
			a[i*n+i+1], a[(i+1)*n+i] = beside(i), beside(i)
		}
	}
	return a
}

// wilkinson returns copies of W21+, whose values are in pairs that are up to fourteen digits alike, held
// together by glue.
func wilkinson(copies int, glue float64) []float64 {
	return banded(21*copies, func(i int) float64 { return math.Abs(float64(i%21) - 10) }, func(i int) float64 {
		if i%21 == 20 {
			return glue
		}
		return 1
	})
}

// gram returns XᵀX of X [rows×n].
func gram(rows, n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 2))
	x := make([]float64, max(1, rows)*n)
	for i := range rows * n {
		x[i] = r.NormFloat64()
	}
	a := make([]float64, n*n)
	X := blas64.General{Rows: max(1, rows), Cols: n, Stride: n, Data: x}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, X, X, 0, square(a, n))
	for i := range n { // exactly symmetric, whatever the product's order of sums
		for j := range i {
			a[i*n+j] = a[j*n+i]
		}
	}
	return a
}

// graded returns a random matrix with row and column i times scale(i).
func graded(n int, scale func(i int) float64) []float64 {
	a := randomMatrix(n, 9)
	for i := range n {
		for j := range n {
			a[i*n+j] *= scale(min(i, j)) * scale(max(i, j))
		}
	}
	return a
}

// clustered returns a full matrix with four values, each up to rounding.
func clustered(n int, seed uint64) []float64 {
	a := make([]float64, n*n)
	for i := range n {
		a[i*n+i] = float64(i % 4)
	}
	r := rand.New(rand.NewPCG(seed, 3))
	v, w := make([]float64, n), make([]float64, n)
	for range 4 { // reflect on both sides
		var square float64
		for i := range v {
			v[i] = r.NormFloat64()
			square += v[i] * v[i]
		}
		var dot float64
		for i := range w {
			w[i] = 0
			for j := range v {
				w[i] += 2 / square * a[i*n+j] * v[j]
			}
			dot += w[i] * v[i]
		}
		for i := range w {
			w[i] -= dot / square * v[i]
		}
		for i := range n {
			for j := i; j < n; j++ {
				a[i*n+j] -= v[i]*w[j] + w[i]*v[j]
				a[j*n+i] = a[i*n+j]
			}
		}
	}
	return a
}
