package cpu

import "math"

// rmsNorm is RMSNorm of n values, y = x/√(mean x² + ε)·gain (Zhang & Sennrich 2019, arXiv:1910.07467).
func (k *kernels) rmsNorm(y, x, gain []float32, n int, eps float64) {
	inverse := 1 / math.Sqrt(float64(k.squares(x[:n]))/float64(n)+eps)
	k.norm(y[:n], x[:n], gain[:n], float32(inverse))
}

// softmax makes weights of the scores [from, to) of x, whose other elements become 0, and returns what
// they must still be multiplied with to add up to one. Where x begins decides the lanes of the sum.
func (k *kernels) softmax(x []float32, from, to int) (inverse float32) {
	below := float32(math.Inf(-1))
	for i := range x[:from] {
		x[i] = below
	}
	for i := to; i < len(x); i++ {
		x[i] = below
	}
	_, sum := k.distances(x)
	return 1 / sum
}

// total adds up 16 lanes (B2).
func total(lanes *[16]float32) float32 {
	for half := 8; half > 0; half /= 2 {
		for i := range half {
			lanes[i] += lanes[i+half]
		}
	}
	return lanes[0]
}

// largest is the maximum of 16 lanes.
func largest(lanes *[16]float32) float32 {
	top := lanes[0]
	for _, v := range lanes[1:] {
		top = max(top, v)
	}
	return top
}
