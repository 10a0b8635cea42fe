package pipelines

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

func sweepOfCells(t *testing.T, s settings) *Sweep {
	t.Helper()
	cells, err := parseCells(t.Context(), s.bytes(), s.bytes(), "")
	if err != nil {
		t.Fatal(err)
	}
	sweep, err := NewSweep(t.Context(), cells, false)
	if err != nil {
		t.Fatal(err)
	}
	return sweep
}

// A sweptOutcome is what one run of a sweep did and left.
type sweptOutcome struct {
	events []Event
	done   *SweepResult
	err    error
}

func runSweep(t *testing.T, s *Sweep, dir string, stop func(Event, context.CancelFunc)) (left sweptOutcome) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	done, err := s.Run(ctx, Options{Cache: dir, Runner: "direct", Progress: func(ev Event) {
		mu.Lock()
		defer mu.Unlock()
		left.events = append(left.events, ev)
		if stop != nil {
			stop(ev, cancel)
		}
	}})
	mu.Lock()
	defer mu.Unlock()
	return sweptOutcome{slices.Clone(left.events), done, err}
}

// computedKeys counts how often the unit under each key was computed.
func computedKeys(events ...Event) map[string]int {
	keys := map[string]int{}
	for _, ev := range events {
		if ev.Ends() && !ev.Hit && ev.Unit >= 0 {
			keys[ev.Stage+" "+ev.Key.String()]++
		}
	}
	return keys
}

// swept is a small experiment with two layers and two maps at each.
func swept() settings {
	return small().with("conditions", []string{"none", "ridge"}).with("primary", settings{"versus": []string{"none"}}).with("measures", []string{}).with("layer_idx", 1).
		with("sweep", settings{"layer_idx": []int{1, 2}, "fit.method": []string{"ridge", "procrustes"}})
}

func alone(c Cell) settings {
	s := swept()
	delete(s, "sweep")
	for _, one := range c.Settings {
		if key, inner, ok := strings.Cut(one.Key, "."); ok {
			s = s.with(key, settings{inner: one.Value})
		} else {
			s = s.with(one.Key, one.Value)
		}
	}
	return s
}

// TestASweepComputesWhatItsCellsAloneWould and nothing twice: the units that it computes are exactly those of the four
// cells, each in a store of its own, and every cell's results are the same to the byte.
func TestASweepComputesWhatItsCellsAloneWould(t *testing.T) {
	s := sweepOfCells(t, swept())
	dir := t.TempDir()
	got := runSweep(t, s, dir, nil)
	if got.err != nil {
		t.Fatal(got.err)
	}
	want := map[string]int{}
	stages := 0
	for i, c := range s.Cells {
		if c := got.done.Cells[i]; c.Err != nil {
			t.Fatal(c.Err)
		}
		own := mustRun(t, alone(c), t.TempDir())
		stages += len(own.stages)
		maps.Copy(want, computedKeys(own.events...))
		result, err := got.done.Cells[i].Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var rows bytes.Buffer
		if err := result.Rows(&rows); err != nil {
			t.Fatal(err)
		}
		outcome{report: result.Report, rows: rows.Bytes()}.same(t, own, c.Text())
		for k, r := range result.Stages {
			if r.Key != own.stages[k].Key || r.Stage != own.stages[k].Stage || r.State != own.stages[k].State {
				t.Errorf("%s: the sweep's record of %s is %+v, that of the cell alone %+v", c.Text(), r.Stage, r, own.stages[k])
			}
		}
	}
	computed := computedKeys(got.events...)
	for key, n := range computed {
		if n > 1 || want[key] == 0 {
			t.Errorf("the sweep computes %s %d times, a cell alone %d times", key, n, want[key])
		}
	}
	for key := range want {
		if computed[key] == 0 {
			t.Errorf("a cell alone computes %s, the sweep does not", key)
		}
	}
	counts := map[string]int{}
	for _, r := range got.done.Stages {
		counts[r.Stage]++
	}
	for name, n := range map[string]int{"pairs": 1, "anchors": 1, "gate": 1, "trait": 1, "capture.source": 2, "gram": 2, "personas.target": 2, "fit": 4, "vectors": 4, "generate": 4, "evaluate": 4} {
		if counts[name] != n {
			t.Errorf("there are %d stages %s, want %d", counts[name], name, n)
		}
	}
	if stages <= len(got.done.Stages) {
		t.Errorf("the sweep has %d stages, its cells alone %d", len(got.done.Stages), stages)
	}
	again := runSweep(t, s, dir, nil)
	if again.err != nil || len(again.events) > 0 || slices.ContainsFunc(again.done.Stages, func(r StageRecord) bool { return r.State != Hit }) {
		t.Errorf("again: %v, %d events, %+v; want nothing to be done", again.err, len(again.events), again.done.Stages)
	}
}

// TestAKilledSweepGoesOn stops one at a third and at two thirds of its units: what follows computes no committed unit
// again and ends with the same results.
func TestAKilledSweepGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a sweep three times")
	}
	s := sweepOfCells(t, swept())
	whole := runSweep(t, s, t.TempDir(), nil)
	if whole.err != nil {
		t.Fatal(whole.err)
	}
	units := len(computedKeys(whole.events...))
	dir := t.TempDir()
	seen := 0
	kill := func(ev Event, cancel context.CancelFunc) {
		if ev.Ends() && ev.Unit >= 0 && !ev.Hit {
			if seen++; seen == units/3 || seen == 2*units/3 {
				cancel()
			}
		}
	}
	var events []Event
	for range 3 {
		o := runSweep(t, s, dir, kill)
		events = append(events, o.events...)
		if o.err == nil {
			for key, n := range computedKeys(events...) {
				if n > 1 {
					t.Errorf("%s is computed %d times", key, n)
				}
			}
			for i := range o.done.Cells {
				if got, want := o.done.Cells[i].Plan.Last().Key, whole.done.Cells[i].Plan.Last().Key; got != want {
					t.Errorf("cell %s ends with %s, want %s", s.Cells[i].Text(), got.Short(), want.Short())
				}
			}
			return
		}
		if !errors.Is(o.err, context.Canceled) {
			t.Fatal(o.err)
		}
	}
	t.Error("two kills, and the third run does not end")
}

// TestACellThatCannotSucceedKeepsNoOtherFromIt: the first cell has a persona without a scale, and its gate says no; of
// the second there is too little text. The third is finished, and again nothing has to be done for it.
func TestACellThatCannotSucceedKeepsNoOtherFromIt(t *testing.T) {
	good := settings{"silly": persona("silly", 8)}
	texts := tiny.CalibrationTexts(tinyCalibrationSeed, 250)
	s := sweepOfCells(t, small().with("conditions", []string{"none", "ridge"}).with("primary", settings{"versus": []string{"none"}}).with("calibration_texts", texts).
		with("sweep", settings{"persona_datasets": []settings{{"formal": ordinary()}, good}, "n_training_samples": []int{200, 2000}}))
	dir := t.TempDir()
	first := runSweep(t, s, dir, nil)
	for _, o := range []sweptOutcome{first, runSweep(t, s, dir, nil)} {
		if o.err != nil {
			t.Fatal(o.err)
		}
		for i, want := range []error{ErrNoScale, nil, ErrConfig, ErrConfig} {
			if err := o.done.Cells[i].Err; !errors.Is(err, want) {
				t.Errorf("cell %d: %v, want %v", i, err, want)
			}
		}
		if err := o.done.Cells[3].Err; err == nil || !strings.Contains(err.Error(), "gives 250 pairs") {
			t.Errorf("too few texts: %v", err)
		}
		if _, err := o.done.Cells[0].Load(t.Context()); !errors.Is(err, ErrNoScale) {
			t.Errorf("results of a cell that has none: %v", err)
		}
	}
	var generated int
	for _, r := range first.done.Stages {
		if r.Stage == "generate" && r.Ran+r.Hits > 0 {
			generated++
		}
	}
	if generated != 1 {
		t.Errorf("texts are generated for %d cells, want 1", generated)
	}
	again := runSweep(t, s, dir, nil)
	if n := len(computedKeys(again.events...)); n > 0 {
		t.Errorf("again %d units are computed", n)
	}
}

// TestASweepPlansSharedStagesOnce over the union, with what each costs, and says which cells they are of.
func TestASweepPlansSharedStagesOnce(t *testing.T) {
	s := sweepOfCells(t, swept())
	plan, err := s.Plan(t.Context(), cache.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for i, step := range plan.Steps {
		if ids[step.Stage.ID] {
			t.Errorf("%s is there twice", step.Stage.Name)
		}
		ids[step.Stage.ID] = true
		for _, id := range step.Stage.Before() {
			if !ids[id] {
				t.Errorf("%s, step %d, comes before what it waits for", step.Stage.Name, i)
			}
		}
	}
	where := map[string][]string{}
	for _, steps := range plan.ByName() {
		for _, step := range steps {
			where[step.Stage.Name] = append(where[step.Stage.Name], plan.Where(step.Stage.ID))
		}
	}
	for name, want := range map[string][]string{"pairs": {""}, "gram": {"layer_idx=1", "layer_idx=2"},
		"fit": {"fit.method=ridge, layer_idx=1", "fit.method=ridge, layer_idx=2", "fit.method=procrustes, layer_idx=1", "fit.method=procrustes, layer_idx=2"}} {
		if !slices.Equal(where[name], want) {
			t.Errorf("%s is in the cells %q, want %q", name, where[name], want)
		}
	}
	costs, err := s.Costs(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := s.Facts(t.Context(), cache.NewMemory(), plan, costs)
	if err != nil {
		t.Fatal(err)
	}
	var sweep string
	layers := 0
	for _, f := range facts {
		if f.Name == "sweep" {
			sweep = f.Value
		}
		if f.Name == "source" && strings.HasSuffix(f.Value, "(layer_idx=1)") || f.Name == "source" && strings.HasSuffix(f.Value, "(layer_idx=2)") {
			layers++
		}
	}
	if want := "4 cells: fit.method ridge, procrustes × layer_idx 1, 2; "; !strings.HasPrefix(sweep, want) || layers != 2 {
		t.Errorf("the facts are %v", facts)
	}
	for i, e := range s.Experiments { // the parts of the plan are those of the cells alone
		own, err := alone(s.Cells[i]).experiment(t).Plan(t.Context(), cache.NewMemory())
		if err != nil {
			t.Fatal(err)
		}
		part := plan.Of(e)
		for k, step := range own.Steps {
			if got := part.Steps[k]; got.State != step.State || got.Stage.ID != step.Stage.ID || got.Key != step.Key {
				t.Errorf("%s: %s is %s, alone %s", s.Cells[i].Text(), step.Stage.Name, got.State, step.State)
			}
		}
	}
}

// TestAStageWaitsForAnyGateOfItsCells where cells that share it have gates of their own.
func TestAStageWaitsForAnyGateOfItsCells(t *testing.T) {
	s := sweepOfCells(t, swept().with("sweep", settings{"primary.measure": []string{"trait", "coherence"}}))
	gates, captures := map[string]bool{}, []transforms.Stage{}
	for _, stage := range s.stages {
		switch stage.Name {
		case "gate":
			gates[stage.ID] = true
		case "capture.source":
			captures = append(captures, stage)
		}
	}
	if len(gates) != 2 || len(captures) != 1 || len(captures[0].Gates) != 2 || !gates[captures[0].Gates[0]] || !gates[captures[0].Gates[1]] {
		t.Errorf("%d gates; the captures wait for %v", len(gates), captures)
	}
}

// TestSamplesOfASweepAreNested: of one corpus the pairs of a smaller sample are the first of a larger one, and whole
// shards are captured once.
func TestSamplesOfASweepAreNested(t *testing.T) {
	texts := tiny.CalibrationTexts(tinyCalibrationSeed, 1200)
	s := sweepOfCells(t, swept().with("calibration_texts", texts).with("sweep", settings{"n_training_samples": []int{100, 250, 600, 1100}}))
	got := runSweep(t, s, t.TempDir(), func(ev Event, cancel context.CancelFunc) {
		if ev.Stage == "capture.target" && ev.Unit < 0 {
			cancel()
		}
	})
	if got.err != nil && !errors.Is(got.err, context.Canceled) {
		t.Fatal(got.err)
	}
	captured := 0
	for key := range computedKeys(got.events...) {
		if strings.HasPrefix(key, "capture.source ") {
			captured++
		}
	}
	// 100; 250; 500 and 100 more; 500 of the same, 500 and 100 more.
	if captured != 6 {
		t.Errorf("%d shards of the source are captured, want 6", captured)
	}
}

// TestAFinishedCellNeedsNothing of what it shares with one that is not: a gate that is missing is the other's to run.
func TestAFinishedCellNeedsNothing(t *testing.T) {
	dir, _ := finished(t)
	s := sweepOfCells(t, small().with("sweep", settings{"layer_idx": []int{3, 2}}))
	store := open(t, dir)
	if err := store.RemoveAction(t.Context(), s.Experiments[0].step(t, dir, "gate").Key); err != nil {
		t.Fatal(err)
	}
	plan, err := s.Plan(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	first, second := plan.Of(s.Experiments[0]), plan.Of(s.Experiments[1])
	if got := []State{first.step("gate").State, second.step("gate").State}; !slices.Equal(got, []State{Unneeded, Run}) || !first.Done() || second.Done() || plan.Done() {
		t.Errorf("the gate is %v to the finished cell and to the other", got)
	}
}
