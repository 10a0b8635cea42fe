package pipelines

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
)

// following is a run that has a memory for a store, a clock that the test moves, and no runner.
func following(t *testing.T, o Options) (f *followed, store cache.Store, heard *[]string) {
	t.Helper()
	store, heard = cache.NewMemory(), new([]string)
	o.Runner = "flink"
	o.Tell = func(line string) { *heard = append(*heard, line) }
	f = &followed{o: o, job: jobName("r"), reports: transforms.ReportsOf(store, "r"), done: make(chan error, 1),
		event: func(e Event) { *heard = append(*heard, e.Stage) }, stall: newStall(o.Stall, pollEvery, time.Now)}
	return f, store, heard
}

func marked(t *testing.T, store cache.Store) bool {
	t.Helper()
	_, ok, err := store.Note(t.Context(), "runs/r/stop")
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestAnInterruptedRunStopsItsJob interrupts a run whose job does not end by itself: the workers are told, Flink
// cancels, the finished units are told of, and the mark that stops workers goes when the job has.
func TestAnInterruptedRunStopsItsJob(t *testing.T) {
	flink := &fakeFlink{job: jobName("r") + "-root-1", state: "RUNNING"}
	f, store, heard := following(t, Options{FlinkREST: flink.serve(t)})
	ctx, cancel := context.WithCancel(t.Context())
	left := false
	go func() {
		for !marked(t, store) {
			time.Sleep(time.Millisecond)
		}
		store.SetNote(context.Background(), "runs/r/units/1", []byte(`{"stage":"late","unit":0}`))
		for there := true; there; time.Sleep(time.Millisecond) { // until it was read
			_, there, _ = store.Note(context.Background(), "runs/r/units/1")
		}
		f.done <- errors.New("cancelled")
	}()
	cancel()
	if err := f.wait(ctx, func() { left = true }); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted run ends with %v", err)
	}
	if !left || marked(t, store) || !slices.Contains(*heard, "late") {
		t.Errorf("the client was left: %t; the mark is there: %t; heard %q", left, marked(t, store), *heard)
	}
}

// TestAJobThatGoesOnIsCancelled, said, and its workers stay told to stop.
func TestAJobThatGoesOnIsCancelled(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the job for ten seconds")
	}
	flink := &fakeFlink{job: jobName("r") + "-root-1", state: "RUNNING"}
	f, store, heard := following(t, Options{FlinkREST: flink.serve(t)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.wait(ctx, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted run ends with %v", err)
	}
	if len(flink.cancelled) != 1 || !marked(t, store) {
		t.Errorf("cancelled %v; the mark is there: %t", flink.cancelled, marked(t, store))
	}
	said := strings.Join(*heard, "\n")
	if !strings.Contains(said, "job 39c8 was cancelled at http://") || !strings.Contains(said, "has not ended yet") {
		t.Errorf("it says %q", said)
	}
}

// TestARunWithoutProgressIsStopped by the watchdog.
func TestARunWithoutProgressIsStopped(t *testing.T) {
	f, store, _ := following(t, Options{Stall: time.Nanosecond})
	go func() {
		for !marked(t, store) {
			time.Sleep(time.Millisecond)
		}
		f.done <- nil
	}()
	err := f.wait(t.Context(), func() {})
	if err == nil || !strings.Contains(err.Error(), "-stall") || !strings.Contains(err.Error(), "1ns") {
		t.Errorf("a run without progress ends with %v", err)
	}
}

// TestFailuresKeepTheirTypes: what a worker wrote down decides the error, and its exit code, rather than what the
// runner says; a final one before one that was tried again.
func TestFailuresKeepTheirTypes(t *testing.T) {
	for _, c := range []struct {
		name     string
		failures []string
		runner   error
		is       error
		text     string
	}{
		{"corrupt", []string{`{"stage":"a","unit":1,"error":"a, unit 2: blob x","kind":"corrupt"}`}, nil, cache.ErrCorrupt, "a, unit 2: blob x"},
		{"a model that is not there", []string{`{"error":"open model m: nowhere","kind":"missing"}`}, errors.New("java"), ErrMissing, "nowhere"},
		{"a device that is not there", []string{`{"error":"no card","kind":"device"}`}, nil, ErrMissing, "no card"},
		{"too little memory", []string{`{"error":"too large","kind":"memory"}`}, errors.New("java"), ErrMemory, "too large"},
		{"the final one counts", []string{`{"error":"first","kind":"corrupt"}`, `{"error":"second"}`}, errors.New("java"), cache.ErrCorrupt, "first"},
		{"else the last one", []string{`{"error":"first"}`, `{"error":"second"}`}, errors.New("java"), nil, "second"},
		{"of another version", []string{`{"error":"first","kind":"never heard"}`}, nil, nil, "first"},
		{"only the runner knows", nil, errors.New("java"), nil, "flink runner: java"},
		{"none", nil, nil, nil, ""},
	} {
		f, store, _ := following(t, Options{})
		for i, text := range c.failures {
			if err := store.SetNote(t.Context(), "runs/r/failed/"+string(rune('1'+i)), []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		f.done <- c.runner
		err := typed(f.wait(t.Context(), func() {}))
		if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %q and %v", c.name, err, c.text, c.is)
		}
		left := 0
		if err := store.Notes(t.Context(), "runs/", func(string) error { left++; return nil }); err != nil || left > 0 {
			t.Errorf("%s: %d notes are left (%v)", c.name, left, err)
		}
	}
}
