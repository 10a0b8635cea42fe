package eigen

import "golang.org/x/sys/cpu"

// vectorKernels is nil on a processor without registers of 512 bits.
func vectorKernels() *kernels {
	if !cpu.X86.HasAVX512F {
		return nil
	}
	return &kernels{name: "avx512", upper: upperVector, row: rowVector, dots: dotsVector, add: addVector}
}

// The pointers are to the first elements, lda is in bytes, and n is a number of times eight columns, at least one.

//go:noescape
func upperAVX512(a *float64, lda uintptr, n uintptr, x, y *float64, sums *[group * lanes]float64)

//go:noescape
func rowAVX512(a *float64, n uintptr, x, y *float64, f float64, sums *[lanes]float64)

//go:noescape
func dotsAVX512(a *float64, lda uintptr, n uintptr, x *float64, sums *[group * lanes]float64)

//go:noescape
func addAVX512(a *float64, lda uintptr, n uintptr, y *float64, f *[group]float64)

// check panics unless a kernel stays inside of what it reads and writes.
func check(a []float64, rows, lda, columns int) {
	if columns%lanes != 0 || lda < columns || len(a) < (rows-1)*lda+columns {
		panic("eigen: a kernel goes beyond its matrix")
	}
}

func upperVector(a []float64, lda int, x, y []float64, sums *[group * lanes]float64) {
	check(a, group, lda, len(x))
	x, y = x[:max(group, len(x))], y[:len(x)]
	upperAVX512(&a[0], uintptr(8*lda), uintptr(len(x)/lanes), &x[0], &y[0], sums)
}

func rowVector(a, x, y []float64, f float64, sums *[lanes]float64) {
	check(a, 1, len(x), len(x))
	if len(x) == 0 {
		*sums = [lanes]float64{}
		return
	}
	y = y[:len(x)]
	rowAVX512(&a[0], uintptr(len(x)/lanes), &x[0], &y[0], f, sums)
}

func dotsVector(a []float64, lda int, x []float64, sums *[group * lanes]float64) {
	check(a, group, lda, len(x))
	if len(x) == 0 {
		*sums = [group * lanes]float64{}
		return
	}
	dotsAVX512(&a[0], uintptr(8*lda), uintptr(len(x)/lanes), &x[0], sums)
}

func addVector(a []float64, lda int, y []float64, f *[group]float64) {
	check(a, group, lda, len(y))
	if len(y) > 0 {
		addAVX512(&a[0], uintptr(8*lda), uintptr(len(y)/lanes), &y[0], f)
	}
}
