package eigen

import (
	"fmt"
	"math"

	lapack "gonum.org/v1/gonum/lapack/gonum"
)

// Symmetric decomposes A, the symmetric matrix whose upper triangle is in a [n×n], row-major: A = Vᵀ·diag(values)·V.
// The values increase; on return row i of a is the eigenvector of values[i], of length one, with its
// largest element positive (the first of these, if there are several).
//
// Both are exact for a matrix within about n·2⁻⁵³·‖A‖ of A, and V·Vᵀ is within about n·2⁻⁵³ of I; small eigenvalues
// have no more digits than that. The rest of a is overwritten, and 2·n² + 1,200·n more values are allocated.
//
// It is an error if an element is infinite or NaN, or if an eigenvalue is too large for a float64; then a is
// in an undefined state. A slice that is too short is a panic.
func Symmetric(a []float64, n int) (values []float64, err error) {
	exponent, err := prepare(a, n)
	if err != nil {
		return nil, err
	}
	c := newCrew(n)
	defer c.dismiss()
	r := reduce(a[:n*n], n, c, fastest)
	t := &divide{n: n, d: r.d, e: r.e, crew: c, z: make([]float64, n*n)}
	if err := t.solve(); err != nil {
		return nil, fmt.Errorf("eigenvectors of a matrix of %d rows: %w", n, err)
	}
	r.back(t.z)
	values = make([]float64, n)
	c.blocks(n, 16, func(from, to int) {
		for i := from; i < to; i++ {
			values[i] = r.d[t.order[i]]
			orient(a[i*n:(i+1)*n], t.z[t.order[i]*n:][:n])
		}
	})
	if err := unscale(values, exponent); err != nil {
		return nil, err
	}
	return values, nil
}

// Values returns what [Symmetric] does without the vectors, and overwrites a.
func Values(a []float64, n int) ([]float64, error) {
	exponent, err := prepare(a, n)
	if err != nil {
		return nil, err
	}
	c := newCrew(n)
	defer c.dismiss()
	r := reduce(a[:n*n], n, c, fastest)
	if !(lapack.Implementation{}).Dsterf(n, r.d, r.e) {
		return nil, fmt.Errorf("eigenvalues of a matrix of %d rows: no convergence", n)
	}
	if err := unscale(r.d, exponent); err != nil {
		return nil, err
	}
	return r.d, nil
}

// prepare scales the upper triangle of a by the power of two that brings its largest element between one and
// two, so that no square of an element overflows and none that matters vanishes (LAPACK dsyevd does so if
// it must). Scaling by powers of two is exact: a multiple by such a power has the same vectors, to the bit.
func prepare(a []float64, n int) (exponent int, err error) {
	if n < 0 || len(a) < n*n {
		panic(fmt.Sprintf("eigen: %d values for a matrix of %d rows", len(a), n))
	}
	var most float64
	for i := range n {
		for j, v := range a[i*n+i : (i+1)*n] {
			if v = math.Abs(v); !(v <= math.MaxFloat64) {
				return 0, fmt.Errorf("eigenvalues of a matrix of %d rows: element (%d, %d) is %v", n, i, i+j, a[i*n+i+j])
			}
			most = max(most, v)
		}
	}
	if most == 0 {
		return 0, nil
	}
	if exponent = math.Ilogb(most); exponent == 0 {
		return 0, nil
	}
	// The inverse of the smallest numbers is out of range, so there are two steps.
	first := math.Ldexp(1, -exponent/2)
	second := math.Ldexp(1, -exponent-(-exponent/2))
	for i := range n {
		for j, v := range a[i*n+i : (i+1)*n] {
			a[i*n+i+j] = v * first * second
		}
	}
	return exponent, nil
}

// unscale undoes what prepare has done to the values.
func unscale(values []float64, exponent int) error {
	for i, v := range values {
		values[i] = math.Ldexp(v, exponent)
		if math.IsInf(values[i], 0) {
			return fmt.Errorf("eigenvalues of a matrix of %d rows: %g·2^%d is out of range", len(values), v, exponent)
		}
	}
	return nil
}

// orient sets out to v or to −v, that of the two which has the positive largest element.
func orient(out, v []float64) {
	var most float64
	for _, x := range v {
		if math.Abs(x) > math.Abs(most) {
			most = x
		}
	}
	if most >= 0 {
		copy(out, v)
		return
	}
	for i, x := range v {
		out[i] = -x
	}
}
