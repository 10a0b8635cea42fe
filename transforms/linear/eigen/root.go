package eigen

import "math"

// sums returns the two halves of f at d[from] + off, ψ of the terms up to i = j, which are negative, and φ of
// the others, and their derivatives.
func (s *secular) sums(j, from int, off float64) (psi, dpsi, phi, dphi float64) {
	near := s.d[from]
	for i, z := range s.z[:j+1] {
		t := z / ((s.d[i] - near) - off)
		psi += z * t
		dpsi += t * t
	}
	for i, z := range s.z[j+1:] {
		t := z / ((s.d[j+1+i] - near) - off)
		phi += z * t
		dphi += t * t
	}
	return psi, dpsi, phi, dphi
}

// root finds root j: which of d it is counted from, and its distance from there.
//
// Each step replaces ψ by the function a + b/(d_j − λ) that has its value and derivative, φ likewise with
// d_{j+1}, and takes the root of their sum: the middle way of Li (1993), "Solving secular equations stably and
// efficiently", LAPACK Working Note 89. A step that leaves the interval in which the root is known to be, and
// every eighth, is replaced by halving it, so that the search ends whatever the weights.
func (s *secular) root(j int) (from int, off float64) {
	from, off, lo, hi := s.begin(j)
	if from < 0 {
		return j, off
	}
	last := j == len(s.d)-1
	for step := 1; ; step++ {
		psi, dpsi, phi, dphi := s.sums(j, from, off)
		f := 1/s.rho + psi + phi
		// What rounding does to f: a few bits of its terms, and what one bit of off changes.
		if math.Abs(f) <= eps*(16*(1/s.rho-psi+phi)+math.Abs(off)*(dpsi+dphi)) {
			return from, off
		}
		if f < 0 {
			lo = off
		} else {
			hi = off
		}
		left := (s.d[j] - s.d[from]) - off
		var next float64
		if last {
			next = off + left*f/(f-left*dpsi)
		} else {
			right := (s.d[j+1] - s.d[from]) - off
			next = off + smaller(f-left*dpsi-right*dphi, (left+right)*f-left*right*(dpsi+dphi), left*right*f)
		}
		if !(next > lo && next < hi) || step%8 == 0 {
			next = lo + (hi-lo)/2
		}
		if math.Abs(next-off) <= eps*math.Abs(next) || !(next > lo && next < hi) {
			return from, off
		}
		off = next
	}
}

// begin returns where root j is counted from, a first guess, and the bounds of its distance. If from is
// negative, the guess is exact.
func (s *secular) begin(j int) (from int, off, lo, hi float64) {
	if j == len(s.d)-1 {
		var square float64
		for _, z := range s.z {
			square += z * z
		}
		// All roots together have moved by ρ·|z|².
		if j == 0 {
			return -1, s.rho * square, 0, 0
		}
		hi = s.rho * square * (1 + 4*eps*float64(len(s.z)))
		return j, s.rho * s.z[j] * s.z[j], 0, hi
	}
	// The half of the interval is told by the sign of f between. There all terms but the two next to the root are
	// taken for constant.
	width := s.d[j+1] - s.d[j]
	psi, _, phi, _ := s.sums(j, j, width/2)
	a, b := s.z[j]*s.z[j], s.z[j+1]*s.z[j+1]
	f := 1/s.rho + psi + phi
	c := f + (a-b)/(width/2)
	if f >= 0 {
		from, lo, hi = j, 0, width/2
		off = smaller(c, c*width+a+b, a*width)
	} else {
		from, lo, hi = j+1, -width/2, 0
		off = smaller(c, -c*width+a+b, -b*width)
	}
	if !(off > lo && off < hi) {
		off = lo + (hi-lo)/2
	}
	return from, off, lo, hi
}

// smaller returns the root of c·x² − a·x + b that is (a − √(a² − 4bc)) / 2c, without cancellation.
func smaller(c, a, b float64) float64 {
	root := math.Sqrt(max(0, a*a-4*b*c))
	if a <= 0 {
		return (a - root) / (2 * c)
	}
	return 2 * b / (a + root)
}
