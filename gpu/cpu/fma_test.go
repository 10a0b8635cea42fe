package cpu

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA rounds a·b + c once: every float32 is a big.Float, and 600 bits hold any such sum exactly.
func exactFMA(a, b, c float32) float32 {
	wide := func(v float32) *big.Float { return new(big.Float).SetPrec(600).SetFloat64(float64(v)) }
	sum := new(big.Float).SetPrec(600).Mul(wide(a), wide(b))
	sum.Add(sum, wide(c))
	if sum.Sign() == 0 {
		return a*b + c // the sign of a zero is not a matter of rounding
	}
	out, _ := sum.Float32()
	return out
}

// TestFMARoundsOnce compares with exact arithmetic: random numbers, numbers of near exponents, where sums
// cancel, and sums whose rounding to float64 is a tie of float32, which rounding twice gets wrong.
func TestFMARoundsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	bits := func() float32 {
		for {
			if v := math.Float32frombits(rng.Uint32()); !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
				return v
			}
		}
	}
	near := func() float32 { return float32(math.Ldexp(float64(rng.Int32N(1<<24)-1<<23), rng.IntN(8))) }
	// 2⁻⁶⁰ or so beyond the middle between two float32: lost in float64.
	tie := func() (a, b, c float32) {
		c = float32(math.Ldexp(float64(1<<23+rng.Int32N(1<<23)), 1)) // spacing 2: ties are odd
		a = 1 + float32(rng.IntN(2)*2-1)*0x1p-23
		b = 1 + float32(rng.IntN(2)*2-1)*float32(math.Ldexp(1, -20-rng.IntN(4)))
		return a, b * float32(rng.IntN(2)*2-1), c
	}
	twice := 0
	for i := range 60_000 {
		var a, b, c float32
		switch i % 4 {
		case 0:
			a, b, c = bits(), bits(), bits()
		case 1:
			a, b, c = near(), near(), near()
		case 2: // products near the smallest numbers
			a, b, c = float32(math.Ldexp(float64(near()), -100)), float32(math.Ldexp(float64(near()), -80)), math.Float32frombits(rng.Uint32N(1<<12))
		default:
			a, b, c = tie()
		}
		got, want := fma(a, b, c), exactFMA(a, b, c)
		if got != want {
			t.Fatalf("fma(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
		if float32(float64(a)*float64(b)+float64(c)) != want {
			twice++
		}
	}
	if twice < 100 {
		t.Errorf("only %d cases tell one rounding from two", twice)
	}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct{ a, b, c, want float32 }{
		{inf, 1, 2, inf}, {1, 1, -inf, -inf}, {inf, 1, -inf, nan}, {inf, 0, 1, nan}, {nan, 1, 1, nan}, {math.MaxFloat32, 2, 0, inf},
	} {
		if got := fma(c.a, c.b, c.c); got != c.want && !(got != got && c.want != c.want) {
			t.Errorf("fma(%g, %g, %g) = %g, want %g", c.a, c.b, c.c, got, c.want)
		}
	}
}
