package trial

import (
	"math"
	"testing"
)

// TestReliabilityByHand: halves with a cosine of .5 make a whole of 2·.5/1.5; of halves that have nothing in
// common there is no more of it than none.
func TestReliabilityByHand(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		halves      []float64
		half, whole float64
		splits      int
	}{
		"one half":        {[]float64{.25, .75}, .5, 2. / 3, 2},
		"perfect":         {[]float64{1, 1, 1}, 1, 1, 3},
		"nothing":         {[]float64{.1, -.1}, 0, 0, 2},
		"less than that":  {[]float64{-.5, -1}, -.75, 0, 2},
		"one was not cut": {[]float64{nan, .6}, .6, .75, 1},
		"none was":        {[]float64{nan}, nan, nan, 0},
	} {
		got := ReliabilityOf(c.halves)
		for _, pair := range [][2]float64{{float64(got.Halves), c.half}, {float64(got.Whole), c.whole}} {
			if math.Abs(pair[0]-pair[1]) > 1e-12 || math.IsNaN(pair[0]) != math.IsNaN(pair[1]) {
				t.Errorf("%s: %+v, want %g and %g", name, got, c.half, c.whole)
			}
		}
		if got.Splits != c.splits {
			t.Errorf("%s: %d splits, want %d", name, got.Splits, c.splits)
		}
	}
}

// TestFloorByHand: of 0, .01, … 1 the mean is .5 and nine in ten lie from .05 to .95. A cosine is more than that
// only if it is above the upper end.
func TestFloorByHand(t *testing.T) {
	values := []float64{math.NaN()}
	for i := range 101 {
		values = append(values, float64((i*37)%101)/100) // in no order
	}
	f := FloorOf(values)
	for _, pair := range [][2]float64{{float64(f.Mean), .5}, {float64(f.Low), .05}, {float64(f.High), .95}, {float64(f.Permutations), 101}} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("floor %+v: %g, want %g", f, pair[0], pair[1])
		}
	}
	if !f.Under(.9) || !f.Under(f.High) || f.Under(.96) || f.Under(missing) {
		t.Errorf("under %g are .9: %t, itself: %t, .96: %t, nothing: %t", float64(f.High), f.Under(.9), f.Under(f.High), f.Under(.96), f.Under(missing))
	}
	if none := FloorOf([]float64{math.NaN()}); !none.Mean.Missing() || !none.High.Missing() || none.Permutations != 0 || none.Under(.5) {
		t.Errorf("without a cosine: %+v", none)
	}
}
