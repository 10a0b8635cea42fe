package steer

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/gpu"
)

// TestDose scales the vector (3, 4) in every unit: its direction times alpha and the unit's length, and
// in "absolute" alpha times the vector.
func TestDose(t *testing.T) {
	v := artifacts.Vector{Norm: 5, Values: []float32{3, 4}}
	scales := artifacts.Scales{Residual: 10, Spread: 4, Native: 2}
	for _, c := range []struct {
		unit  Unit
		alpha float64
		want  []float32
		long  float64
	}{
		{Residual, .5, []float32{3, 4}, 5}, {Residual, -1, []float32{-6, -8}, -10}, {Spread, 2.5, []float32{6, 8}, 10},
		{Native, 5, []float32{6, 8}, 10}, {Absolute, 2, []float32{6, 8}, 10}, {Absolute, -1, []float32{-3, -4}, -5},
	} {
		s := Steering{Layer: 3, Positions: gpu.LastPrompt, Alpha: c.alpha, Unit: c.unit}
		push, long, err := s.Push(v, scales)
		if err != nil || !slices.Equal(push.Vector, c.want) || long != c.long {
			t.Errorf("alpha %g %s: %v of length %g (%v), want %v of length %g", c.alpha, string(c.unit), push.Vector, long, err, c.want, c.long)
		}
		if push.Site.Layer != 3 || push.Positions != gpu.LastPrompt {
			t.Errorf("added after block %d at %v, want 3 at last_prompt", push.Site.Layer, push.Positions)
		}
	}
	if v.Values[0] != 3 {
		t.Error("the vector itself was scaled")
	}
}

// TestDoseHasTheLengthOfItsUnit steers with vectors of different lengths: in every unit but absolute,
// alpha alone says how far the residual is moved.
func TestDoseHasTheLengthOfItsUnit(t *testing.T) {
	scales := artifacts.Scales{Residual: 10, Spread: 4, Native: 2.5}
	for _, length := range []float64{.01, 1, 300} {
		v := artifacts.Vector{Norm: 5 * length, Values: []float32{float32(3 * length), float32(-4 * length)}}
		for unit, want := range map[Unit]float64{Residual: 5, Spread: 2, Native: 1.25, Absolute: .5 * 5 * length} {
			push, reported, err := Steering{Alpha: .5, Unit: unit}.Push(v, scales)
			if err != nil {
				t.Fatalf("%s: %v", string(unit), err)
			}
			got := math.Hypot(float64(push.Vector[0]), float64(push.Vector[1]))
			if math.Abs(got-want) > 1e-6*want || math.Abs(reported-want) > 1e-12*want {
				t.Errorf("%s, vector of length %g: pushed by %g, reported %g, want %g", string(unit), v.Norm, got, reported, want)
			}
			if cosine := (float64(push.Vector[0])*3 - float64(push.Vector[1])*4) / (got * 5); math.Abs(cosine-1) > 1e-6 {
				t.Errorf("%s: cosine with the vector %g, want 1", string(unit), cosine)
			}
		}
	}
	zero := artifacts.Vector{Values: []float32{0, 0}}
	if push, n, err := (Steering{Alpha: 1, Unit: Absolute}).Push(zero, scales); err != nil || n != 0 || push.Vector[0] != 0 {
		t.Errorf("a zero vector, absolute: %v %g %v, want no push", push, n, err)
	}
}

// TestNoDose asks for what cannot be worked out.
func TestNoDose(t *testing.T) {
	v := artifacts.Vector{Norm: 5, Values: []float32{3, 4}}
	known := artifacts.Scales{Residual: 10, Spread: 4, Native: 2}
	if _, _, err := (Steering{Alpha: 2, Unit: Absolute}).Push(v, artifacts.Scales{}); err != nil {
		t.Errorf("absolute needs no scales: %v", err)
	}
	for _, unit := range []Unit{Residual, Spread, Native} {
		if _, _, err := (Steering{Alpha: 2, Unit: unit}).Push(v, artifacts.Scales{}); !errors.Is(err, ErrNoScale) {
			t.Errorf("%s without scales: %v, want ErrNoScale", string(unit), err)
		}
	}
	for name, push := range map[string]func() error{
		"a zero vector": func() error {
			_, _, err := (Steering{Alpha: 1, Unit: Spread}).Push(artifacts.Vector{Values: []float32{0}}, known)
			return err
		},
		"an unknown unit": func() error { _, _, err := (Steering{Alpha: 1, Unit: "miles"}).Push(v, known); return err },
		"no unit":         func() error { _, _, err := (Steering{Alpha: 1}).Push(v, known); return err },
		"too much":        func() error { _, _, err := (Steering{Alpha: 1e39, Unit: Absolute}).Push(v, known); return err },
		"NaN":             func() error { _, _, err := (Steering{Alpha: math.NaN(), Unit: Absolute}).Push(v, known); return err },
	} {
		if push() == nil {
			t.Errorf("%s was given a dose", name)
		}
	}
}

// TestNames reads every name that there is, and no other.
func TestNames(t *testing.T) {
	for _, name := range Units() {
		if u, err := ParseUnit(name); err != nil || string(u) != name {
			t.Errorf("unit %q: %q, %v", name, string(u), err)
		}
	}
	for _, name := range Positions() {
		if p, err := ParsePositions(name); err != nil || p.String() != name {
			t.Errorf("positions %q: %v, %v", name, p, err)
		}
	}
	if _, err := ParseUnit("Spread"); err == nil {
		t.Error("a unit of another spelling was read")
	}
	if _, err := ParsePositions(""); err == nil {
		t.Error("no positions were read")
	}
}
