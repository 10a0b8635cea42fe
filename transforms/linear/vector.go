package linear

import (
	"math"
	"slices"
)

// Norm returns ‖v‖₂, accumulated in float64.
func Norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// Cosine returns the cosine of the angle between a and b, which have the same length: NaN if
// either is zero. Dimensions listed in skip are left out of both.
func Cosine(a, b []float32, skip ...int) float64 {
	var ab, aa, bb float64
	for i := range a {
		if slices.Contains(skip, i) {
			continue
		}
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if !(aa > 0 && bb > 0) {
		return math.NaN()
	}
	return max(-1, min(1, ab/math.Sqrt(aa)/math.Sqrt(bb)))
}
