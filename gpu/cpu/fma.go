package cpu

import "math"

// fma is a·b + c with one rounding, as the vector instructions do it.
//
// The product of two float32 is exact in float64, and so is the comparison of a sum with the middle
// between two float32: only a sum that float64 rounds to such a middle may be rounded wrongly by the
// second rounding. Below the smallest normal float32, middles are elsewhere.
func fma(a, b, c float32) float32 {
	s := float64(a)*float64(b) + float64(c)
	if bits := math.Float64bits(s); bits&(1<<29-1) == 1<<28 || bits<<1 < 897<<53 {
		return roundOnce(a, b, c)
	}
	return float32(s)
}

// roundOnce is fma for every sum: the rounding to float64 is made to odd, which sets the last bit of
// the result if the sum is not exact. Rounding that to float32, which has less than half the digits,
// is right (Boldo & Melquiond 2008, "Emulation of a FMA and correctly rounded sums").
func roundOnce(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c)
	s := p + q
	t := s - p
	lost := (p - (s - t)) + (q - t) // what the sum rounded off (Knuth's TwoSum)
	if lost == 0 || math.IsNaN(lost) {
		return float32(s)
	}
	bits := math.Float64bits(s)
	if bits&1 == 0 { // the neighbour on the side of the exact sum is odd
		if (lost > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
	}
	return float32(math.Float64frombits(bits))
}
