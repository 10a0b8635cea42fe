//go:build amd64 && goexperiment.simd

package xla

import (
	"os"
	"simd/archsimd"
	"strconv"
)

// isa names the kernels that the backend chooses on this machine. It lets users switch
// instruction sets off, which changes the bits.
func isa() string {
	switch {
	case archsimd.X86.AVX512() && allowed("GOMLX_SIMD_AVX512"):
		return "avx512"
	case archsimd.X86.AVX2() && allowed("GOMLX_SIMD_AVX2"):
		return "avx2"
	}
	return "generic-amd64"
}

// allowed reports whether one of the backend's environment variables leaves a set switched on.
func allowed(variable string) bool {
	on, err := strconv.ParseBool(os.Getenv(variable))
	return on || err != nil
}
