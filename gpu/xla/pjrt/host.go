package pjrt

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// HostChip names what of this processor decides the instructions that a compiler for it chooses, and with them the
// last bits: the widest vectors, and whether there are products of bfloat16.
func HostChip() string {
	switch {
	case runtime.GOARCH != "amd64":
		return runtime.GOARCH
	case cpu.X86.HasAMXBF16:
		return "avx512-amx"
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512BF16:
		return "avx512-bf16"
	case cpu.X86.HasAVX512F:
		return "avx512"
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return "avx2"
	}
	return "amd64"
}
