package trial

import (
	"math"
	"slices"
	"testing"
)

// scoredKind is a text of the table with its scores.
type scoredKind struct {
	kindOfText
	coherence float64
	flags     []string
	trait     map[string]float64 // by persona
}

// scoreKinds scores the table as an experiment on Gemma 3 would, with the personas of the tests.
func scoreKinds(t *testing.T) []scoredKind {
	var nll, order []float64
	var unsteered []kindOfText
	kinds := readKinds(t)
	for _, k := range kinds {
		if k.Kind == "unsteered" {
			unsteered = append(unsteered, k)
			nll, order = append(nll, float64(k.NLL)), append(order, float64(k.Shuffled-k.NLL))
		}
	}
	anchor := Likelihood{Median(nll), Median(order)}
	var scored []scoredKind
	for _, k := range kinds {
		text := Likelihood{float64(k.NLL), float64(k.Shuffled - k.NLL)}
		flags := names(Collapse(pieces(k.Text), k.Text, CollapseOptions{Prompt: k.Prompt, Order: text.Order, AnchorOrder: anchor.Order}))
		scored = append(scored, scoredKind{k, Coherence(text, anchor, len(flags) > 0), flags, map[string]float64{}})
	}
	for name, p := range readPersonas(t) {
		s := fitScorer(t, p)
		var zero []float64
		for _, k := range unsteered {
			if s.Unlike(k.Text) == "" {
				zero = append(zero, s.Logit(k.Text))
			}
		}
		for _, k := range scored {
			k.trait[name] = math.NaN()
			if s.Unlike(k.Text) == "" {
				k.trait[name] = Trait(s.Logit(k.Text), Mean(zero), Mean(s.HeldOutPositive))
			}
		}
	}
	return scored
}

// TestTableOfKinds prints the table of real texts of several kinds and holds coherence to the order that a
// person gives: what people wrote, rhymes and sarcasm included, reads well, whatever it is about; and what is
// no text does not, however likely it is.
func TestTableOfKinds(t *testing.T) {
	of := map[string][]float64{}
	for _, k := range scoreKinds(t) {
		t.Logf("%-15s %.2f  joyful %4.2f emotional %4.2f silly %4.2f pirate %4.2f  %.50q %v", k.Kind, k.coherence, k.trait["joyful"], k.trait["emotional"], k.trait["silly"], k.trait["pirate"], k.Text, k.flags)
		of[k.Kind] = append(of[k.Kind], k.coherence)
	}
	for kind, bounds := range map[string][2]float64{
		"human": {4, 5}, "joyful": {4, 5}, "emotional": {3.3, 5}, "poem": {3, 5}, "sarcasm": {3.5, 5}, "unsteered": {3, 5},
		"near-duplicates": {1, 2}, "echo": {1, 2}, "repeated": {1, 1.5}, "list": {1, 2}, "numbers": {1, 1.5}, "code": {1, 2}, "markup": {1, 1.5},
		"shuffled": {1, 1.5}, "soup": {1, 1.7}, "noise": {1, 1.7}, "empty": {1, 1.5}, "language": {1, 1.5},
	} {
		c := of[kind]
		if len(c) == 0 || slices.Min(c) < bounds[0] || slices.Max(c) > bounds[1] {
			t.Errorf("%s: coherence %.2f, want it from %g to %g", kind, c, bounds[0], bounds[1])
		}
		delete(of, kind)
	}
	for kind := range of {
		t.Errorf("nothing is asked of kind %q", kind)
	}
}

// TestNoDegenerateTextScoresInBoth: of a text that is none, trait and coherence are not both above 2.5, for
// any persona.
func TestNoDegenerateTextScoresInBoth(t *testing.T) {
	fine := []string{"human", "joyful", "emotional", "poem", "sarcasm", "unsteered"}
	checked := 0
	for _, k := range scoreKinds(t) {
		for persona, trait := range k.trait {
			if slices.Contains(fine, k.Kind) {
				if math.IsNaN(trait) {
					t.Errorf("%s %q has no trait %s", k.Kind, k.Text, persona)
				}
				continue
			}
			checked++
			if trait > 2.5 && k.coherence > 2.5 {
				t.Errorf("%s %q: trait %s %.2f, coherence %.2f", k.Kind, k.Text, persona, trait, k.coherence)
			}
		}
	}
	if checked < 150 {
		t.Errorf("%d scores were looked at", checked)
	}
}

// TestJoyIsJoyful: a person's joyful sentences have the trait in full and their words in disorder too, which
// is why a trait alone says nothing.
func TestJoyIsJoyful(t *testing.T) {
	joy := map[string][]float64{}
	for _, k := range scoreKinds(t) {
		joy[k.Kind] = append(joy[k.Kind], k.trait["joyful"])
	}
	if m := Mean(joy["joyful"]); m < 4 {
		t.Errorf("joyful sentences have trait %.2f", joy["joyful"])
	}
	for _, plain := range []string{"human", "poem", "unsteered"} {
		if m := Mean(joy[plain]); m > 2.5 {
			t.Errorf("%s: trait joyful %.2f", plain, joy[plain])
		}
	}
}
