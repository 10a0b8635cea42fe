package linear

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// scratch is memory that is used again: new memory is slow to come by where there is much of it.
type scratch struct{ square, held, solved, predicted buffer }

type buffer []float64

// of gives n numbers, of any values.
func (b *buffer) of(n int) []float64 {
	if cap(*b) < n {
		*b = make([]float64, n)
	}
	return (*b)[:n]
}

// score returns Σ(y − ŷ)² per target dimension at each penalty; nil where S + λI is too ill-conditioned. It takes
// the way that needs fewer operations, and the fold is of no use after it.
func (f *fold) score(penalties []float64, room *scratch) ([][]float64, error) {
	if f.rt != nil && float64(len(penalties))*f.solving() <= f.reducing() {
		return f.solve(penalties, room), nil
	}
	return f.reduce(penalties)
}

// solving is about how many operations [fold.solve] takes for each penalty.
func (f *fold) solving() float64 {
	m, h, e := float64(f.order), float64(f.h), float64(f.e)
	return m*m*m/3 + 2*m*m*h + 2*m*h*e
}

// reducing is about how many operations [fold.reduce] takes for any number of penalties. Eigenvectors are some
// 9·m³ operations, of which a part waits for memory: measured, they take as long as 8·m³ to 12·m³ of others.
func (f *fold) reducing() float64 {
	m, h, e := float64(f.order), float64(f.h), float64(f.e)
	return 10*m*m*m + 4*m*m*e + 3*m*m*h + 2*m*h*e
}

// solve decomposes S + λI for each penalty and predicts the held-out rows by solving for them,
//
//	Ŷ = ((S + λI)⁻¹·Rᵀ)ᵀ·Q,
//
// which are fewer than the targets: no map is made.
func (f *fold) solve(penalties []float64, room *scratch) [][]float64 {
	m, h, e := f.order, f.h, f.e
	a, z, predicted := room.square.of(m*m), room.solved.of(m*h), room.predicted.of(h*e)
	out := make([][]float64, len(penalties))
	for i, lambda := range penalties {
		copy(a, f.s)
		factor, ok := factorise(a, m, lambda)
		if !ok || !f.solvable(factor) {
			continue
		}
		copy(z, f.rt)
		factor.solve(z, h)
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, general(m, h, z), general(m, e, f.q), 0, general(h, e, predicted))
		out[i] = squaredDifferences(f.y, predicted, e)
	}
	return out
}

// solvable compares the condition number with [maxCond]: its bound first, since the estimate takes time.
func (f *fold) solvable(s *factor) bool {
	if f.trace+s.lambda <= maxCond*s.lambda {
		return true
	}
	size := norm(f.s, f.order)
	if f.lacking && !(size+s.lambda <= maxCond*s.lambda) {
		return false
	}
	return s.condition(size) <= maxCond
}

// squaredDifferences is Σ(y − p)² per column.
func squaredDifferences(y, p []float64, width int) []float64 {
	sum := make([]float64, width)
	for from := 0; from < len(y); from += width {
		a, b := y[from:from+width], p[from:from+width]
		for j := range sum {
			d := a[j] - b[j]
			sum[j] += d * d
		}
	}
	return sum
}
