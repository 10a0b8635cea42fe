//go:build !(cgo && linux && (amd64 || arm64) && !noxla)

package xla

import (
	"errors"

	"github.com/gomlx/compute"
)

func openPlugin(Plugin) (compute.Backend, error) {
	return nil, errors.New("this program was built without XLA, which needs cgo on Linux")
}
