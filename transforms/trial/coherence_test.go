package trial

import (
	"math"
	"testing"
)

// TestCoherenceIsTheLessOfTwoLines: of words whose order tells nothing it is 1, of as much as in unsteered
// texts 4.6, of more at most 5; and beyond twice the nats of unsteered texts it falls by 2 for each time.
func TestCoherenceIsTheLessOfTwoLines(t *testing.T) {
	anchor := Likelihood{NLL: 2, Order: 4.5}
	for _, c := range []struct{ nats, share, want float64 }{
		{1, -1, 1}, {1, 0, 1}, {1, .25, 1.9}, {1, .5, 2.8}, {1, 1, 4.6}, {1, 1.1, 4.96}, {1, 1.2, 5},
		{.1, 1, 4.6}, {2, 1, 4.6}, {2.5, 1, 4}, {3, 2, 3}, {3, .5, 2.8}, {3.5, 1, 2}, {9, 1, 1},
	} {
		text := Likelihood{NLL: c.nats * anchor.NLL, Order: c.share * anchor.Order}
		if got := Coherence(text, anchor, false); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: %g, want %g", c, got, c.want)
		}
		if got, capped := Coherence(text, anchor, true), min(c.want, 1.5); math.Abs(got-capped) > 1e-12 {
			t.Errorf("%+v, collapsed: %g, want %g", c, got, capped)
		}
	}
	// Where the model's own texts take next to nothing, twice that is nothing.
	if got := Coherence(Likelihood{NLL: 2, Order: 1}, Likelihood{NLL: .1, Order: 1}, false); got != 4.6 {
		t.Errorf("2 nats where unsteered texts have .1: %g, want 4.6", got)
	}
	nan := math.NaN()
	for _, c := range [][2]Likelihood{{{nan, 1}, anchor}, {{1, nan}, anchor}, {{1, 1}, {nan, 1}}, {{1, 1}, {1, nan}}, {{1, 1}, {1, 0}}, {{1, 1}, {1, -1}}} {
		if got := Coherence(c[0], c[1], false); !math.IsNaN(got) {
			t.Errorf("Coherence(%v) = %g, want missing", c, got)
		}
		if got := Coherence(c[0], c[1], true); got != 1 {
			t.Errorf("Coherence(%v), collapsed = %g, want 1", c, got)
		}
	}
}

func TestTraitIsAnchored(t *testing.T) {
	for _, c := range []struct{ s, unsteered, positive, want float64 }{
		{-1, -1, 3, 1}, {3, -1, 3, 5}, {1, -1, 3, 3}, {-9, -1, 3, 1}, {9, -1, 3, 5},
	} {
		if got := Trait(c.s, c.unsteered, c.positive); got != c.want {
			t.Errorf("Trait(%g, %g, %g) = %g, want %g", c.s, c.unsteered, c.positive, got, c.want)
		}
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range [][3]float64{{nan, 0, 1}, {0, nan, 1}, {0, 1, nan}, {0, 1, 1}, {0, 2, 1}, {0, 0, inf}} {
		if got := Trait(c[0], c[1], c[2]); !math.IsNaN(got) {
			t.Errorf("Trait(%v) = %g, want missing", c, got)
		}
	}
}

func TestMedianAndMeanSkipMissing(t *testing.T) {
	nan := math.NaN()
	if m, a := Median([]float64{3, nan, 1, 2, 10}), Mean([]float64{3, nan, 1, 2, 10}); m != 2.5 || a != 4 {
		t.Errorf("median %g, mean %g, want 2.5, 4", m, a)
	}
	if m, a := Median([]float64{nan}), Mean(nil); !math.IsNaN(m) || !math.IsNaN(a) {
		t.Errorf("of nothing: median %g, mean %g", m, a)
	}
}
