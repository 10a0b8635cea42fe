package eigen

import "math"

// eps is the unit roundoff.
const eps = 0x1p-53

// Which part's columns a vector has elements in.
const (
	firstPart = iota
	bothParts
	secondPart
)

// A rankOne is D + ρ·z·zᵀ without what is solved already: where z is next to nothing, and where two values
// are next to equal, so that a rotation makes nothing of one of their two z (LAPACK dlaed2). Here "next to
// nothing" changes the matrix by no more than rounding does.
type rankOne struct {
	d, z  []float64
	rho   float64
	part  []int // of a row: firstPart, …
	kept  []int // rows by increasing d
	drops []int // rows whose values and vectors are those of the whole
}

// deflate takes d, z as it stands beside the cut, the order of d, and e, the element at the cut. The first mid
// rows are of the first part. It rotates vectors, and changes d and z accordingly.
func deflate(d, z []float64, order []int, mid int, e float64, vector func(i int) []float64) rankOne {
	// z is made of two rows of length one.
	out := rankOne{d: d, z: z, rho: 2 * math.Abs(e), part: make([]int, len(d))}
	var most float64
	for i := range z {
		z[i] *= math.Sqrt2 / 2
		if i >= mid {
			out.part[i] = secondPart
			z[i] = math.Copysign(1, e) * z[i]
		}
		most = max(most, math.Abs(d[i]))
	}
	// The whole matrix had an element of at least one (see prepare).
	least := max(8*eps*max(most, out.rho), 0x1p-200)
	last := -1 // the row that is kept unless the next one is rotated with it
	for _, i := range order {
		switch {
		case out.rho*math.Abs(z[i]) <= least:
			out.drops = append(out.drops, i)
		case last < 0:
			last = i
		case out.merge(last, i, least, vector):
			out.drops = append(out.drops, last)
			last = i
		default:
			out.kept = append(out.kept, last)
			last = i
		}
	}
	if last >= 0 {
		out.kept = append(out.kept, last)
	}
	return out
}

// merge rotates rows a and b, d[a] ≤ d[b], so that z[a] is zero, if the element that this makes beside
// the diagonal is negligible.
func (f *rankOne) merge(a, b int, least float64, vector func(i int) []float64) bool {
	length := math.Hypot(f.z[a], f.z[b])
	c, s := f.z[b]/length, -f.z[a]/length
	if math.Abs((f.d[b]-f.d[a])*c*s) > least {
		return false
	}
	f.z[a], f.z[b] = 0, length
	x, y := vector(a), vector(b)
	for j, v := range x {
		x[j], y[j] = c*v+s*y[j], c*y[j]-s*v
	}
	f.d[a], f.d[b] = f.d[a]*c*c+f.d[b]*s*s, f.d[a]*s*s+f.d[b]*c*c
	if f.part[a] != f.part[b] {
		f.part[b] = bothParts
	}
	return true
}
