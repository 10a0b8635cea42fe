package cpu

import "math"

// Constants of the functions by elements. The polynomials are those of Cephes' expf and tanhf
// (Moshier 1989, https://www.netlib.org/cephes/).
const (
	expMost  = 88    // beyond, exp is held: e⁸⁸ is near the largest float32
	expLeast = -87.3 // below, exp is 0: e⁻⁸⁷·³ is near the smallest normal float32
	expLog2  = math.Log2E
	expHigh  = 0.693359375   // ln 2 in two parts; this one times n is exact
	expLow   = 2.12194440e-4 // its excess over ln 2
	exp5     = 1.9875691500e-4
	exp4     = 1.3981999507e-3
	exp3     = 8.3334519073e-3
	exp2     = 4.1665795894e-2
	exp1     = 1.6666665459e-1
	exp0     = 5.0000001201e-1

	tanhSmall = 0.625
	tanh4     = -5.70498872745e-3
	tanh3     = 2.06390887954e-2
	tanh2     = -5.37397155531e-2
	tanh1     = 1.33314422036e-1
	tanh0     = -3.33332819422e-1

	geluCubic = 0.044715
	geluInner = -1.5957691216057308 // −2·√(2/π)
)

// exp is eˣ to about seven digits: eˣ = 2ⁿ·eᵍ with n = x/ln 2 rounded to even.
func exp(x float32) float32 {
	if x > expMost {
		x = expMost
	}
	if x < expLeast {
		return 0
	}
	n := float32(math.RoundToEven(float64(float32(x * expLog2))))
	g := x - float32(n*expHigh)
	g += float32(n * expLow)
	p := float32(exp5*g) + exp4
	p = float32(p*g) + exp3
	p = float32(p*g) + exp2
	p = float32(p*g) + exp1
	p = float32(p*g) + exp0
	p = float32(p*float32(g*g)) + g
	p++
	return float32(p * math.Float32frombits(uint32(int32(n)+127)<<23))
}

// tanh is a polynomial near zero, where 1 − 2/(e²ˣ + 1) would lose digits.
func tanh(x float32) float32 {
	z := float32(x * x)
	if size := float32(math.Abs(float64(x))); !(size <= tanhSmall) {
		y := 1 - 2/(exp(size+size)+1)
		return float32(math.Copysign(float64(y), float64(x)))
	}
	p := float32(tanh4*z) + tanh3
	p = float32(p*z) + tanh2
	p = float32(p*z) + tanh1
	p = float32(p*z) + tanh0
	p = float32(p * z)
	return float32(p*x) + x
}
