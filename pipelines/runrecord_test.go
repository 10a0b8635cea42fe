package pipelines

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
)

// records are the records of a store, the latest first.
func records(t *testing.T, dir string) []*RunRecord {
	t.Helper()
	runs, err := Runs(t.Context(), open(t, dir), func(run string, err error) { t.Errorf("run %s: %v", run, err) })
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// A run that ends early leaves what it found and made, by the keys of its stages and, where these are not finished, of
// their units; and no secret.
func TestRecordsOfUnfinishedRunsHaveTheirUnits(t *testing.T) {
	const secret = "sk-0123456789<abcdef>"
	t.Setenv("SOME_API_KEY", secret)
	dir := t.TempDir()
	store := open(t, dir)
	during := RunState("")
	o := outcomeOf(t.Context(), small().experiment(t), Options{Cache: dir, Runner: "direct", Program: "test"}, func(ev Event, cancel context.CancelFunc) {
		if ev.Stage != "generate" || ev.Unit < 0 || !ev.Ends() || during != "" {
			return
		}
		r := records(t, dir)
		if len(r) != 1 {
			t.Errorf("%d records while it runs, want 1", len(r))
			return
		}
		during = r[0].State
		cancel()
	})
	if !errors.Is(o.err, context.Canceled) || during != Running {
		t.Fatalf("the run ends with %v; while it runs it is %q", o.err, during)
	}
	r := records(t, dir)[0]
	if r.State != Interrupted || r.Error == "" || r.Program != "test" || r.Device == "" || r.Machine.CPUs == 0 || r.Beat.Before(r.Begun) || r.Models() != "tiny:qwen2 → tiny:llama" {
		t.Errorf("record %+v", r)
	}
	units := 0
	for _, s := range r.Stages {
		if s.Key != "" && len(s.Found) > 0 {
			t.Errorf("stage %s is finished and lists %d units", s.Stage, len(s.Found))
		}
		if s.Stage == "capture.source" && s.Key == "" {
			t.Error("a finished stage has no key")
		}
		for _, k := range s.Found {
			if s.Stage == "generate" {
				units++
			}
			if _, ok, err := store.Lookup(t.Context(), k); !ok || err != nil {
				t.Errorf("unit %s of %s: %t, %v", k.Short(), s.Stage, ok, err)
			}
		}
	}
	if units == 0 {
		t.Error("no unit of generate is listed")
	}
	r.Error = "the judge says: your key " + secret + " is wrong"
	if text, err := r.encode(); err != nil || strings.Contains(string(text), "0123456789") || !strings.Contains(string(text), "your key [SOME_API_KEY] is wrong") {
		t.Errorf("the record is %s (%v)", text, err)
	}
}

// A record that says "running" is believed while somebody holds the run, whatever the clock says, and a little longer.
func TestKilledRunsAreStopped(t *testing.T) {
	dir := t.TempDir()
	store := open(t, dir)
	r := RunRecord{Run: "20260101T000000Z-00000000", State: Running, Beat: time.Now()}
	text, err := r.encode()
	if err == nil {
		err = store.SetNote(t.Context(), recordName(r.Run), text)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { wallClock = time.Now }()
	state := func(jump time.Duration) RunState {
		wallClock = func() time.Time { return time.Now().Add(jump) }
		return records(t, dir)[0].State
	}
	if got := []RunState{state(0), state(-1000 * time.Hour), state(staleBeat + time.Second)}; !slices.Equal(got, []RunState{Running, Running, Stopped}) {
		t.Errorf("nobody holds it: %q", got)
	}
	release, err := cache.Hold(store, r.Run)
	if err != nil {
		t.Fatal(err)
	}
	if got := state(1000 * time.Hour); got != Running {
		t.Errorf("somebody holds it, and a clock jumps: %q", got)
	}
	release()
	if got := state(1000 * time.Hour); got != Stopped {
		t.Errorf("it was released: %q", got)
	}
}

// Names of runs are in the order of the runs, also where the clock goes back.
func TestLaterRunsHaveGreaterNames(t *testing.T) {
	dir, _ := finished(t)
	defer func() { wallClock = time.Now }()
	want := []string{records(t, dir)[0].Run}
	for _, jump := range []time.Duration{0, -1000 * time.Hour, 1000 * time.Hour, 0} {
		wallClock = func() time.Time { return time.Now().Add(jump) }
		mustRun(t, small(), dir)
		runs := records(t, dir)
		if r := runs[0]; slices.Contains(want, r.Run) || r.Run < want[0] || r.State != Done || r.Cells[0].Verdict == "" || r.Cells[0].Result == "" {
			t.Errorf("after a jump of %v the latest is %+v", jump, r)
		}
		want = append([]string{runs[0].Run}, want...)
	}
}

// Records may be missing, and a run goes on all the same and says so.
func TestRunsGoOnWithoutTheirRecord(t *testing.T) {
	l, err := newRunLog(noNotes{cache.NewMemory()}, Options{}, &Plan{}, newRecord(&Plan{}), small().experiment(t).Alone())
	if err != nil {
		t.Fatal(err)
	}
	if l.begin(t.Context()) == "" {
		t.Error("the run has no name")
	}
	var said []string
	l.end(t.Context(), nil, nil, func(ev Event) { said = append(said, ev.Note) })
	if len(said) != 1 || !strings.Contains(said[0], "disk is full") {
		t.Errorf("it says %q", said)
	}
}

type noNotes struct{ *cache.Memory }

func (noNotes) SetNote(context.Context, string, []byte) error { return errors.New("disk is full") }

// TestTheVerdictIsAWord: an outcome is a number in the order of the document's list, which nobody reads.
func TestTheVerdictIsAWord(t *testing.T) {
	report := []byte(`{"evaluation": {"pooled": {"verdict": {"outcome": "1", "meaning": "success: the mapped vector meets every threshold"}}}}`)
	if got := verdictOf(report); got != "success" {
		t.Errorf("verdict %q", got)
	}
	if got := verdictOf([]byte("{}")); got != "" {
		t.Errorf("no verdict is %q", got)
	}
}
