//go:build amd64 && goexperiment.simd

package gpu

import "simd/archsimd"

const simdBuild = true

// isa names the kernels that the backend chooses on this machine.
func isa() string {
	switch {
	case archsimd.X86.AVX512():
		return "avx512"
	case archsimd.X86.AVX2():
		return "avx2"
	}
	return "generic-amd64"
}
