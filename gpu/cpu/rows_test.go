package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestNormsAndSoftmaxAreTheirFormulas compares with float64. A sum in 16 lanes has n/16 + 4 roundings.
func TestNormsAndSoftmaxAreTheirFormulas(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	for _, k := range available {
		for _, n := range []int{1, 5, 16, 48, 577} {
			x, gain, y := noise(rng, n), noise(rng, n), make([]float32, n)
			tolerance := float64(n/16+8) * 0x1p-24
			k.rmsNorm(y, x, gain, n, 1e-5)
			var squares float64
			for _, v := range x {
				squares += float64(v) * float64(v)
			}
			for i := range y {
				want := float64(x[i]) / math.Sqrt(squares/float64(n)+1e-5) * float64(gain[i])
				if e := math.Abs(float64(y[i]) - want); e > tolerance*math.Abs(want) {
					t.Fatalf("%s: norm of %d: element %d is %g, want %g", k.name, n, i, y[i], want)
				}
			}
			from := rng.IntN(n)
			to := from + 1 + rng.IntN(n-from)
			p := clone(x)
			inverse := k.softmax(p, from, to)
			var sum float64
			for _, v := range x[from:to] {
				sum += math.Exp(float64(v))
			}
			for i := range p {
				want := 0.0
				if i >= from && i < to {
					want = math.Exp(float64(x[i])) / sum
				}
				if e := math.Abs(float64(p[i]*inverse) - want); e > tolerance*math.Abs(want)+8*0x1p-24*want {
					t.Fatalf("%s: softmax of [%d, %d) of %d: element %d is %g, want %g", k.name, from, to, n, i, p[i]*inverse, want)
				}
			}
		}
	}
}

// TestLanesAndTree is B2 by hand: 1 is lost beside 2²⁴, so the order of the sum shows.
func TestLanesAndTree(t *testing.T) {
	const big = 1 << 24
	for _, c := range []struct {
		at   map[int]float32 // lanes
		want float32
	}{
		{map[int]float32{0: big, 8: 1, 4: 1}, big},                  // (big + 1) + 1
		{map[int]float32{0: big, 4: 1, 12: 1}, big + 2},             // big + (1 + 1)
		{map[int]float32{0: big, 1: 1, 3: 1}, big + 2},              // big + (1 + 1)
		{map[int]float32{0: big, 1: 1, 2: 1}, big},                  // (big + 1) + 1
		{map[int]float32{7: 1, 15: 1, 0: big, 3: 1, 1: 1}, big + 4}, // big + (((1+1) + 1) + 1)
	} {
		var lanes [16]float32
		for i, v := range c.at {
			lanes[i] = v
		}
		if got := total(&lanes); got != c.want {
			t.Errorf("lanes %v add up to %v, want %v", c.at, got, c.want)
		}
	}
	for _, k := range available {
		x := make([]float32, 40)
		x[1], x[17], x[33] = 1<<12, 1, 1 // lane 1: (2²⁴ + 1) + 1
		if got := k.squares(x); got != big {
			t.Errorf("%s: squares add up to %v, want %v", k.name, got, float32(big))
		}
	}
}
