//go:build cgo && linux && (amd64 || arm64) && !noxla

package xla

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
)

func init() {
	// Nothing is ever fetched, nor a plugin searched for: the file is chosen by whoever opens a device.
	xla.EnableAutoInstall(false)
}

// openPlugin opens the backend of a PJRT plugin. The library guesses from words in a path how memory is
// shared and what options there are, so both are said here.
func openPlugin(p Plugin) (compute.Backend, error) {
	options := "shared_buffers"
	if p.CUDA {
		options = fmt.Sprintf("noshared_buffers,tf32=false,preallocate=false,visible_devices=%d", p.Ordinal)
	}
	return xla.New(p.Path + "," + options)
}
