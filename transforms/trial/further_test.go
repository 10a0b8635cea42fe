package trial

import (
	"math"
	"testing"
)

// measuredRows are two personas under none, ridge at two alphas, and a control, over eight prompts with one text
// each: by the trait scorer ridge has 4 and the others 1.5. The further measure's scores are given by score.
func measuredRows(score func(Row) float64) (rows []Row, scores []float64) {
	for p := range 8 {
		for _, persona := range []string{"a", "b"} {
			for _, c := range []struct {
				name  string
				alpha float64
				trait float64
			}{{"none", 0, 1.5}, {"ridge", .5, 4}, {"ridge", 1, 1.2}, {"zero_pad", .5, 1.4}, {"zero_pad", 1, 1.2}} {
				rows = append(rows, Row{Condition: c.name, Persona: persona, Alpha: c.alpha, Prompt: p, Trait: c.trait + .01*float64(p), Coherence: 4.5, Tokens: 20, Perplexity: 5})
			}
		}
	}
	for i := range rows {
		scores = append(scores, score(rows[i]))
	}
	return rows, scores
}

func byMeasure(t *testing.T, rows []Row, scores []float64) SecondMeasure {
	t.Helper()
	o := options(.99, "a", "b")
	o.Resamples = 200
	return evaluate(t, rows, o).ByMeasure(rows, scores, [32]byte{1})
}

func (b SecondMeasure) contrast(t *testing.T, persona, versus string) Contrast {
	t.Helper()
	for _, c := range b.Contrasts {
		if c.Persona == persona && c.Versus == versus {
			return c
		}
	}
	t.Fatalf("no contrast of %q with %q in %+v", persona, versus, b.Contrasts)
	return Contrast{}
}

// TestByMeasureByHand: ridge is judged at .5, where the measure gives it 3 for a and 5 for b, 2 and 1 for none, 2.5 and
// .5 for the control; at the other alpha it gives nonsense that must not count.
func TestByMeasureByHand(t *testing.T) {
	given := map[string][2]float64{"none": {2, 1}, "ridge": {3, 5}, "zero_pad": {2.5, .5}}
	rows, scores := measuredRows(func(r Row) float64 {
		switch {
		case r.Alpha == 1:
			return 77
		case r.Persona == "a":
			return given[r.Condition][0]
		}
		return given[r.Condition][1]
	})
	b := byMeasure(t, rows, scores)
	want := map[string]float64{"none": 1.5, "ridge": 4, "zero_pad": 1.5}
	if len(b.Means) != len(want) {
		t.Fatalf("means %+v", b.Means)
	}
	for _, m := range b.Means {
		if float64(m.Trait.Value) != want[m.Condition] || m.Trait.N != 16 {
			t.Errorf("%s has %v over %d texts, want %g over 16", m.Condition, m.Trait.Value, m.Trait.N, want[m.Condition])
		}
	}
	for _, c := range []struct {
		persona, versus string
		want            float64
		n               int
	}{{"", "none", 2.5, 16}, {"", BestControl, 2.5, 16}, {"a", "none", 1, 8}, {"a", BestControl, .5, 8}, {"b", "none", 4, 8}, {"b", BestControl, 4, 8}} {
		got := b.contrast(t, c.persona, c.versus)
		if math.Abs(float64(got.Difference.Value)-c.want) > 1e-12 || got.Difference.N != c.n || got.Finding != Agrees || got.Scorer.Value < 2 {
			t.Errorf("%q above %s: %+v, want %g over %d texts, in agreement", c.persona, c.versus, got, c.want, c.n)
		}
	}
}

// TestFindings: a measure that sees the opposite contradicts, one that sees noise shows nothing, and one without
// scores for a persona leaves that persona out of both sides.
func TestFindings(t *testing.T) {
	opposite := func(r Row) float64 { return 6 - r.Trait }
	noise := func(r Row) float64 { // .125 more for ridge, on prompts that lie 4 apart
		if r.Condition == "ridge" {
			return []float64{1, 5, 2, 4, 1, 5, 2, 5}[r.Prompt]
		}
		return []float64{5, 1, 4, 2, 5, 1, 4, 2}[r.Prompt]
	}
	nothing := func(Row) float64 { return math.NaN() }
	onlyA := func(r Row) float64 {
		if r.Persona == "b" {
			return math.NaN()
		}
		return r.Trait
	}
	for _, c := range []struct {
		name  string
		score func(Row) float64
		want  Finding
	}{{"the opposite", opposite, Contradicts}, {"noise", noise, NotShown}, {"nothing", nothing, Unknown}, {"one persona", onlyA, Agrees}} {
		rows, scores := measuredRows(c.score)
		b := byMeasure(t, rows, scores)
		got := b.contrast(t, "", "none")
		if got.Finding != c.want {
			t.Errorf("%s: %+v, want %q", c.name, got, c.want)
		}
		if c.name == "one persona" {
			if math.Abs(float64(got.Difference.Value)-2.5) > 1e-9 || got.Difference.N != 8 || b.contrast(t, "b", "none").Finding != Unknown {
				t.Errorf("with scores for one persona: %+v", b.Contrasts)
			}
		}
	}
}

// TestCollapsedTextsAreInNoMeanOfAnotherMeasure: as in the evaluation.
func TestCollapsedTextsAreInNoMeanOfAnotherMeasure(t *testing.T) {
	rows, scores := measuredRows(func(r Row) float64 { return 2 })
	for i := range rows {
		if rows[i].Condition == "ridge" && rows[i].Alpha == .5 && rows[i].Prompt == 0 {
			rows[i].Collapsed, scores[i] = true, 5
		}
	}
	for _, m := range byMeasure(t, rows, scores).Means {
		if m.Condition == "ridge" && (m.Trait.Value != 2 || m.Trait.N != 14) {
			t.Errorf("ridge has %v over %d texts, want 2 over the 14 that did not collapse", m.Trait.Value, m.Trait.N)
		}
	}
}
