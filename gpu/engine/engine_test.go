package engine

import (
	"math"
	"testing"
)

func TestZeroEdits(t *testing.T) {
	minus := float32(math.Copysign(0, -1))
	if !(Edit{Vector: []float32{0, minus}}).Zero() || (Edit{Vector: []float32{0, math.SmallestNonzeroFloat32}}).Zero() {
		t.Error("Zero does not tell zeros of both signs from the smallest number")
	}
}
