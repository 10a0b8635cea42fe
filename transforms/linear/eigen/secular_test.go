package eigen

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// secularProblems are such as deflation lets through: d increases by more than some eps, and no z is next to
// nothing.
func secularProblems() map[string]*rankOne {
	const k = 60
	r := rand.New(rand.NewPCG(6, 6))
	out := map[string]*rankOne{}
	add := func(name string, n int, d, z func(i int) float64, rho float64) {
		one := &rankOne{rho: rho, d: make([]float64, n), z: make([]float64, n)}
		var square float64
		for i := range n {
			one.d[i], one.z[i] = d(i), z(i)
			one.kept = append(one.kept, i)
			square += one.z[i] * one.z[i]
		}
		slices.Sort(one.d)
		for i := range one.z {
			one.z[i] /= math.Sqrt(square)
		}
		out[name] = one
	}
	normal := func(int) float64 { return r.NormFloat64() }
	add("one", 1, func(int) float64 { return 3 }, func(int) float64 { return -1 }, 0.5)
	add("two", 2, func(i int) float64 { return float64(i) }, normal, 0.5)
	add("random", k, normal, normal, 1)
	add("small rho", k, normal, normal, 1e-10)
	add("large rho", k, normal, normal, 1e10)
	add("close", k, func(i int) float64 { return 1 + float64(i)*64*eps }, normal, 1e-3)
	add("close pairs", k, func(i int) float64 { return float64(i/2) + float64(i%2)*32*eps }, normal, 1)
	add("tiny weights", k, normal, func(i int) float64 { return math.Pow(10, -float64(i%14)) }, 1)
	add("one heavy weight", k, func(i int) float64 { return float64(i) }, func(i int) float64 {
		if i == 20 {
			return 1
		}
		return 1e-13
	}, 1)
	add("graded", k, func(i int) float64 { return math.Pow(2, -float64(i)) }, func(i int) float64 { return math.Pow(2, -float64(i)/2) }, 1)
	add("around zero", k, func(i int) float64 { return float64(i-k/2) * 1e-14 }, normal, 1)
	return out
}

// residual returns f at root j, and the sum of the absolute values of its terms, with digits to spare.
func residual(s *secular, z []float64, j int) (f, size float64) {
	exact := func(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }
	sum := new(big.Float).SetPrec(300).Quo(exact(1), exact(s.rho))
	size, _ = sum.Float64()
	for i := range s.d {
		gap := exact(0).Sub(exact(s.d[i]), exact(s.near[j]))
		gap.Sub(gap, exact(s.off[j]))
		term := exact(0).Mul(exact(z[i]), exact(z[i]))
		term.Quo(term, gap)
		sum.Add(sum, term)
		x, _ := term.Float64()
		size += math.Abs(x)
	}
	f, _ = sum.Float64()
	return f, size
}

func TestRootsOfSecularEquations(t *testing.T) {
	for name, one := range secularProblems() {
		s := newSecular(one, nil)
		k := len(one.d)
		for j := range k {
			// The iteration ends at 16 roundings of the terms, of which sums of k make up to k more; Gu & Eisenstat
			// ask for a multiple of k.
			if f, size := residual(s, one.z, j); !(math.Abs(f) <= (32+float64(k))*eps*size) {
				t.Errorf("%s: f is %.2e at root %d, of terms of %.2e", name, f, j, size)
			}
			between := (s.near[j]-s.d[j])+s.off[j] > 0
			if j+1 < k {
				between = between && (s.d[j+1]-s.near[j])-s.off[j] > 0
			}
			if !between {
				t.Errorf("%s: root %d, %v%+g, is not between its neighbours", name, j, s.near[j], s.off[j])
			}
		}
	}
}

// Vectors are orthogonal however close the values are, and the problem that they solve exactly has nearly the
// z that was given.
func TestVectorsOfSecularEquations(t *testing.T) {
	for name, one := range secularProblems() {
		s := newSecular(one, nil)
		k := len(one.d)
		at := make([]int, k)
		for i := range at {
			at[i] = k - 1 - i
		}
		v := make([]float64, k*k)
		for j := range k {
			s.vector(j, v[j*k:][:k], at)
		}
		var norm float64
		for j := range k {
			norm = max(norm, math.Abs(s.value(j)))
		}
		for i := range k {
			// Loewner's formula leaves the factor √ρ in. What f may be at a root moves z by k²·eps (Gu & Eisenstat).
			if got := s.z[i] / math.Sqrt(s.rho); math.Abs(got-one.z[i]) > float64(k)*slack(k) {
				t.Errorf("%s: z[%d] is %v, was %v", name, i, got, one.z[i])
			}
			for j := range k {
				var dot, product, zv float64
				for l := range k {
					dot += v[i*k+l] * v[j*k+l]
					zv += one.z[k-1-l] * v[j*k+l]
				}
				if i == j {
					dot--
				}
				if math.Abs(dot) > slack(k) {
					t.Errorf("%s: vectors %d and %d have the product %.2e", name, i, j, dot)
				}
				// Element i of (D + ρzzᵀ)v_j − λ_j·v_j.
				product = (one.d[i]-s.value(j))*v[j*k+k-1-i] + one.rho*one.z[i]*zv
				if math.Abs(product) > slack(k)*norm {
					t.Errorf("%s: vector %d is wrong by %.2e in row %d", name, j, product, i)
				}
			}
		}
	}
}
