package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// vectorKernels lists what this processor has, the best first.
func vectorKernels() (out []*kernels) {
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ {
		out = append(out, &kernels{"avx512", multiplyAVX512, substituteAVX512})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		out = append(out, &kernels{"avx2", multiplyAVX2, substitute})
	}
	return out
}

//go:noescape
func multiply512(k uintptr, a, b, c *float64, ldc uintptr)

//go:noescape
func multiply256(k uintptr, a, b, c *float64, ldc uintptr)

//go:noescape
func substitute512(t, c *float64, ldc uintptr)

func multiplyAVX512(k int, a, b, c []float64, ldc int) {
	checkTile(k, a, b, c, ldc)
	multiply512(uintptr(k), unsafe.SliceData(a), unsafe.SliceData(b), &c[0], 8*uintptr(ldc))
}

func multiplyAVX2(k int, a, b, c []float64, ldc int) {
	checkTile(k, a, b, c, ldc)
	if k == 0 {
		return
	}
	for i := 0; i < tileRows; i += 6 {
		for j := 0; j < tileCols; j += 8 {
			multiply256(uintptr(k), &a[i], &b[j], &c[i*ldc+j], 8*uintptr(ldc))
		}
	}
}

func substituteAVX512(t, c []float64, ldc int) {
	checkTile(tileRows, t, c, c, ldc)
	substitute512(&t[0], &c[0], 8*uintptr(ldc))
}
