package cpu

import (
	"math"

	"golang.org/x/sys/cpu"
)

// vectorKernels lists what this processor has, the best first. Products of 512-bit registers need only
// AVX-512F; operations by elements are a few hundredths of a model's work and use 256 bits everywhere.
func vectorKernels() []*kernels {
	var out []*kernels
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasF16C {
		return nil
	}
	k := kernels{
		name: "avx2", product: productAVX2, squares: squaresVector, largest: largestVector, exps: expsVector, distances: distancesVector,
		add: addVector, scale: scaleVector, norm: normVector, silu: siluVector, geluTanh: geluTanhVector,
		softcap: softcapVector, rotate: rotateVector, widen: bits256.widening(),
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL {
		wide := k
		wide.name, wide.product, wide.widen, wide.single = "avx512", productAVX512, bits512.widening(), wideSingle
		out = append(out, &wide)
	}
	return append(out, &k)
}

//go:noescape
func product12x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)

//go:noescape
func product8x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)

//go:noescape
func product4x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)

//go:noescape
func product6x16(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)

//go:noescape
func product3x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)

//go:noescape
func product2x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)

//go:noescape
func product1x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)

// checkProduct panics unless the slices hold what a product reads and writes.
func checkProduct(c []float32, ldc int, a []float32, lda int, b []float32, m, k int) {
	if k < 1 || len(b) < k*panel || len(a) < (m-1)*lda+k || len(c) < (m-1)*ldc+panel || lda < 0 || ldc < panel {
		panic("cpu: a product goes beyond its matrices")
	}
}

func flag(b bool) uintptr {
	if b {
		return 1
	}
	return 0
}

func productAVX512(c []float32, ldc int, a []float32, lda int, b []float32, m, k int, more bool) {
	if m < 1 {
		return
	}
	checkProduct(c, ldc, a, lda, b, m, k)
	la, lc, n, on := uintptr(4*lda), uintptr(4*ldc), uintptr(k), flag(more)
	i := 0
	for ; m-i >= 12; i += 12 {
		product12x32(&a[i*lda], la, &b[0], n, &c[i*ldc], lc, on)
	}
	for ; m-i >= 8; i += 8 {
		product8x32(&a[i*lda], la, &b[0], n, &c[i*ldc], lc, on)
	}
	if left := m - i; left == 4 || left == 5 {
		product4x32(&a[i*lda], la, &b[0], n, &c[i*ldc], lc, on)
		i += 4
	}
	if i < m { // so few sums that shorter registers wait less
		productAVX2(c[i*ldc:], ldc, a[i*lda:], lda, b, m-i, k, more)
	}
}

func productAVX2(c []float32, ldc int, a []float32, lda int, b []float32, m, k int, more bool) {
	if m < 1 {
		return
	}
	checkProduct(c, ldc, a, lda, b, m, k)
	la, lc, n, on := uintptr(4*lda), uintptr(4*ldc), uintptr(k), flag(more)
	i := 0
	for ; m-i >= 6; i += 6 {
		product6x16(&a[i*lda], la, &b[0], n, &c[i*ldc], lc, on)
		product6x16(&a[i*lda], la, &b[16], n, &c[i*ldc+16], lc, on)
	}
	for ; m-i >= 3; i += 3 {
		product3x32(&a[i*lda], la, &b[0], n, &c[i*ldc], lc, on)
	}
	if m-i == 2 {
		product2x32(&a[i*lda], la, &b[0], n, &c[i*ldc], lc, on)
	} else if m-i == 1 {
		product1x32(&a[i*lda], la, &b[0], n, &c[i*ldc], lc, on)
	}
}

// constants are those of exp.go, each in 8 lanes, in the order of the names in elements_amd64.s.
//
//lint:ignore U1000 read by elements_amd64.s
var constants = func() (out [25][8]float32) {
	for i, v := range [25]float32{
		expMost, expLeast, expLog2, expHigh, expLow, exp5, exp4, exp3, exp2, exp1, exp0, 1,
		math.Float32frombits(127), math.Float32frombits(1 << 31), geluCubic, geluInner,
		tanhSmall, tanh4, tanh3, tanh2, tanh1, tanh0, 2, math.Float32frombits(1<<31 - 1), float32(math.Inf(-1)),
	} {
		for l := range out[i] {
			out[i][l] = v
		}
	}
	return out
}()
