package steer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
)

// A Unit says what alpha 1 is.
type Unit string

// The units.
const (
	Residual Unit = "residual" // the mean residual norm
	Spread   Unit = "spread"   // the mean distance of residuals from their mean
	Native   Unit = "native"   // the mean residual norm times the source vector's share of its own model's
	Absolute Unit = "absolute" // the vector itself, with the length that it has
)

// Units are those that there are, as configurations and flags name them.
func Units() []string {
	return []string{string(Residual), string(Spread), string(Native), string(Absolute)}
}

// ParseUnit reads a unit's name.
func ParseUnit(name string) (Unit, error) {
	for _, known := range Units() {
		if name == known {
			return Unit(name), nil
		}
	}
	return "", fmt.Errorf("unknown unit %.40q; want one of %s", name, strings.Join(Units(), ", "))
}

// String says in words what alpha is multiplied by.
func (u Unit) String() string {
	switch u {
	case Residual:
		return "the mean residual norm"
	case Spread:
		return "the mean distance from the mean residual"
	case Native:
		return "the vector's own relative length"
	case Absolute:
		return "the vector's length as it stands"
	}
	return fmt.Sprintf("unit %q", string(u))
}

// ErrNoScale reports a unit whose length has not been measured.
var ErrNoScale = errors.New("what alpha 1 is has not been measured")

// scale is the length that alpha 1 stands for in a unit other than Absolute.
func (u Unit) scale(s artifacts.Scales) (float64, error) {
	length, known := map[Unit]float64{Residual: s.Residual, Spread: s.Spread, Native: s.Native}[u]
	switch {
	case !known:
		_, err := ParseUnit(string(u))
		return 0, err
	case length == 0:
		return 0, fmt.Errorf("alpha in unit %q: %w", string(u), ErrNoScale)
	}
	return length, nil
}
