package eigen

import "math"

// A secular is the problem D + ρ·z·zᵀ, d increasing, ρ > 0 and no z zero. Its values are the roots of
//
//	f(λ) = 1/ρ + Σ z_i²/(d_i − λ),
//
// one between every two neighbours of d and one behind the last, and the vector of λ is (D − λI)⁻¹z. A root is
// kept as the nearest of d and what lies between: the difference of a root and any of d has all its digits,
// however close they are (LAPACK dlaed4).
type secular struct {
	d, z []float64
	rho  float64
	from []int     // which of d a root is counted from
	off  []float64 // root j is d[from[j]] + off[j]
	near []float64 // d[from[j]]
}

// newSecular solves the problem of the rows that are kept.
func newSecular(one *rankOne, c *crew) *secular {
	k := len(one.kept)
	s := &secular{
		d: make([]float64, k), z: make([]float64, k), rho: one.rho,
		from: make([]int, k), off: make([]float64, k), near: make([]float64, k),
	}
	for i, row := range one.kept {
		s.d[i], s.z[i] = one.d[row], one.z[row]
	}
	const roots = 32 // that a thread finds at once
	c.blocks(k, roots, func(from, to int) {
		for j := from; j < to; j++ {
			s.from[j], s.off[j] = s.root(j)
			s.near[j] = s.d[s.from[j]]
		}
	})
	exact := make([]float64, k)
	c.blocks(k, roots, func(from, to int) {
		for i := from; i < to; i++ {
			exact[i] = s.weight(i)
		}
	})
	s.z = exact
	return s
}

func (s *secular) value(j int) float64 { return s.near[j] + s.off[j] }

// weight returns the z_i of which the computed roots are the exact ones, by Loewner's formula
//
//	z_i² = Π_j (λ_j − d_i) / Π_{j≠i} (d_j − d_i), up to 1/ρ.
//
// Vectors that are made of these are orthogonal, however close the roots are (Gu & Eisenstat 1994, "A stable
// and efficient algorithm for the rank-one modification of the symmetric eigenproblem"). Root j lies
// between d_j and d_{j+1}: paired so, no factor is far from one unless the product is.
func (s *secular) weight(i int) float64 {
	d := s.d[i]
	square := (s.near[i] - d) + s.off[i]
	for j := range i {
		square *= ((d - s.near[j]) - s.off[j]) / (d - s.d[j])
	}
	for j := i + 1; j < len(s.d); j++ {
		square *= ((s.near[j] - d) + s.off[j]) / (s.d[j] - d)
	}
	return math.Copysign(math.Sqrt(max(0, square)), s.z[i])
}

// vector sets out[at[i]] to element i of the vector of root j, of length one.
func (s *secular) vector(j int, out []float64, at []int) {
	near, off := s.near[j], s.off[j]
	var square float64
	for i, d := range s.d {
		v := s.z[i] / ((d - near) - off)
		square += v * v
		out[at[i]] = v
	}
	scale := 1 / math.Sqrt(square)
	for i := range out {
		out[i] *= scale
	}
}
