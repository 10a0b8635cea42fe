//go:build !amd64

package eigen

// vectorKernels is nil: this architecture has the generic kernels only.
func vectorKernels() *kernels { return nil }
