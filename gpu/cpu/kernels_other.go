//go:build !amd64

package cpu

// vectorKernels is empty: this architecture has the generic kernels only.
func vectorKernels() []*kernels { return nil }
