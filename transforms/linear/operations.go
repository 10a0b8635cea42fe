package linear

import (
	"math/bits"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// OperationTime times a product of matrices, which is most of what is done here, in about a hundredth of a second:
// the seconds that one addition or multiplication takes, on all processors together.
func OperationTime() float64 {
	const n, times = 384, 3 // wide enough to be near the speed of the largest
	a, b, c := general(n, n, make([]float64, n*n)), general(n, n, make([]float64, n*n)), general(n, n, make([]float64, n*n))
	least := time.Hour
	for range times {
		begun := time.Now()
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, a, b, 0, c)
		least = min(least, time.Since(begun))
	}
	return least.Seconds() / (2 * n * n * n)
}

// A Size is how much there is to fit a map to.
type Size struct {
	Rows, D, E     int
	Folds, Lambdas int
}

// Operations is about how many additions and multiplications [FitBest] takes for the sums of folds of one size
// that are there: what needs fewer of two ways is taken here as it is there.
func (s Size) Operations() float64 {
	h := s.Rows / max(s.Folds, 1)
	ops := s.Map()
	for range s.Folds {
		ops += s.round(s.Rows-h, h, s.Lambdas)
	}
	for k := 1; k < s.Folds-1; k++ { // points of the learning curve
		if bits.OnesCount(uint(k)) == 1 {
			ops += s.round(k*h, h, 1)
		}
	}
	d, small := float64(s.D), float64(min(s.D, s.E))
	freedom := min(float64(s.Lambdas), decompositions) * 2 * d * d * d / 3
	spectrum := small*float64(s.D)*float64(s.E) + valuesOperations*small*small*small
	return ops + freedom + spectrum
}

// round is scoring maps of n rows on h others.
func (s Size) round(n, h, lambdas int) (ops float64) {
	f := fold{order: min(n, s.D), h: h, e: s.E}
	few := h <= s.D
	if few && n < s.D {
		m, d := float64(n), float64(s.D)
		ops = m*m*d + 2*m*d*float64(h)
	}
	if few {
		return ops + min(float64(lambdas)*f.solving(), f.reducing())
	}
	f.h = s.D // its sums take the place of its rows
	return f.reducing()
}

// valuesOperations is what eigenvalues alone take of each m³: 4/3 of them, half of which wait for memory.
const valuesOperations = 4

// Map is about how many operations [Fit] takes: a decomposition, two substitutions and the trace of an inverse.
func (s Size) Map() float64 {
	d, e := float64(s.D), float64(s.E)
	return d*d*d/3 + 2*d*d*e + d*d*d/3
}

// Sums is about how many operations [Gram.Add] takes for all rows.
func (s Size) Sums() float64 { return float64(s.Rows) * float64(s.D) * float64(s.D+2*s.E) }
