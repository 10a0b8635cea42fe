package transforms

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// A worked is what a worker made of a stage of a run that another process began.
type worked struct {
	done []UnitDone
	dead []Failure
	err  error
}

// onWorker computes the stage's units as a worker does, and commits it if they are all there.
func onWorker(t *testing.T, env Env, s Stage) (w worked) {
	t.Helper()
	s.ID = s.Name
	at := publish(t, env, s)
	fn := &unitFn{At: at}
	w.err = fn.ProcessElement(t.Context(), UnitRef{Stage: s.Name, Count: s.Units},
		func(d UnitDone) { w.done = append(w.done, d) }, func(f Failure) { w.dead = append(w.dead, f) })
	if w.err != nil {
		return w
	}
	left := w.done
	err := (&manifestFn{At: at}).ProcessElement(t.Context(), s.Name, func(d *UnitDone) bool {
		if len(left) == 0 {
			return false
		}
		*d, left = left[0], left[1:]
		return true
	}, func(StageDone) {})
	if err != nil {
		t.Errorf("commit: %v", err)
	}
	return w
}

// publish writes a stage down as the process does that begins the run; what a worker has read of another one of its name
// is forgotten.
func publish(t *testing.T, env Env, s Stage) stageAt {
	t.Helper()
	if m, ok := remotes.Load(env.Run); ok {
		m.(*remote).forget()
	}
	if err := Publish(t.Context(), openTest(t, env.Cache), env.Run, []Stage{s}); err != nil {
		t.Fatal(err)
	}
	return stageAt{Env: env, Name: s.Name, ID: s.ID}
}

// TestWorkersReadStagesFromTheStore, as long as their run is there: what is left of one that is over asks for nothing.
func TestWorkersReadStagesFromTheStore(t *testing.T) {
	env, _, reports := remoteEnv(t)
	at := publish(t, env, byName(toyStage("a", 2, toy{Text: "settings"})))
	ask := func(at stageAt) (refs []UnitRef, err error) {
		err = (&readyFn{At: at}).ProcessElement(t.Context(), nil, func(*StageDone) bool { return false }, func(u UnitRef) { refs = append(refs, u) })
		return refs, err
	}
	if refs, err := ask(at); err != nil || len(refs) != 1 || refs[0].Count != 2 {
		t.Errorf("a worker is asked for %v, %v", refs, err)
	}
	known, _ := remotes.Load(env.Run)
	if n := len(known.(*remote).stages); n != 1 {
		t.Errorf("the worker keeps %d stages, want the one that it read", n)
	}
	elsewhere(t.Context(), Env{Run: env.Run + "-next", Cache: env.Cache}).stop()
	if n := len(known.(*remote).stages); n != 0 {
		t.Errorf("when another run has come the worker keeps %d stages of the one before", n)
	}
	for _, over := range []bool{false, true} {
		if err := reports.Clear(t.Context(), over); err != nil {
			t.Fatal(err)
		}
		remotes.Delete(env.Run)
		if refs, err := ask(at); (err != nil) != over || over && !strings.Contains(err.Error(), "is over: its stage a is not in the store any more") {
			t.Errorf("the run is over (%t): a worker is asked for %v, %v", over, refs, err)
		}
	}
}

func remoteEnv(t *testing.T) (Env, cache.Store, *Reports) {
	t.Helper()
	env := Env{Run: strings.ReplaceAll(t.Name(), "/", "-"), Cache: t.TempDir(), Retries: true}
	store := openTest(t, env.Cache)
	return env, store, ReportsOf(store, env.Run)
}

// TestWorkersWriteDownWhatTheyDo: the process that began the run reads each event once, with all that a bar, a trace
// and a record need of it.
func TestWorkersWriteDownWhatTheyDo(t *testing.T) {
	env, store, reports := remoteEnv(t)
	stage := toyStage("a", 2, toy{})
	if w := onWorker(t, env, stage); w.err != nil || len(w.done) != 2 {
		t.Fatalf("computed %v (%v)", w.done, w.err)
	}
	events, err := reports.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begun, ended, committed := 0, 0, 0
	for _, e := range events {
		switch {
		case e.Begins:
			begun++
		case e.Ends() && e.Unit < 0:
			committed++
			if m := manifestOf(t, store, stage); len(m) != 2 || e.Key != stage.Recipe(nil).Key() {
				t.Errorf("the stage's key is %s", e.Key)
			}
		case e.Ends():
			ended++
			if outputs, ok, err := store.Lookup(t.Context(), e.Key); !ok || err != nil || e.Hit || e.Bytes != outputs[0].Bytes || e.Took <= 0 || e.Stage != "a" {
				t.Errorf("event %+v of a unit with outputs %v (%v)", e, outputs, err)
			}
		}
	}
	if begun != 2 || ended != 2 || committed != 1 {
		t.Errorf("%d begun, %d ended, %d committed in %+v; want 2, 2, 1", begun, ended, committed, events)
	}
	if again, err := reports.Events(t.Context()); err != nil || len(again) > 0 {
		t.Errorf("the second time they are %v (%v), want none", again, err)
	}
	onWorker(t, env, stage)
	events, err = reports.Events(t.Context())
	if err != nil || !slices.ContainsFunc(events, func(e Event) bool { return e.Hit && e.Unit == 1 }) {
		t.Errorf("what is found is written down as %v (%v)", events, err)
	}
}

// TestFewPartsAreWrittenDown of the many that a unit tells.
func TestFewPartsAreWrittenDown(t *testing.T) {
	env, _, reports := remoteEnv(t)
	r := lookupRun(t.Context(), env)
	for i := range 50 {
		r.events(Event{Stage: "a", Unit: 1, Part: float64(i+1) / 100})
	}
	r.events(Event{Stage: "a", Unit: 2, Part: .5})
	if events, err := reports.Events(t.Context()); err != nil || len(events) != 2 {
		t.Errorf("%v (%v), want one of each unit", events, err)
	}
}

// TestFailuresOfWorkersReachTheDriver with their types. A unit's own failure leaves the others alone; one after which
// it is of no use to try again stops the run, and the runner is not told, since it would try; of any other the runner
// is told.
func TestFailuresOfWorkersReachTheDriver(t *testing.T) {
	for _, c := range []struct {
		name            string
		bad             toy
		is              error
		told, stopped   bool
		computed, wrote int
		alone           int
	}{
		{"its own", toy{Fail: []int{1}}, nil, false, false, 2, 0, 1},
		{"final", toy{Break: []int{0, 1, 2}}, cache.ErrCorrupt, false, true, 0, 1, 0},
		{"passing", toy{Lose: []int{0, 1, 2}}, nil, true, false, 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			env, store, reports := remoteEnv(t)
			w := onWorker(t, env, toyStage("a", 3, c.bad))
			if (w.err != nil) != c.told || len(w.done) != c.computed {
				t.Errorf("the runner is told %v and gets %d units", w.err, len(w.done))
			}
			events, err := reports.Events(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			alone := 0
			for _, e := range events {
				if e.Err != nil && e.ID == "a" && e.Unit == 1 && strings.HasPrefix(e.Err.Error(), "a, unit 2 of 3: ") {
					alone++
				}
			}
			if alone != c.alone {
				t.Errorf("%d units are told to have failed alone, want %d: %v", alone, c.alone, events)
			}
			failures, err := reports.Failures(t.Context())
			if err != nil || len(failures) != c.wrote {
				t.Fatalf("written down: %v (%v), want %d", failures, err, c.wrote)
			}
			if f := (append(failures, Failed{Stage: "a", Text: "a, unit 1 of 3: "}))[0]; f.Stage != "a" || !strings.HasPrefix(f.Text, fmt.Sprintf("a, unit %d of 3: ", f.Unit+1)) || c.is != nil && !errors.Is(f.Err(), c.is) || f.Final() != c.stopped {
				t.Errorf("failure %+v", f)
			}
			_, marked, err := store.Note(t.Context(), stopNote(env.Run))
			if err != nil || marked != c.stopped {
				t.Errorf("the run is stopped: %t (%v), want %t", marked, err, c.stopped)
			}
			if w := onWorker(t, env, toyStage("b", 1, toy{})); (len(w.done) == 0) != c.stopped || w.err != nil {
				t.Errorf("afterwards another stage gives %v (%v)", w.done, w.err)
			}
			if err := reports.Clear(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if err := store.Notes(t.Context(), "runs/", func(name string) error { return errors.New(name) }); err != nil {
				t.Errorf("left in the store: %v", err)
			}
		})
	}
}

// TestEveryKindOfFailureKeepsItsType on its way, and its text.
func TestEveryKindOfFailureKeepsItsType(t *testing.T) {
	for _, want := range []error{cache.ErrCorrupt, cache.ErrMismatch, checkpoint.ErrNotFound, checkpoint.ErrFormat, gpu.ErrNoDevice, ErrTexts, ErrNoScale, ErrRoom, gpu.ErrMemory, fs.ErrNotExist} {
		err := fmt.Errorf("a, unit 1 of 2: %w (say more)", want)
		got := failed("a", 0, err).Err()
		if !errors.Is(got, want) || got.Error() != err.Error() || final(got) != final(err) {
			t.Errorf("%v arrives as %v", err, got)
		}
	}
	if got := failed("a", 0, errToy).Err(); got.Error() != errToy.Error() || final(got) {
		t.Errorf("a failure of no kind arrives as %v", got)
	}
}

// TestAMarkStopsWorkers sets the mark while a unit is under way: it ends, and nothing else begins.
func TestAMarkStopsWorkers(t *testing.T) {
	env, _, reports := remoteEnv(t)
	r := lookupRun(t.Context(), env)
	end := r.watch()
	defer end()
	if r.over() {
		t.Fatal("it is stopped before it was told to")
	}
	if err := reports.Stop(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("units under way are not told")
	}
	if w := onWorker(t, env, toyStage("a", 2, toy{})); w.err != nil || len(w.done) > 0 {
		t.Errorf("after the mark a worker computes %v (%v)", w.done, w.err)
	}
}

// TestABundleThatARunnerGivesUpIsNoFailure of the run: nothing is written down of it.
func TestABundleThatARunnerGivesUpIsNoFailure(t *testing.T) {
	env, _, reports := remoteEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&unitFn{At: publish(t, env, byName(toyStage("a", 1, toy{})))}).ProcessElement(ctx, UnitRef{Stage: "a", Count: 1}, func(UnitDone) { t.Error("it is done") }, func(Failure) { t.Error("it is dead") })
	if failures, _ := reports.Failures(t.Context()); !errors.Is(err, context.Canceled) || len(failures) > 0 {
		t.Errorf("a bundle that was given up ends with %v and writes %v", err, failures)
	}
}

// unremovable is a store that does not remove notes the first time.
type unremovable struct {
	cache.Store
	asked map[string]bool
}

func (s unremovable) RemoveNote(ctx context.Context, name string) error {
	if !s.asked[name] {
		s.asked[name] = true
		return errToy
	}
	return s.Store.RemoveNote(ctx, name)
}

// TestReportsAreReadOnce though the store does not remove them when it is asked, and each that can be read is.
func TestReportsAreReadOnce(t *testing.T) {
	store := unremovable{cache.NewMemory(), map[string]bool{}}
	for _, name := range []string{"1", "2"} {
		if err := store.SetNote(t.Context(), unitsPrefix("r")+name, []byte(`{"stage":"a"}`)); err != nil {
			t.Fatal(err)
		}
	}
	reports := ReportsOf(store, "r")
	if events, err := reports.Events(t.Context()); len(events) != 2 || !errors.Is(err, errToy) {
		t.Errorf("the first time: %v (%v), want both and the store's error", events, err)
	}
	if events, err := reports.Events(t.Context()); len(events) != 0 || err != nil {
		t.Errorf("the second time: %v (%v), want none", events, err)
	}
	if err := store.Notes(t.Context(), "runs/", func(name string) error { return errors.New(name) }); err != nil {
		t.Errorf("left in the store: %v", err)
	}
}
