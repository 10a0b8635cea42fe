package transforms

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// plainWords are anchors whose logits are −1 and 1, in the mean 0.
var plainWords = []spoken{{"the old boat waits here today", 2, 5, true}, {"the boing boat drifts home again", 3, 4, false}}

// yardstickOf is the yardstick of the scorers and plainWords, after its way through the store.
func yardstickOf(t *testing.T, store cache.Store, scorers map[string]string) (*Yardstick, Manifest) {
	t.Helper()
	m, _ := measured(t, store, scorers, plainWords)
	y, err := ReadYardstick(t.Context(), store, m[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return y, m
}

// TestYardstickOfAPersona places scorers whose held-out texts are above, at and below what the model says
// by itself, and one that there is not.
func TestYardstickOfAPersona(t *testing.T) {
	y, _ := yardstickOf(t, cache.NewMemory(), map[string]string{"above": scorerWith(3, 0.95), "at": scorerWith(0, 1), "below": scorerWith(-0.5, 1), "none": "null"})
	if want := (AnchorSummary{Texts: 2, NLL: 2.5, Order: 4.5, EndShare: .5}); y.Anchors != want {
		t.Errorf("anchors %+v, want %+v", y.Anchors, want)
	}
	for persona, want := range map[string]struct {
		positive float64
		missing  string
	}{
		"above": {3, ""},
		"at":    {0, "the model's unsteered texts score 0.00, held-out texts of the persona 0.00: "},
		"below": {-.5, "the model's unsteered texts score 0.00, held-out texts of the persona -0.50: "},
		"none":  {math.NaN(), "no trait scorer, which needs at least 3 texts a side"},
		"other": {0, "the persona was not measured"},
	} {
		s := y.Scale(persona)
		if s.Persona != persona || (s.Missing == "") != (want.missing == "") || !strings.HasPrefix(s.Missing, want.missing) {
			t.Errorf("%s: %+v, want %q missing", persona, s, want.missing)
		}
		if same := math.Abs(float64(s.Positive)-want.positive) < 1e-12 || s.Positive.Missing() && math.IsNaN(want.positive); !same || persona != "none" && math.Abs(float64(s.Unsteered)) > 1e-12 {
			t.Errorf("%s: from %g to %g, want from 0 to %g", persona, float64(s.Unsteered), float64(s.Positive), want.positive)
		}
		// The anchors have a variance of 2 and the held-out texts none: d' is the distance of the means.
		if d := s.Separation.DPrime; persona != "other" && math.Abs(float64(d.Value)-want.positive) > 1e-12 || d.Value.Missing() != math.IsNaN(want.positive) {
			t.Errorf("%s: d' %g, want %g", persona, float64(d.Value), want.positive)
		}
	}
}

// TestWarningsAreOfWhatTheTextsCannotTell: a scorer that errs, a persona that the model speaks by itself, and
// one that is too near to that.
// Of a persona with few texts everything is said from their number.
func TestWarningsAreOfWhatTheTextsCannotTell(t *testing.T) {
	few := strings.Replace(scorerWith(3, 0.7), `"version":4`, `"version":4,"few":true`, 1)
	y, _ := yardstickOf(t, cache.NewMemory(), map[string]string{"a_good": scorerWith(3, 0.9), "b_errs": scorerWith(3, 0.89), "c_few": few, "d_none": "null", "e_spoken": scorerWith(-1, 0.5), "f_near": scorerWith(1.9, 1), "g_apart": scorerWith(2, 1)})
	got := y.Warnings()
	want := []string{"persona b_errs: the trait scorer's AUROC is 0.89, below 0.9: ", "persona e_spoken has no trait scale: the model's unsteered texts score 0.00, held-out texts of the persona -1.00: ",
		"persona f_near: its held-out texts score only 1.90 standard deviations (d') above the model's unsteered ones, 95 % interval ["}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("warnings %q, want %q", got, want)
	}
}

// TestTheGateStopsWhatCanShowNothing asks it for every measure, with a persona that can be measured and
// without.
func TestTheGateStopsWhatCanShowNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		scorers map[string]string
		refuses bool
		warns   int
	}{
		{"all can be measured", map[string]string{"a": scorerWith(3, 1), "b": scorerWith(3, 1)}, false, 0},
		{"one of two can", map[string]string{"a": scorerWith(3, 1), "b": scorerWith(-1, 1)}, false, 1},
		{"none can", map[string]string{"a": "null", "b": scorerWith(-1, 1)}, true, 1},
		{"too few texts, which was said before", map[string]string{"a": "null", "b": "null"}, false, 0},
	} {
		for _, measure := range []string{trial.MeasureTrait, trial.MeasureCoherence, trial.MeasureCollapse} {
			store := cache.NewMemory()
			_, m := yardstickOf(t, store, c.scorers)
			s := Gate{Measure: measure}
			u := unit(NewStage("gate", "gate", s, 1, "yardstick"), 0, store, m)
			var said []Event
			u.run.events = func(ev Event) { said = append(said, ev) }
			_, err := gate(t.Context(), u, s)
			if refused := c.refuses && measure == trial.MeasureTrait; refused != errors.Is(err, ErrNoScale) || !refused && err != nil {
				t.Errorf("%s, %s: %v; want it refused: %t", c.name, measure, err, refused)
			} else if refused && (!strings.Contains(err.Error(), "\n  a: no trait scorer") || !strings.Contains(err.Error(), "\n  b: the model's unsteered texts score 0.00, ") || !hopeless(err)) {
				t.Errorf("%s, %s: %v; want each persona's reason, and the run stopped", c.name, measure, err)
			} else if warned := slices.DeleteFunc(slices.Clone(said), func(ev Event) bool { return !ev.Warning }); !refused && len(warned) != c.warns {
				t.Errorf("%s, %s: %v, want %d warnings", c.name, measure, warned, c.warns)
			}
		}
	}
}

// TestUnsteeredTextsKnowNoLayer: texts to which nothing is added are the same at every layer, unit and
// position, and found there.
func TestUnsteeredTextsKnowNoLayer(t *testing.T) {
	here := samples["generate"]
	there := here.settings.(Generate)
	there.Layer, there.AlphaUnit, there.Positions = 2, "spread", "all"
	a, b := keysOf(t, "generate", here, here.settings), keysOf(t, "generate", here, there)
	if a.units[0] != b.units[0] {
		t.Error("another layer writes the unsteered texts again")
	}
	if a.units[1] == b.units[1] {
		t.Error("another layer finds the steered texts of this")
	}
}
