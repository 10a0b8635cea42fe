//go:build !amd64

package kernel

// vectorKernels is empty: this architecture has the generic kernels only.
func vectorKernels() []*kernels { return nil }
