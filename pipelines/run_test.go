package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// TestSecondRunDoesNothing is the promise of the cache: nothing is computed, no model is loaded and
// the bytes are the same; and in another folder the same bytes are made anew.
func TestSecondRunDoesNothing(t *testing.T) {
	dir, first := finished(t)
	if len(first.report) == 0 || len(first.rows) == 0 {
		t.Fatalf("first run: %d bytes of report, %d of rows", len(first.report), len(first.rows))
	}
	second := mustRun(t, small(), dir)
	if len(second.events) > 0 {
		t.Errorf("second run: %d events, want none; the first is %+v", len(second.events), second.events[0])
	}
	for _, s := range second.stages {
		if s.State != Hit && s.State != Unneeded || s.Ran+s.Hits > 0 {
			t.Errorf("second run, stage %s: %s, %d units run, %d found", s.Stage, s.State, s.Ran, s.Hits)
		}
	}
	second.same(t, first, "second run")
	if testing.Short() {
		return
	}
	elsewhere := mustRun(t, small().with("output_dir", "some/other folder"), filepath.Join(t.TempDir(), "ein anderer Ort"))
	elsewhere.same(t, first, "another cache folder")
	if elsewhere.units("") != first.units("") {
		t.Errorf("another cache folder: %d units computed, want %d", elsewhere.units(""), first.units(""))
	}
}

// TestModelsAreLoadedOnAMissOnly counts loads by the messages that announce them.
func TestModelsAreLoadedOnAMissOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("loads both models twice")
	}
	dir := t.TempDir()
	transforms.CloseModels()
	first := mustRun(t, small(), dir)
	notes := first.notes()
	slices.Sort(notes)
	if want := []string{"loading tiny:llama", "loading tiny:qwen2"}; !slices.Equal(notes, want) {
		t.Errorf("first run says %q, want %q", notes, want)
	}
	transforms.CloseModels()
	if again := mustRun(t, small(), dir); len(again.notes()) > 0 {
		t.Errorf("second run says %q, want nothing", again.notes())
	}
	lambda := mustRun(t, small().with("primary", settings{"condition": "ridge", "versus": []string{"none"}, "measure": "coherence"}), dir)
	if len(lambda.notes()) > 0 {
		t.Errorf("another endpoint says %q, want nothing: no stage that is left needs a model", lambda.notes())
	}
	if want := []string{"evaluate"}; !slices.Equal(lambda.computed(), want) {
		t.Errorf("another endpoint computes %v, want %v", lambda.computed(), want)
	}
}

// TestChangesRepeatOnlyWhatFollows changes one setting after another in one store.
func TestChangesRepeatOnlyWhatFollows(t *testing.T) {
	if testing.Short() {
		t.Skip("several runs")
	}
	dir, first := finished(t)

	// One more lambda: the same maps may come out, but never anything before the fit.
	lambda := small().with("lambda_values", []float64{.01})
	plan := states(t, lambda, dir)
	if want := map[State][]string{
		Hit:  {"pairs", "trait", "resemblance", "anchors", "anchors.score", "yardstick", "gate", "capture.source", "capture.target", "gram", "personas.source", "personas.target", "probe.fit", "anchors.probe"},
		Run:  {"fit"},
		Open: {"vectors", "cosines", "generate", "score", "probe", "evaluate"},
	}; !reflect.DeepEqual(plan, want) {
		t.Errorf("plan with another lambda: %v, want %v", plan, want)
	}
	if why := lambda.experiment(t).step(t, dir, "fit").Why; !slices.Equal(why, []string{"lambda_values: [0.001 0.1] → [0.01]"}) {
		t.Errorf("the fit runs because %q", why)
	}
	if got, want := mustRun(t, lambda, dir).computed(), []string{"cosines", "evaluate", "fit", "generate", "probe", "score", "vectors"}; !slices.Equal(got, want) {
		t.Errorf("another lambda computes %v, want %v", got, want)
	}

	// The unsteered texts depend on no vector: they are found.
	if o := mustRun(t, lambda.with("alpha_values", []float64{.4}), dir); o.units("generate") != 4 {
		t.Errorf("another alpha generates %d batches, want 4 (2 conditions × 2 personas)", o.units("generate"))
	}

	prompts := slices.Clone(small()["test_prompts"].([]string))
	prompts[1] = "The captain of the ship"
	if got, want := mustRun(t, small().with("test_prompts", prompts), dir).computed(), []string{"evaluate", "generate", "probe", "score"}; !slices.Equal(got, want) {
		t.Errorf("another prompt computes %v, want %v", got, want)
	}

	back := mustRun(t, small(), dir)
	back.same(t, first, "back to the first settings")
	if len(back.events) > 0 {
		t.Errorf("back to the first settings: %d events, want none", len(back.events))
	}
}

// TestPlanComparesWithItsLikeOnly: a first run of other models is not explained by what a demo had, nor
// one whose settings have nothing in common with the last.
func TestPlanComparesWithItsLikeOnly(t *testing.T) {
	dir, _ := finished(t)
	swapped := small().with("source_model", "tiny:llama").with("target_model", "tiny:qwen2").experiment(t)
	if why := swapped.step(t, dir, "pairs").Why; !slices.Equal(why, []string{"first time"}) {
		t.Errorf("the first run of other models is because %q", why)
	}
	one := small().with("seed", 7).experiment(t)
	if why := one.step(t, dir, "pairs").Why; !slices.Equal(why, []string{"seed: 42 → 7"}) {
		t.Errorf("another seed is because %q", why)
	}
	if got := reasons([]string{"a", "b", "c", "d", "e"}); !slices.Equal(got, []string{"first time with these settings: 5 differ from the last run of these models"}) {
		t.Errorf("five changes are %q", got)
	}
	if got := reasons([]string{"a", "b", "c", "d"}); len(got) != 4 {
		t.Errorf("four changes are %q", got)
	}
}

// states groups the stages of a plan by their state.
func states(t *testing.T, s settings, dir string) map[State][]string {
	t.Helper()
	plan, err := s.experiment(t).Plan(t.Context(), open(t, dir))
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	by := map[State][]string{}
	for _, step := range plan.Steps {
		by[step.State] = append(by[step.State], step.Stage.Name)
	}
	return by
}

// TestEqualBytesStopAChange replaces a penalty that loses the cross-validation by another that
// loses: the fit runs again and makes the same maps.
func TestEqualBytesStopAChange(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs")
	}
	dir := t.TempDir()
	mustRun(t, small().with("lambda_values", []float64{1e-7, 1}), dir)
	o := mustRun(t, small().with("lambda_values", []float64{1e-8, 1}), dir)
	// Beside the maps, the fit's report lists the penalties, so what reads the fit is made again: the
	// vectors and what their cosines are worth, which come out equal, and there it ends; and the evaluation, which
	// prints the report.
	if got, want := o.computed(), []string{"cosines", "evaluate", "fit", "vectors"}; !slices.Equal(got, want) {
		t.Errorf("another losing penalty computes %v, want %v", got, want)
	}
}

// TestDamageIsReportedAndNeverUsed flips a bit of a stored output that the next run reads.
func TestDamageIsReportedAndNeverUsed(t *testing.T) {
	dir, first := finished(t)
	e := small().experiment(t)

	gram := e.step(t, dir, "gram").Manifest[0]
	path := damage(t, dir, gram.Digest)
	o := small().with("lambda_values", []float64{.03}).experiment(t).runIn(t, dir, nil)
	if !errors.Is(o.err, cache.ErrCorrupt) || !strings.Contains(o.err.Error(), filepath.Base(path)) {
		t.Fatalf("run on a damaged Gram matrix: %v, want ErrCorrupt naming %s", o.err, filepath.Base(path))
	}
	if !errors.Is(o.err, ErrStage) {
		t.Errorf("run on a damaged Gram matrix: %v, want ErrStage too", o.err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the damaged file is gone: %v", err)
	}

	// What was asked before is still there, as long as nobody has to read the damaged file.
	mustRun(t, small(), dir).same(t, first, "first settings, with a damaged file that they do not read")

	report, _ := transforms.Manifest(e.step(t, dir, "evaluate").Manifest).Find("report")
	damage(t, dir, report.Digest)
	if o := e.runIn(t, dir, nil); !errors.Is(o.err, cache.ErrCorrupt) {
		t.Errorf("run on a damaged report: %v, want ErrCorrupt", o.err)
	}
}

// TestDeletedFileIsMadeAgain removes the blob that the remedy for damage asks to remove.
func TestDeletedFileIsMadeAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs")
	}
	dir, first := finished(t)
	e := small().experiment(t)
	batch := e.step(t, dir, "generate").Manifest[2]
	if err := os.Remove(damage(t, dir, batch.Digest)); err != nil {
		t.Fatal(err)
	}
	if why := e.step(t, dir, "generate").Why; !slices.Equal(why, []string{"an output was removed from the store"}) {
		t.Errorf("generate runs because %q", why)
	}
	again := mustRun(t, small(), dir)
	if got := again.units(""); got != 1 || again.units("generate") != 1 {
		t.Errorf("%d units are computed again, want the one batch that was deleted", got)
	}
	again.same(t, first, "after a file was deleted and made again")
}

// TestCancelledRunGoesOn cancels at an early, a middle and a late unit. What was finished is kept
// and not computed again, and the bytes are those of an undisturbed run.
func TestCancelledRunGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("a run to cancel and one to finish, three times")
	}
	_, want := finished(t)
	for _, stage := range []string{"capture.source", "generate", "score"} {
		dir := t.TempDir()
		e := small().experiment(t)
		o := e.runIn(t, dir, func(ev Event, cancel context.CancelFunc) {
			if ev.Stage == stage && ev.Unit >= 0 && ev.Ends() {
				cancel()
			}
		})
		if !errors.Is(o.err, context.Canceled) {
			t.Fatalf("cancelled at %s: error %v, want context.Canceled", stage, o.err)
		}
		done := map[cache.ActionKey]bool{}
		for _, ev := range o.events {
			if ev.Ends() && !ev.Hit {
				done[ev.Key] = true
			}
		}
		if len(done) == 0 || len(done) >= want.units("")+len(e.stages) {
			t.Errorf("cancelled at %s: %d units and manifests were finished", stage, len(done))
		}
		rest := e.runIn(t, dir, nil)
		if rest.err != nil {
			t.Fatalf("rerun after a cancellation at %s: %v", stage, rest.err)
		}
		for _, ev := range rest.events {
			if ev.Ends() && !ev.Hit && done[ev.Key] {
				t.Errorf("cancelled at %s: %s, unit %d was finished and is computed again", stage, ev.Stage, ev.Unit)
			}
		}
		rest.same(t, want, "rerun after a cancellation at "+stage)
	}
}

// TestTextsLeftOutAreReported gives a corpus with an empty text among those that can be read.
func TestTextsLeftOutAreReported(t *testing.T) {
	texts := append([]string{""}, tiny.CalibrationTexts(5, 100)...)
	o := mustRun(t, small().with("calibration_texts", texts).with("n_training_samples", 100), t.TempDir())
	var r transforms.Report
	if err := json.Unmarshal(o.report, &r); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"the text is empty": 1}; !maps.Equal(r.LeftOut, want) {
		t.Errorf("left out: %v, want %v", r.LeftOut, want)
	}
}

// TestFailingUnitLeavesNoManifest asks for a fit that cannot be had: 40 pairs in 96 dimensions
// without a penalty. The cause comes out with its type; the stage and all below commit nothing.
func TestFailingUnitLeavesNoManifest(t *testing.T) {
	dir := t.TempDir()
	s := small().with("n_training_samples", 40).with("lambda_values", []float64{0})
	o := s.experiment(t).runIn(t, dir, nil)
	if !errors.Is(o.err, ErrStage) || !errors.Is(o.err, linear.ErrIllConditioned) {
		t.Fatalf("run: %v, want ErrStage and ErrIllConditioned", o.err)
	}
	if !strings.Contains(o.err.Error(), "fit, unit 1 of 1") {
		t.Errorf("run: %v; it does not name the stage", o.err)
	}
	plan := states(t, s, dir)
	if want := []string{"fit"}; !slices.Equal(plan[Run], want) {
		t.Errorf("after a failed fit the plan is %v, want only the fit to run", plan)
	}
	if want := []string{"vectors", "cosines", "generate", "score", "probe", "evaluate"}; !slices.Equal(plan[Open], want) {
		t.Errorf("after a failed fit the plan is %v, want open %v", plan, want)
	}
	if testing.Short() {
		return
	}
	// The remedy that the message suggests: a penalty. What was finished is found.
	if o := mustRun(t, s.with("lambda_values", []float64{.1}), dir); slices.Contains(o.computed(), "gram") {
		t.Errorf("with a penalty, %v are computed; the Gram matrices were there", o.computed())
	}
}

// TestOneFailingUnitSparesTheOthers steers with a vector too long for float32: its batches fail,
// every other one is written and kept.
func TestOneFailingUnitSparesTheOthers(t *testing.T) {
	s := small().with("alpha_values", []float64{30, 3e38}).with("alpha_unit", "absolute")
	o := s.experiment(t).runIn(t, t.TempDir(), nil)
	if !errors.Is(o.err, ErrStage) || !strings.Contains(o.err.Error(), "alpha 3e+38 times the vector's value") {
		t.Fatalf("run: %v, want ErrStage and the vector that is not finite", o.err)
	}
	if got := o.units("generate"); got != 5 { // none, and two conditions of two personas
		t.Errorf("%d batches were written beside the failing ones, want 5", got)
	}
	if got := o.units("score"); got != 0 {
		t.Errorf("%d batches of an incomplete stage were scored, want none", got)
	}
}

// TestMapOfAnotherLayerIsRefused plants, under the recipe of the fit, a map that was fitted at
// another layer. It must be refused, not used.
func TestMapOfAnotherLayerIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs")
	}
	for _, c := range []struct {
		name string
		from settings
		want string
	}{
		{"layer", small().with("source_layer_idx", 2), "layer 2"},
		{"model", small().with("source_model", "tiny:llama"), "the map starts at"},
	} {
		there, here := t.TempDir(), t.TempDir()
		mustRun(t, c.from, there)
		planted := c.from.experiment(t).step(t, there, "fit").Manifest

		e := small().experiment(t)
		o := e.runIn(t, here, func(ev Event, cancel context.CancelFunc) {
			if ev.Stage == "gram" && ev.Unit < 0 {
				cancel()
			}
		})
		if !errors.Is(o.err, context.Canceled) {
			t.Fatalf("run to the Gram matrices: %v", o.err)
		}
		var read []transforms.Manifest
		for _, name := range []string{"gram", "capture.source", "capture.target"} {
			read = append(read, e.step(t, here, name).Manifest)
		}
		plant(t, open(t, there), open(t, here), read, e, planted)
		o = e.runIn(t, here, nil)
		if !errors.Is(o.err, artifacts.ErrMismatch) || !errors.Is(o.err, ErrStage) || !strings.Contains(o.err.Error(), c.want) {
			t.Errorf("run with a map of another %s: %v, want ErrMismatch and %q", c.name, o.err, c.want)
		}
		if s := e.step(t, here, "vectors"); s.State != Run {
			t.Errorf("run with a map of another %s: vectors are %s, want no manifest", c.name, s.State)
		}
	}
}

// plant copies outputs from one store and commits them in another as the fit of e, of what it read.
func plant(t *testing.T, from, to cache.Store, read []transforms.Manifest, e *Experiment, outputs transforms.Manifest) {
	t.Helper()
	for _, o := range outputs {
		b, err := from.Read(t.Context(), o.Digest)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, o.Name, o.Kind, writeAll(b))
	}
	i := slices.IndexFunc(e.stages, func(s transforms.Stage) bool { return s.Name == "fit" })
	if err := to.Commit(t.Context(), e.stages[i].Recipe(read), outputs); err != nil {
		t.Fatal(err)
	}
}

// A stage's time ends with its last unit: what gathers the units waits for other stages as well, and its event may
// come a long time later.
func TestStageTimeIsThatOfItsUnits(t *testing.T) {
	plan := &Plan{Steps: []Step{{Stage: transforms.Stage{ID: "1", Name: "cosines", Units: 1}}}}
	r := newRecord(plan)
	r.add(Event{ID: "1", Took: 10 * time.Millisecond}, nil)
	time.Sleep(5 * time.Millisecond)
	var told Event
	r.add(Event{ID: "1", Unit: -1}, func(ev Event) { told = ev })
	if got := r.stages["1"].Elapsed; got != 0.01 {
		t.Errorf("the stage took %g s, want 0.01", got)
	}
	if told.Took != 10*time.Millisecond {
		t.Errorf("whoever follows the run is told of %s, want 10ms", told.Took)
	}
}
