package trial

import (
	"math"
	"testing"
)

func TestCoherenceKnots(t *testing.T) {
	const median = 2.1
	for e, want := range map[float64]float64{0: 4.6, 0.25: 4.3, 0.5: 4, 0.75: 3.6, 1: 3.2, 1.5: 2.6, 2: 2, 2.75: 1.5, 3.5: 1, 9: 1} {
		for _, nll := range []float64{median + e, median - e} {
			if got := Coherence(nll, median, false); math.Abs(got-want) > 1e-12 {
				t.Errorf("Coherence(%g) = %g, want %g", nll, got, want)
			}
			if got, capped := Coherence(nll, median, true), min(want, 1.5); math.Abs(got-capped) > 1e-12 {
				t.Errorf("Coherence(%g), collapsed = %g, want %g", nll, got, capped)
			}
		}
	}
	if got := Coherence(math.NaN(), median, false); !math.IsNaN(got) {
		t.Errorf("missing nll: %g, want missing", got)
	}
	if got := Coherence(math.NaN(), median, true); got != 1 {
		t.Errorf("empty text: %g, want 1", got)
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
