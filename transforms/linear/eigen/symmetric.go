package eigen

import "math"

// partsOf cuts the rows of the upper triangle of a matrix [m×m] into parts of about as many elements, whatever
// the number of threads, since every part has its own sums. From all bounds but the first on, a
// multiple of eight columns is left.
func partsOf(m int) (bounds [group + 1]int) {
	for p := 1; p < group; p++ {
		left := float64(m) * math.Sqrt(1-float64(p)/group)
		bounds[p] = max(bounds[p-1], m-int(left)/group*group)
	}
	bounds[group] = m
	return bounds
}

// symmetric adds to y what rows from to to−1 of the upper triangle of S contribute to S·x, where S [m×m] is
// the matrix from row and column at on: an element beside the diagonal is read once and used for both its places.
// What sums hold does not count.
func (r *reduction) symmetric(y, x []float64, at, from, to int, sums *[group * lanes]float64) {
	m := len(x)
	i := from
	for ; i < to && (m-i)%group != 0; i++ {
		r.single(y, x, at, i, (*[lanes]float64)(sums[:]))
	}
	for ; i < to; i += group {
		r.k.upper(r.a[(at+i)*r.n+at+i:], r.n, x[i:], y[i:m], sums)
		for l := range group {
			y[i+l] += total(sums[l*lanes:])
		}
	}
}

// single is symmetric for row i.
func (r *reduction) single(y, x []float64, at, i int, sums *[lanes]float64) {
	m := len(x)
	row := r.a[(at+i)*r.n+at:][:m]
	vector := i + (m-i)%group // from here on, columns by eights
	sum := row[i] * x[i]
	for j := i + 1; j < vector; j++ {
		sum = math.FMA(row[j], x[j], sum)
		y[j] = math.FMA(row[j], x[i], y[j])
	}
	r.k.row(row[vector:], x[vector:], y[vector:m], x[i], sums)
	y[i] += sum + total(sums[:])
}
