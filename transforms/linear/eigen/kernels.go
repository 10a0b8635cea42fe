package eigen

import "math"

const (
	lanes = 8 // sums of every kernel, whatever the processor's registers hold
	group = 8 // rows that a kernel takes at once
)

// kernels are the loops in which a reduction spends its time outside of matrix products. Vectors have a
// multiple of [lanes] elements. Sum number l of a dot product is over elements l, l+8, l+16, …, each added
// with one rounding (FMA), and what is added to an element comes row by row: a kernel of any processor has
// the same bits.
//
// In all of them a is [group×len(x)] with rows lda apart, or one row.
type kernels struct {
	name string

	// upper multiplies eight rows of the upper triangle of a symmetric matrix, from the diagonal on, reading
	// each element once for both its places: sums[8r+l] = Σ a[r]·x of lane l, of what is behind the diagonal,
	// and y += Σ x[r]·a[r], of the diagonal and what is behind it. There are eight columns at least.
	upper func(a []float64, lda int, x, y []float64, sums *[group * lanes]float64)

	// row does the same with a row that has no element on the diagonal: sums[l] = Σ a·x of lane l, and y += f·a.
	row func(a, x, y []float64, f float64, sums *[lanes]float64)

	// dots are the products of eight whole rows, sums[8r+l] = Σ a[r]·x of lane l; add is y += Σ f[r]·a[r].
	dots func(a []float64, lda int, x []float64, sums *[group * lanes]float64)
	add  func(a []float64, lda int, y []float64, f *[group]float64)
}

// total adds up the lanes of one dot product.
func total(sums []float64) float64 {
	_ = sums[lanes-1]
	return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

var genericKernels = kernels{name: "generic", upper: upperGeneric, row: rowGeneric, dots: dotsGeneric, add: addGeneric}

// fastest is what reductions use.
var fastest = func() *kernels {
	if k := vectorKernels(); k != nil {
		return k
	}
	return &genericKernels
}()

func upperGeneric(a []float64, lda int, x, y []float64, sums *[group * lanes]float64) {
	for r := range group {
		row, own := a[r*lda:][:len(x)], (*[lanes]float64)(sums[r*lanes:])
		y[r] = math.FMA(x[r], row[r], y[r])
		addRowGeneric(row[r+1:], y[r+1:len(x)], x[r])
		*own = [lanes]float64{}
		for l := r + 1; l < lanes; l++ {
			own[l] = math.FMA(row[l], x[l], 0)
		}
		dotGeneric(row[lanes:], x[lanes:], own)
	}
}

func rowGeneric(a, x, y []float64, f float64, sums *[lanes]float64) {
	*sums = [lanes]float64{}
	dotGeneric(a, x, sums)
	addRowGeneric(a, y[:len(x)], f)
}

func dotsGeneric(a []float64, lda int, x []float64, sums *[group * lanes]float64) {
	for r := range group {
		own := (*[lanes]float64)(sums[r*lanes:])
		*own = [lanes]float64{}
		dotGeneric(a[r*lda:], x, own)
	}
}

func addGeneric(a []float64, lda int, y []float64, f *[group]float64) {
	for r := range group {
		addRowGeneric(a[r*lda:], y, f[r])
	}
}

// dotGeneric adds the lanes of a·x to sums.
func dotGeneric(a, x []float64, sums *[lanes]float64) {
	s0, s1, s2, s3, s4, s5, s6, s7 := sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
	for a = a[:len(x)]; len(x) >= lanes && len(a) >= lanes; a, x = a[lanes:], x[lanes:] {
		s0 = math.FMA(a[0], x[0], s0)
		s1 = math.FMA(a[1], x[1], s1)
		s2 = math.FMA(a[2], x[2], s2)
		s3 = math.FMA(a[3], x[3], s3)
		s4 = math.FMA(a[4], x[4], s4)
		s5 = math.FMA(a[5], x[5], s5)
		s6 = math.FMA(a[6], x[6], s6)
		s7 = math.FMA(a[7], x[7], s7)
	}
	*sums = [lanes]float64{s0, s1, s2, s3, s4, s5, s6, s7}
}

func addRowGeneric(a, y []float64, f float64) {
	for i, v := range a[:len(y)] {
		y[i] = math.FMA(f, v, y[i])
	}
}
