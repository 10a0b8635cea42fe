package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// eachKernels runs a test with every instruction set of this machine but the generic one.
func eachKernels(t *testing.T, f func(t *testing.T, k *kernels)) {
	if len(available) == 1 {
		t.Skip("this processor has no vector kernels, only what they are compared with")
	}
	for _, k := range available[:len(available)-1] {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

// noise is n numbers about as large as a residual's.
func noise(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

// odd is noise with what arithmetic treats in its own way: zeros of both signs, numbers that are not
// normal, the ends of exp, huge ones, infinities and NaN.
func odd(rng *rand.Rand, n int) []float32 {
	inf := float32(math.Inf(1))
	strange := []float32{0, float32(math.Copysign(0, -1)), 1e-40, -1e-42, 88, 88.1, -87.3, -87.4, 200, -200, 0.625, -0.625, 1e30, -3e38, inf, -inf, float32(math.NaN())}
	out := noise(rng, n)
	for i := range out {
		switch rng.IntN(4) {
		case 0:
			out[i] = strange[rng.IntN(len(strange))]
		case 1:
			out[i] *= 30
		}
	}
	return out
}

// differ is the first index at which bits differ; any NaN is like any other. −1: none.
func differ(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return i
		}
	}
	return -1
}

func clone(x []float32) []float32 { return append([]float32(nil), x...) }

// TestProductsAreTheTwins is B1 across instruction sets: any number of rows, any K, strides beyond the
// widths, chains that go on.
func TestProductsAreTheTwins(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		rng := rand.New(rand.NewPCG(3, 4))
		for m := 1; m <= 27; m++ {
			for _, n := range []int{1, 2, 3, 7, 32, 65} {
				lda, ldc := n+rng.IntN(4), panel+rng.IntN(3)
				a, b := noise(rng, (m-1)*lda+n), noise(rng, n*panel)
				if m%5 == 0 {
					a, b = odd(rng, (m-1)*lda+n), odd(rng, n*panel)
				}
				first := noise(rng, (m-1)*ldc+panel)
				for _, more := range []bool{false, true} {
					got, want := clone(first), clone(first)
					k.product(got, ldc, a, lda, b, m, n, more)
					productGeneric(want, ldc, a, lda, b, m, n, more)
					if i := differ(got, want); i >= 0 {
						t.Fatalf("m=%d k=%d more=%t: element %d of row %d is %x, want %x", m, n, more, i%ldc, i/ldc, got[i], want[i])
					}
				}
			}
		}
	})
}

// TestProductsAreOneChain follows the definition: a product that is cut along K and carried on has the
// bits of the whole one, and each row those that it has alone.
func TestProductsAreOneChain(t *testing.T) {
	for _, k := range available {
		rng := rand.New(rand.NewPCG(5, 6))
		const m, n = 23, 90
		a, b := noise(rng, m*n), noise(rng, n*panel)
		whole, cut, alone := make([]float32, m*panel), make([]float32, m*panel), make([]float32, m*panel)
		k.product(whole, panel, a, n, b, m, n, false)
		for from, to := 0, 0; from < n; from = to {
			to = min(n, from+1+rng.IntN(40))
			k.product(cut, panel, a[from:], n, b[from*panel:], m, to-from, from > 0)
		}
		for i := range m {
			k.product(alone[i*panel:], panel, a[i*n:], n, b, 1, n, false)
		}
		if i := differ(whole, cut); i >= 0 {
			t.Errorf("%s: element %d is %x cut along K, %x whole", k.name, i, cut[i], whole[i])
		}
		if i := differ(whole, alone); i >= 0 {
			t.Errorf("%s: element %d is %x alone, %x among %d rows", k.name, i, alone[i], whole[i], m)
		}
		for i := range m {
			for j := range panel {
				var want, size float64
				for l := range n {
					want += float64(a[i*n+l]) * float64(b[l*panel+j])
					size += math.Abs(float64(a[i*n+l]) * float64(b[l*panel+j]))
				}
				// n roundings, each of at most half a unit of a partial sum.
				if e := math.Abs(float64(whole[i*panel+j]) - want); e > n*0x1p-24*size {
					t.Fatalf("%s: element %d, %d is off by %g", k.name, i, j, e)
				}
			}
		}
	}
}

// TestElementsAreTheTwins is B2 and B3 across instruction sets, with lengths around the vectors' and
// numbers of every kind.
func TestElementsAreTheTwins(t *testing.T) {
	operations := map[string]func(k *kernels, x, y, z, w []float32) [16]float32{
		"squares": func(k *kernels, x, _, _, _ []float32) (s [16]float32) { s[0] = k.squares(x); return s },
		"largest": func(k *kernels, x, _, _, _ []float32) (s [16]float32) { s[0] = k.largest(x); return s },
		"exps":    func(k *kernels, x, _, _, _ []float32) (s [16]float32) { s[0] = k.exps(x, 1.25, .7); return s },
		"distances": func(k *kernels, x, _, _, _ []float32) (s [16]float32) {
			s[0], s[1] = k.distances(x)
			return s
		},
		"add":      func(k *kernels, x, y, _, _ []float32) (s [16]float32) { k.add(x, y); return s },
		"scale":    func(k *kernels, x, _, _, _ []float32) (s [16]float32) { k.scale(x, .3); return s },
		"norm":     func(k *kernels, x, y, z, _ []float32) (s [16]float32) { k.norm(x, y, z, 1.7); return s },
		"silu":     func(k *kernels, x, y, _, _ []float32) (s [16]float32) { k.silu(x, y); return s },
		"geluTanh": func(k *kernels, x, y, _, _ []float32) (s [16]float32) { k.geluTanh(x, y); return s },
		"softcap":  func(k *kernels, x, _, _, _ []float32) (s [16]float32) { k.softcap(x, 3); return s },
		"rotate":   func(k *kernels, x, y, z, w []float32) (s [16]float32) { k.rotate(x, y, z, w); return s },
	}
	eachKernels(t, func(t *testing.T, k *kernels) {
		for name, do := range operations {
			rng := rand.New(rand.NewPCG(7, 8))
			for n := range 70 {
				make := noise
				if n%2 == 1 {
					make = odd
				}
				x, y, z, w := make(rng, n), make(rng, n), make(rng, n), make(rng, n)
				x2, y2 := clone(x), clone(y)
				got, want := do(k, x, y, z, w), do(&genericKernels, x2, y2, z, w)
				if i := differ(got[:], want[:]); i >= 0 {
					t.Fatalf("%s of %d: lane %d is %x, want %x", name, n, i, got[i], want[i])
				}
				for _, pair := range [][2][]float32{{x, x2}, {y, y2}} {
					if i := differ(pair[0], pair[1]); i >= 0 {
						t.Fatalf("%s of %d: element %d is %x, want %x", name, n, i, pair[0][i], pair[1][i])
					}
				}
			}
		}
	})
}

// TestFunctionsAreThoseOfFloat64 bounds the error of the functions by elements. The polynomials promise
// 2 units in the last place for exp on its range; a quotient or product adds one each.
func TestFunctionsAreThoseOfFloat64(t *testing.T) {
	const unit = 0x1p-23
	for _, c := range []struct {
		name     string
		got      func(x float32) float32
		want     func(x float64) float64
		from, to float64
		relative float64 // of the value
		absolute float64
	}{
		{"exp", exp, math.Exp, -100, 88, 2 * unit, 1.3e-38},
		{"tanh", tanh, math.Tanh, -12, 12, 3 * unit, 0},
		{"silu", through(silu), func(x float64) float64 { return x / (1 + math.Exp(-x)) }, -80, 100, 5 * unit, 0},
		{"gelu tanh", through(geluTanh), func(x float64) float64 {
			return .5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
		}, -6, 6, 40 * unit, 4 * unit}, // the exponent, up to 40, is rounded before exp
		{"gelu", through(geluErf), func(x float64) float64 { return .5 * x * math.Erfc(-x/math.Sqrt2) }, -10, 10, unit, 1e-40},
		{"softcap", func(x float32) float32 { v := []float32{x}; softcap(v, 30); return v[0] },
			func(x float64) float64 { return 30 * math.Tanh(x/30) }, -300, 300, 5 * unit, 0},
	} {
		for i := range 4001 {
			x := float32(c.from + (c.to-c.from)*float64(i)/4000)
			got, want := float64(c.got(x)), c.want(float64(x))
			if e := math.Abs(got - want); e > c.relative*math.Abs(want)+c.absolute {
				t.Errorf("%s(%g) = %g, want %g: off by %.1f units", c.name, x, got, want, e/math.Abs(want)/unit)
				break
			}
		}
	}
}

func through(f func(gate, up []float32)) func(float32) float32 {
	return func(x float32) float32 {
		v := []float32{x}
		f(v, []float32{1})
		return v[0]
	}
}

// BenchmarkProduct multiplies on one core; the panel and the rows stay in its cache.
func BenchmarkProduct(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, k := range available {
		for _, m := range []int{1, 8, 96} {
			const n = 576
			x, w, c := noise(rng, m*n), noise(rng, n*panel), make([]float32, m*panel)
			b.Run(fmt.Sprintf("%s/rows=%d", k.name, m), func(b *testing.B) {
				for b.Loop() {
					k.product(c, panel, x, n, w, m, n, false)
				}
				b.ReportMetric(2*float64(m*n*panel)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
