package trial

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSeparationByHand: variances of 2 on both sides and means 3 apart.
func TestSeparationByHand(t *testing.T) {
	s := Separate([]float64{3, math.NaN(), 5}, []float64{0, 2})
	d, e := 3/math.Sqrt2, 1.96*math.Sqrt(4.5/32*8+2)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"d'", float64(s.DPrime.Value), d}, {"its lower bound", float64(s.DPrime.Low), d - e}, {"its upper bound", float64(s.DPrime.High), d + e}, {"AUROC", float64(s.AUROC.Value), 1},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s %g, want %g", c.name, c.got, c.want)
		}
	}
	if low, high := AUROCInterval(1, 2, 2); s.AUROC.Low != low || s.AUROC.High != high || s.AUROC.N != 4 || s.DPrime.N != 4 {
		t.Errorf("%+v: want the area's own interval, [%g, %g], of 4 texts", s, low, high)
	}
	if down := Separate([]float64{0, 2}, []float64{3, 5}); down.DPrime.Value != -s.DPrime.Value || down.AUROC.Value != 0 {
		t.Errorf("the other way round: %+v", down)
	}
}

// TestSeparationOfTooLittle: what cannot be computed is missing.
func TestSeparationOfTooLittle(t *testing.T) {
	for name, sides := range map[string][2][]float64{
		"nothing": {nil, nil}, "one side": {{1, 2}, nil}, "one text": {{1}, {2, 3}}, "no variance": {{1, 1}, {0, 0}}, "missing values": {{math.NaN(), 1}, {2, 3}},
	} {
		if s := Separate(sides[0], sides[1]); !s.DPrime.Value.Missing() || !s.DPrime.Low.Missing() || !s.DPrime.High.Missing() {
			t.Errorf("%s: %+v, want no d'", name, s.DPrime)
		}
	}
}

// TestSeparationCovers draws sides of unlike size and variance, as a persona's texts and the anchors are:
// about 95 % of the intervals hold the true d'. The bounds are four standard errors of a share of 2,000 away.
func TestSeparationCovers(t *testing.T) {
	const experiments = 2000
	r := rand.New(rand.NewChaCha8([32]byte{3}))
	for _, c := range []struct {
		n, m          int
		wide, between float64 // standard deviation of the positives where the anchors' is 1, and of the means
	}{{12, 120, 1, 2}, {12, 120, 3, 4}, {24, 120, .5, 3}, {24, 24, 1, 0}} {
		truth := c.between / math.Sqrt((c.wide*c.wide+1)/2)
		held := 0
		for range experiments {
			p, u := make([]float64, c.n), make([]float64, c.m)
			for i := range p {
				p[i] = c.between + c.wide*r.NormFloat64()
			}
			for i := range u {
				u[i] = r.NormFloat64()
			}
			if s := Separate(p, u).DPrime; float64(s.Low) <= truth && truth <= float64(s.High) {
				held++
			}
		}
		if share := float64(held) / experiments; share < .93 || share > .97 {
			t.Errorf("%+v: %.1f%% of intervals hold the truth, want about 95%%", c, 100*share)
		}
	}
}
