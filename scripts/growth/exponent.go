package main

import "math"

// exponent is the power of the size with which values grow: the slope of the least-squares line through
// (log size, log value) at the upper sizes. It is NaN where fewer than two sizes are left, or where a value
// there is not positive.
func exponent(sizes []int, values []float64) float64 {
	from := len(sizes) - upper(len(sizes))
	var n, x, y, xx, xy float64
	for i := from; i < len(sizes); i++ {
		if !(values[i] > 0) {
			return math.NaN()
		}
		u, v := math.Log(float64(sizes[i])), math.Log(values[i])
		n, x, y, xx, xy = n+1, x+u, y+v, xx+u*u, xy+u*v
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// upper is how many of n sizes, the largest, decide the exponent: half of them, three at least, since two
// points are a line whatever they are.
func upper(n int) int { return min(n, max(3, (n+1)/2)) }

// An expectation is the exponent of a cost model, or a range of them.
type expectation struct{ low, high float64 }

// power is a growth with one exponent.
func power(p float64) expectation { return expectation{p, p} }

// tolerance is how far an exponent may be from what was expected before it needs a word.
const tolerance = .2

// misses says whether an exponent needs a word.
func (e expectation) misses(measured float64) bool {
	return measured < e.low-tolerance || measured > e.high+tolerance
}
