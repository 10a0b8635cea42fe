package transforms

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// TestJudgeReportByHand works out means, missing scores and agreement of three batches of two texts, the
// first of which is seen under two personas.
func TestJudgeReportByHand(t *testing.T) {
	store := cache.NewMemory()
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
	var in Manifest
	for i, j := range tables {
		in = append(in, keep(t, store, unitName(i, "judgements"), artifacts.KindJudgements, j.Encode))
	}
	batches := []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "angry", Alpha: .5}, {Condition: "ridge", Persona: "silly", Alpha: .5}}
	u := unit(Stage{Name: "evaluate", Kind: "evaluate", Inputs: []string{"judge"}}, 0, store, in)
	j := &jury{settings: Evaluate{Personas: []string{"angry", "silly"}, Batches: batches, Seed: 1}, sizes: []int{2, 2, 2}}
	var rows []trial.Row
	// The program's own trait is the judge's, and its coherence is 5 throughout.
	for i, trait := range []float64{1, 1, 2, 3, 4, 2, 5, 4} {
		rows = append(rows, trial.Row{Prompt: i % 2, Trait: trait, Coherence: 5})
	}
	r, err := j.judgeReport(t.Context(), u, rows)
	if err != nil {
		t.Fatal(err)
	}
	if r.Model != "judge-1" || r.Scores != 12 || r.Weighted != 5 || !maps.Equal(r.Missing, map[string]int{"the reply is no number": 2}) {
		t.Errorf("%d scores of %s, %d weighted, missing %v", r.Scores, r.Model, r.Weighted, r.Missing)
	}
	want := []JudgedGroup{{"angry", "none", 0, 1, 4.5, 2}, {"silly", "none", 0, 2.5, 4.5, 2}, {"angry", "ridge", .5, 4, 3.5, 2}, {"silly", "ridge", .5, 4.5, 2, 2}}
	for i, g := range r.Groups {
		if g != want[i] {
			t.Errorf("group %d is %+v, want %+v", i, g, want[i])
		}
	}
	if a := r.Agreement[0]; a.Measure != judge.Trait || a.Kappa.Value != 1 || a.Kappa.N != 7 {
		t.Errorf("agreement on the trait %+v, want that of 7 texts that are alike", a)
	}
	if a := r.Agreement[1]; a.Measure != judge.Coherence || !a.Spearman.Value.Missing() || a.Kappa.N != 7 {
		t.Errorf("agreement on coherence %+v, want none with a scorer that gives everything the same", a)
	}
	if b, err := json.Marshal(r); err != nil || !strings.Contains(string(b), `"missing":{"the reply is no number":2}`) {
		t.Errorf("%s (%v)", b, err)
	}
	without := unit(Stage{Name: "evaluate", Kind: "evaluate"}, 0, store)
	if r, err := j.judgeReport(t.Context(), without, rows); r != nil || err != nil {
		t.Errorf("without a judge: %+v, %v", r, err)
	}
}
