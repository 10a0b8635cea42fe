//go:build !(amd64 && goexperiment.simd)

package xla

import "runtime"

// isa names the architecture alone: without vector instructions the compiler may still fuse
// multiplications with additions on some of them.
func isa() string { return "generic-" + runtime.GOARCH }
