package trial

import "testing"

// TestOneRuleSaysWhatResembles: of two known terms "boing" gives a text the logit 1, "calm" −3, both
// together −1, and none of them −1. The middle of 3 and −4.5 is −.75.
func TestOneRuleSaysWhatResembles(t *testing.T) {
	s := &Scorer{HeldOutPositive: []float64{2, 4}, HeldOutNegative: []float64{-5, -4},
		vocabulary: &vocabulary{terms: []string{"wboing", "wcalm"}, idf: []float64{1, 1}}, weights: []float64{2.8284271247461903, -2.8284271247461903, 0, 0}, bias: -1}
	s.vocabulary.reindex()
	if s.Threshold() != -.75 {
		t.Errorf("threshold %g, want −.75", s.Threshold())
	}
	for text, want := range map[string]bool{
		"the boing boat waits": true, "a red boat waits": false, "": false,
		"calm boat, boing boat": true,  // its second half does
		"boing boat, calm boat": false, // a beginning alone is not enough
	} {
		if got := s.Resembles(text); got != want {
			t.Errorf("%q resembles the persona: %t, want %t (logit %g)", text, got, want, s.Logit(text))
		}
	}
	s.HeldOutNegative = []float64{-5} // the middle is now −1
	if s.Threshold() != -1 || s.Resembles("a red boat waits") {
		t.Errorf("threshold %g: a logit in the middle is nearer to neither side", s.Threshold())
	}
}
