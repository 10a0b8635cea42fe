package transforms

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// besideJudge runs what the evaluation does with a judge's tables: three batches of two texts, the first of which
// is seen under two personas. The program's own trait is given, and its coherence is 5 throughout.
func besideJudge(t *testing.T, tables ...*artifacts.Judgements) (MeasureReport, []artifacts.Sample) {
	t.Helper()
	store := cache.NewMemory()
	var in Manifest
	for i, j := range tables {
		in = append(in, keep(t, store, unitName(i, "judgements"), artifacts.KindJudgements, j.Encode))
	}
	s := Evaluate{Personas: []string{"angry", "silly"}, Seed: 1, Batches: []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "angry", Alpha: .5}, {Condition: "ridge", Persona: "silly", Alpha: .5}}}
	two := &artifacts.Generations{Rows: make([]artifacts.Generation, 2)}
	batches := []batch{{texts: two}, {texts: two}, {texts: two}}
	all, err := unit(Stage{Name: "evaluate", Kind: "evaluate", Inputs: []string{"judge"}}, 0, store, in).furtherMeasures(t.Context(), s, batches)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d measures, %v", len(all), err)
	}
	traits := []float64{1, 1, 2, 3, 4, 2, 5, 4}
	var rows []trial.Row
	var samples []artifacts.Sample
	for i, b := range s.Batches {
		for _, p := range b.Personas(s.Personas) {
			for k := range 2 {
				sample := artifacts.Sample{Persona: p}
				all[0].take(i, k, &sample)
				rows = append(rows, trial.Row{Condition: b.Condition, Persona: p, Alpha: b.Alpha, Prompt: k, Trait: traits[len(rows)], Coherence: 5, Tokens: 9})
				samples = append(samples, sample)
			}
		}
	}
	o := trial.DefaultOptions()
	o.Resamples = 100
	e, err := trial.Evaluate(rows, o)
	if err != nil {
		t.Fatal(err)
	}
	return all[0].finish(s, batches, rows, e), samples
}

// TestAJudgeAsAMeasureByHand works out means, missing scores, agreement and what stands in the rows.
func TestAJudgeAsAMeasureByHand(t *testing.T) {
	row := func(batch, row int, persona string, score float64, weighted bool) artifacts.Judgement {
		j := artifacts.Judgement{Batch: int32(batch), Row: int32(row), Persona: persona, Measure: judge.Trait, Score: score, Weighted: weighted}
		if persona == "" {
			j.Measure = judge.Coherence
		}
		return j
	}
	refused := artifacts.Judgement{Batch: 1, Row: 1, Persona: "angry", Measure: judge.Trait, Score: math.NaN(), Status: `the reply is no number: "a"`}
	talked := artifacts.Judgement{Batch: 2, Row: 0, Measure: judge.Coherence, Score: math.NaN(), Status: `the reply is no number: "b"`}
	tables := []*artifacts.Judgements{{Model: "judge-1", Rows: []artifacts.Judgement{ // a unit holds some rows of every batch
		row(0, 0, "angry", 1, true), row(0, 0, "silly", 2, true), row(0, 0, "", 5, false), row(1, 0, "angry", 4, true), row(1, 0, "", 3, false), row(2, 0, "silly", 5, false), talked}},
		{Model: "judge-1", Rows: []artifacts.Judgement{row(0, 1, "angry", 1, true), row(0, 1, "silly", 3, true), row(0, 1, "", 4, false), refused, row(1, 1, "", 4, false), row(2, 1, "silly", 4, false), row(2, 1, "", 2, false)}}}
	r, samples := besideJudge(t, tables...)
	if r.Name != "judge" || r.What != "judge-1" || r.Scores != 12 || r.Weighted != 5 || !maps.Equal(r.Missing, map[string]int{"the reply is no number": 2}) {
		t.Errorf("%d scores of %s, %d weighted, missing %v", r.Scores, r.What, r.Weighted, r.Missing)
	}
	want := []MeasuredGroup{{"angry", "none", 0, 1, 4.5, 2}, {"silly", "none", 0, 2.5, 4.5, 2}, {"angry", "ridge", .5, 4, 3.5, 2}, {"silly", "ridge", .5, 4.5, 2, 2}}
	for i, g := range r.Groups {
		if g != want[i] {
			t.Errorf("group %d is %+v, want %+v", i, g, want[i])
		}
	}
	if len(r.Groups) != len(want) || r.Scales != nil {
		t.Errorf("%d groups, scales %v", len(r.Groups), r.Scales)
	}
	for i, want := range []struct {
		measure, texts string
		n              int
		kappa          trial.Number // missing where the program's own scores are all the same
	}{{judge.Trait, AllTexts, 7, 1}, {judge.Trait, "ridge", 3, 1}, {judge.Coherence, AllTexts, 7, 0}, {judge.Coherence, "ridge", 3, 0}} {
		if a := r.Agreement[i]; a.Measure != want.measure || a.Texts != want.texts || a.Kappa.N != want.n || a.Kappa.Value != want.kappa || a.Spearman.Value.Missing() != (want.measure == judge.Coherence) {
			t.Errorf("agreement %d is %+v, want %+v", i, a, want)
		}
	}
	for _, m := range r.Means {
		if want := map[string]trial.Number{"none": 1.75, "ridge": 4.25}[m.Condition]; m.Trait.Value != want {
			t.Errorf("the mean of %s is %v, want %v: every persona counts the same", m.Condition, m.Trait.Value, want)
		}
	}
	if got, want := fmt.Sprint(samples[0].Measures, samples[5].Measures), "{[judge coherence judge trait] [5 1]} {[judge coherence] [4]}"; got != want {
		t.Errorf("the first and the sixth row have %s, want %s: a missing score is left out", got, want)
	}
	if b, err := json.Marshal(r); err != nil || !strings.Contains(string(b), `"missing":{"the reply is no number":2}`) {
		t.Errorf("%s (%v)", b, err)
	}
}

// TestAJudgeThatFailsForAllGivesNoNumbers but says why, in groups, rows and contrasts alike.
func TestAJudgeThatFailsForAllGivesNoNumbers(t *testing.T) {
	table := &artifacts.Judgements{Model: "judge-1"}
	for batch, personas := range [][]string{{"angry", "silly", ""}, {"angry", ""}, {"silly", ""}} {
		for row := range 2 {
			for _, p := range personas {
				j := artifacts.Judgement{Batch: int32(batch), Row: int32(row), Persona: p, Measure: judge.Trait, Score: math.NaN(), Status: "no answer: 500"}
				if p == "" {
					j.Measure = judge.Coherence
				}
				table.Rows = append(table.Rows, j)
			}
		}
	}
	r, samples := besideJudge(t, table)
	if r.Scores != 0 || !maps.Equal(r.Missing, map[string]int{"no answer": 14}) || len(r.Groups) != 4 {
		t.Errorf("%d scores, missing %v, %d groups", r.Scores, r.Missing, len(r.Groups))
	}
	for _, g := range r.Groups {
		if !g.Trait.Missing() || !g.Coherence.Missing() || g.Texts != 2 {
			t.Errorf("group %+v, want no means", g)
		}
	}
	for _, c := range r.Contrasts {
		if !c.Difference.Value.Missing() || c.Finding != trial.Unknown {
			t.Errorf("contrast %+v, want none", c)
		}
	}
	for _, s := range samples {
		if len(s.Measures.Names) > 0 {
			t.Errorf("a row has %v", s.Measures)
		}
	}
	if want := "the judge cannot compare ridge with none, and cannot compare ridge with the best control"; r.Says != want {
		t.Errorf("it says %q, want %q", r.Says, want)
	}
}

// TestGroupsLeaveCollapsedTextsOut of the trait, as the evaluation does, and keep them in coherence.
func TestGroupsLeaveCollapsedTextsOut(t *testing.T) {
	f := newFurther("judge", "judge-1", trial.MeasureTrait, trial.MeasureCoherence)
	f.inRows = map[string][]float64{trial.MeasureTrait: {2, 5, 3, 3}, trial.MeasureCoherence: {4, 1, 3, 3}}
	two := batch{texts: &artifacts.Generations{Rows: make([]artifacts.Generation, 2)}}
	s := Evaluate{Personas: []string{"silly"}, Batches: []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "silly", Alpha: 1}}}
	var rows []trial.Row
	for i := range 4 {
		rows = append(rows, trial.Row{Condition: s.Batches[i/2].Condition, Persona: "silly", Alpha: s.Batches[i/2].Alpha, Prompt: i % 2, Trait: 2, Coherence: 4, Collapsed: i == 1})
	}
	o := trial.DefaultOptions()
	o.Resamples = 10
	e, err := trial.Evaluate(rows, o)
	if err != nil {
		t.Fatal(err)
	}
	if g := f.finish(s, []batch{two, two}, rows, e).Groups[0]; g.Trait != 2 || g.Coherence != 2.5 {
		t.Errorf("group %+v, want a trait of 2 and a coherence of 2.5", g)
	}
}

// TestWithoutFurtherMeasures there is none.
func TestWithoutFurtherMeasures(t *testing.T) {
	u := unit(Stage{Name: "evaluate", Kind: "evaluate"}, 0, cache.NewMemory())
	if all, err := u.furtherMeasures(t.Context(), Evaluate{}, nil); all != nil || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}
