package arch

import (
	"math"
	"testing"
)

// TestFrequenciesByHand works out the angles per position of two to four pairs for each scaling. The base is
// 10,000, so with eight rotated elements pair i is rotated by 10⁻ⁱ.
func TestFrequenciesByHand(t *testing.T) {
	const pi2 = 2 * math.Pi
	for _, c := range []struct {
		name string
		rope Rope
		n    int
		want []float64
	}{
		{"default", Rope{Type: RopeDefault, Theta: 1e4, Dim: 8}, 1, []float64{1, .1, .01, .001}},
		{"linear", Rope{Type: RopeLinear, Theta: 1e4, Dim: 8, Factor: 4}, 1, []float64{.25, .025, .0025, .00025}},
		// Wavelengths are 2π·10ⁱ: 6.28, 62.8, 628, 6283. Below 100/4 = 25 they stay, above 100 they are
		// multiplied by 8; at 62.8, s = (100/62.8 − 1)/(4 − 1) = .1972 of the pair's frequency stays.
		{"llama3", Rope{Type: RopeLlama3, Theta: 1e4, Dim: 8, Factor: 8, LowFreq: 1, HighFreq: 4, Original: 100}, 1,
			[]float64{1, .1 * ((1-(10/pi2-1)/3)/8 + (10/pi2-1)/3), .01 / 8, .001 / 8}},
		{"longrope, short", Rope{Type: RopeLongRope, Theta: 1e4, Dim: 4, Original: 10, Short: []float64{1, 2}, Long: []float64{4, 5}}, 10, []float64{1, .01 / 2}},
		{"longrope, long", Rope{Type: RopeLongRope, Theta: 1e4, Dim: 4, Original: 10, Short: []float64{1, 2}, Long: []float64{4, 5}}, 11, []float64{.25, .01 / 5}},
		// A prompt of three times the context with factor 2: s = 2·3 − 1 = 5, base 10⁴·5^(4/2).
		{"dynamic", Rope{Type: RopeDynamic, Theta: 1e4, Dim: 4, Factor: 2, Original: 100}, 300, []float64{1, math.Pow(1e4*25, -.5)}},
		{"dynamic, within", Rope{Type: RopeDynamic, Theta: 1e4, Dim: 4, Factor: 2, Original: 100}, 100, []float64{1, .01}},
	} {
		got := c.rope.Frequencies(c.n, 100)
		for i, want := range c.want {
			if len(got) != len(c.want) || math.Abs(got[i]-want) > 1e-12 {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}
