//go:build !(cgo && linux && (amd64 || arm64) && !noxla)

package xla

import (
	"errors"

	"github.com/gomlx/compute"
)

var errBuiltWithout = errors.New("this program was built without XLA, which needs Linux and cgo (CGO_ENABLED=1 and a C compiler, without -tags noxla)")

// Built tells why this program can open no plugin.
func Built() error { return errBuiltWithout }

func openPlugin(Plugin) (compute.Backend, error) { return nil, errBuiltWithout }

// Cards are the cards that NVIDIA's driver shows this program; it does not ask.
func Cards() []string { return nil }

func facts(compute.Backend) (Facts, error) { return Facts{}, errBuiltWithout }
