package steer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/gpu"
)

// A Steering says where and how strongly a vector is added.
type Steering struct {
	Layer     int // block number from 0; the vector is added after it
	Positions gpu.Positions
	Alpha     float64 // negative: away from the vector
	Unit      Unit
}

// errNoDirection reports a vector of length 0.
var errNoDirection = errors.New("the vector is zero, so it has no direction")

// Push scales v, which has v.Norm, into what a decoder adds. length is that of what is added, in the
// unit of the residual stream, negative where alpha is.
func (s Steering) Push(v artifacts.Vector, scales artifacts.Scales) (push gpu.Push, length float64, err error) {
	factor := s.Alpha
	if s.Unit != Absolute {
		scale, err := s.Unit.scale(scales)
		if err != nil {
			return push, 0, err
		}
		if v.Norm == 0 {
			return push, 0, errNoDirection
		}
		factor *= scale / v.Norm
	}
	push = gpu.Push{Site: gpu.Site{Layer: s.Layer}, Vector: make([]float32, len(v.Values)), Positions: s.Positions}
	for i, x := range v.Values {
		push.Vector[i] = float32(factor * float64(x))
		if d := push.Vector[i]; d-d != 0 {
			return gpu.Push{}, 0, fmt.Errorf("alpha %g times the vector's value %d is %g", s.Alpha, i, d)
		}
	}
	return push, factor * v.Norm, nil
}

var positions = [...]gpu.Positions{gpu.Response, gpu.All, gpu.LastPrompt}

// Positions are the names of the tokens that a vector can be added at.
func Positions() (names []string) {
	for _, p := range positions {
		names = append(names, p.String())
	}
	return names
}

// ParsePositions reads one of those names.
func ParsePositions(name string) (gpu.Positions, error) {
	for _, p := range positions {
		if p.String() == name {
			return p, nil
		}
	}
	return 0, fmt.Errorf("unknown positions %.40q; want one of %s", name, strings.Join(Positions(), ", "))
}
