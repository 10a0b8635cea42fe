package pipelines

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

// ordinary is a persona of texts as the model writes them by itself, against silly ones: a scorer tells
// them apart without an error, and the model's unsteered texts score as high as its own.
func ordinary() settings {
	silly, plain := tiny.PersonaTexts("silly", 8, 7)
	return settings{"positive_texts": plain, "negative_texts": silly}
}

// warnings are the notes that are told even to whoever asked for quiet.
func (o outcome) warnings() (texts []string) {
	for _, ev := range o.events {
		if ev.Warning {
			texts = append(texts, ev.Note)
		}
	}
	return texts
}

// statuses counts the rows of a persona by whether their trait is missing and said to be.
func (o outcome) statuses(t *testing.T, persona string) (traits, missing int) {
	t.Helper()
	for line := range strings.Lines(string(o.rows)) {
		var row struct {
			Persona string   `json:"persona"`
			Trait   *float64 `json:"trait"`
			Status  string   `json:"status"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		switch said := strings.HasPrefix(row.Status, "trait is missing: the model's unsteered texts score "); {
		case row.Persona != persona:
		case row.Trait != nil && row.Status == "":
			traits++
		case row.Trait == nil && said:
			missing++
		default:
			t.Errorf("a row of %s has trait %v and status %q", persona, row.Trait, row.Status)
		}
	}
	return traits, missing
}

// TestARunThatCanShowNothingStopsBeforeItTakesLong has one persona, which the model speaks by itself: the run
// ends before a text of the calibration is read or one is generated. What was done is kept, plan and the next
// run know it, and another endpoint goes on from there.
func TestARunThatCanShowNothingStopsBeforeItTakesLong(t *testing.T) {
	dir := t.TempDir()
	s := small().with("persona_datasets", settings{"formal": ordinary()})
	e := s.experiment(t)
	first := e.runIn(t, dir, nil)
	if !errors.Is(first.err, ErrStage) || !errors.Is(first.err, ErrNoScale) || !regexp.MustCompile(`\n  formal: the model's unsteered texts score 0\.[0-9]{2}, held-out texts of the persona -?0\.[0-9]{2}: `).MatchString(first.err.Error()) {
		t.Fatalf("run: %v, want ErrStage and ErrNoScale with the persona and its logits", first.err)
	}
	if got, want := first.computed(), []string{"anchors", "anchors.score", "pairs", "resemblance", "trait", "yardstick"}; !slices.Equal(got, want) {
		t.Errorf("before it stops it computes %v, want %v", got, want)
	}
	facts, err := e.Alone().Facts(t.Context(), open(t, dir), planOf(t, e, dir), nil)
	if text := fmt.Sprint(facts); err != nil || !strings.Contains(text, "persona formal has no trait scale: ") || !strings.Contains(text, "a run stops at the gate, ") {
		t.Errorf("plan says %s (%v), not that the run stops", text, err)
	}
	again := e.runIn(t, dir, nil)
	if !errors.Is(again.err, ErrNoScale) || again.units("") > 0 {
		t.Errorf("the same run again: %v after %d units, want ErrNoScale after none", again.err, again.units(""))
	}
	if testing.Short() {
		return
	}
	coherence := s.with("primary", settings{"measure": "coherence"})
	o := mustRun(t, coherence, dir)
	for _, done := range []string{"anchors", "anchors.score", "trait", "resemblance", "yardstick"} {
		if slices.Contains(o.computed(), done) {
			t.Errorf("with another endpoint %s is computed again", done)
		}
	}
	if traits, missing := o.statuses(t, "formal"); traits > 0 || missing != 12 { // 3 conditions × 4 prompts
		t.Errorf("%d rows have a trait and %d say why not, want 0 and 12", traits, missing)
	}
	if w := o.warnings(); len(w) != 1 || !strings.HasPrefix(w[0], "persona formal has no trait scale: ") {
		t.Errorf("warnings %q, want one", w)
	}
}

// TestAPersonaWithoutAScaleIsWarnedOf runs one such beside one that can be measured: the warning comes before
// anything takes long, in later runs too, both are generated, and each row says whether it has a trait.
func TestAPersonaWithoutAScaleIsWarnedOf(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs")
	}
	dir := t.TempDir()
	s := small().with("persona_datasets", settings{"formal": ordinary(), "silly": persona("silly", 8)})
	o := mustRun(t, s, dir)
	warned := slices.IndexFunc(o.events, func(ev Event) bool { return ev.Warning })
	long := slices.IndexFunc(o.events, func(ev Event) bool { return ev.Stage == "capture.source" || ev.Stage == "generate" })
	if w := o.warnings(); len(w) != 1 || !strings.HasPrefix(w[0], "persona formal has no trait scale: ") || warned > long {
		t.Errorf("warnings %q, event %d; the first stage that takes long is event %d", w, warned, long)
	}
	if traits, missing := o.statuses(t, "formal"); traits > 0 || missing != 12 {
		t.Errorf("formal: %d rows have a trait and %d say why not, want 0 and 12", traits, missing)
	}
	if traits, missing := o.statuses(t, "silly"); traits != 12 || missing > 0 {
		t.Errorf("silly: %d rows have a trait and %d say why not, want 12 and 0", traits, missing)
	}
	var report transforms.Report
	if err := json.Unmarshal(o.report, &report); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(report.Evaluation.Warnings, "\n"); strings.Count(text, "formal: the model's unsteered texts score ") != 1 {
		t.Errorf("the report warns of %q", text)
	}
	later := mustRun(t, s.with("alpha_values", []float64{.4}), dir)
	if w := later.warnings(); len(w) != 1 || !strings.HasPrefix(w[0], "persona formal has no trait scale: ") {
		t.Errorf("another alpha warns %q, want the same warning", w)
	}
	if w := mustRun(t, s, dir).warnings(); len(w) > 0 {
		t.Errorf("a run with nothing to do warns %q", w)
	}
}

// TestAScorerThatErrsIsWarnedOf has a persona both sides of which are of one kind.
func TestAScorerThatErrsIsWarnedOf(t *testing.T) {
	silly, plain := tiny.PersonaTexts("silly", 8, 7)
	mixed := settings{"positive_texts": slices.Concat(silly[:6], plain[6:]), "negative_texts": slices.Concat(plain[:6], silly[6:])}
	o := small().with("persona_datasets", settings{"silly": persona("silly", 8), "mixed": mixed}).experiment(t).runIn(t, t.TempDir(), nil)
	if o.err != nil {
		t.Fatal(o.err)
	}
	if w := o.warnings(); len(w) != 1 || !strings.HasPrefix(w[0], "persona mixed: the trait scorer's AUROC is 0.") {
		t.Errorf("warnings %q, want one of mixed", w)
	}
}

// TestOtherTextsOfAScorerWriteNothingAgain replaces a text that only the scorer reads: the gate has another
// input, and no text is generated for it.
func TestOtherTextsOfAScorerWriteNothingAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("a run")
	}
	dir, _ := finished(t)
	changed := persona("silly", 8)
	changed["positive_texts"].([]string)[1] = "La la la, the boat goes boing!"
	o := mustRun(t, small().with("persona_datasets", settings{"silly": changed, "pirate": persona("pirate", 8)}), dir)
	if got, want := o.computed(), []string{"anchors.probe", "evaluate", "gate", "personas.source", "personas.target", "probe", "probe.fit", "resemblance", "trait", "yardstick"}; !slices.Equal(got, want) {
		t.Errorf("another text of the scorer computes %v, want %v", got, want)
	}
}

func planOf(t *testing.T, e *Experiment, dir string) *Plan {
	t.Helper()
	plan, err := e.Plan(t.Context(), open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestAnchorsAreNoTestPrompts, of which there are as many as the zero of the scores takes, with the embedded
// pair's own openings and with those of a corpus.
func TestAnchorsAreNoTestPrompts(t *testing.T) {
	for _, set := range []settings{small(), small().with("source_model", copyModel(t, tiny.Source)).with("target_model", copyModel(t, tiny.Target))} {
		e := set.experiment(t)
		anchors := e.anchors(e.calibration())
		for _, p := range e.generation().Prompts {
			if slices.Contains(anchors.Prompts, p) {
				t.Errorf("the test prompt %q is an anchor", p)
			}
		}
		if n := len(anchors.Prompts) * anchors.Seeds; n != 40 || len(anchors.Batches) != 1 || anchors.Batches[0] != (transforms.Batch{Condition: transforms.Anchors}) {
			t.Errorf("%d anchors in batches %v, want 40 in one: ten for each of four prompts", n, anchors.Batches)
		}
	}
}
