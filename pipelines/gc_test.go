package pipelines

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
)

// stored is how many bytes the files of actions and blobs have.
func stored(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	for _, top := range []string{"actions", "blobs"} {
		err := filepath.WalkDir(filepath.Join(dir, top), func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err == nil {
				bytes += info.Size()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return bytes
}

// mustBeClean checks every byte, and that no action lacks a blob.
func mustBeClean(t *testing.T, store cache.Store, when string) {
	t.Helper()
	if r, err := Fsck(t.Context(), store); err != nil || len(r.Findings) > 0 {
		t.Errorf("%s: fsck finds %+v, %v", when, r.Findings, err)
	}
}

// otherLambda is small with another map, and what follows from it.
func otherLambda() settings { return small().with("lambda_values", []float64{.01}) }

// What a kept run made stays to the last unit, what only another one made goes, and as many bytes are freed as were
// foretold.
func TestGCKeepsWhatRunsReferTo(t *testing.T) {
	dir, first := finished(t)
	store := open(t, dir)
	mustRun(t, otherLambda(), dir)
	before := stored(t, dir)
	foretold, err := GC(t.Context(), store, GCOptions{Keep: []string{records(t, dir)[1].Run}})
	if err != nil || foretold.Deleted || stored(t, dir) != before || foretold.Total.Actions == 0 || foretold.Total.Blobs == 0 {
		t.Fatalf("a dry run is %+v, %v, and leaves %d of %d bytes", foretold, err, stored(t, dir), before)
	}
	done, err := GC(t.Context(), store, GCOptions{Keep: []string{records(t, dir)[1].Run}, Delete: true})
	if err != nil || done.Total != foretold.Total || !slices.Equal(done.Freed, foretold.Freed) {
		t.Fatalf("gc = %+v, %v; foretold was %+v", done, err, foretold)
	}
	if freed := before - stored(t, dir); freed != foretold.Total.Bytes || stored(t, dir) != done.Kept.Bytes {
		t.Errorf("%d bytes were freed and %d are left; foretold were %d and %d", freed, stored(t, dir), foretold.Total.Bytes, foretold.Kept.Bytes)
	}
	mustBeClean(t, store, "after gc")
	again := mustRun(t, small(), dir)
	if len(again.events) > 0 {
		t.Errorf("a kept experiment computes %v", again.computed())
	}
	again.same(t, first, "after gc")
	for stage, v := range verified(t, dir, VerifyOptions{}) { // from inputs that are there
		if len(v.Differs) > 0 || v.Checked == 0 {
			t.Errorf("%s is not what it was: %+v", stage, v)
		}
	}
	if s := otherLambda().experiment(t).step(t, dir, "fit"); s.State != Run {
		t.Errorf("the fit of an experiment that was not kept is a %s", s.State)
	}
	for _, unit := range []string{"generate", "score"} { // units are found by another experiment
		o := mustRun(t, small().with("alpha_values", []float64{.4, .5}), dir)
		if o.units(unit) > 4 {
			t.Errorf("with one more alpha %d units of %s are computed", o.units(unit), unit)
		}
	}
}

// A run that did not come to its end keeps the units that it has made, since it goes on from them.
func TestGCKeepsUnfinishedUnits(t *testing.T) {
	dir := t.TempDir()
	cut := small().experiment(t).runIn(t, dir, func(ev Event, cancel context.CancelFunc) {
		if ev.Stage == "generate" && ev.Unit >= 0 && ev.Ends() {
			cancel()
		}
	})
	done := map[cache.ActionKey]bool{}
	for _, ev := range cut.events {
		if ev.Ends() {
			done[ev.Key] = true
		}
	}
	if _, err := GC(t.Context(), open(t, dir), GCOptions{Last: 1, Delete: true}); err != nil {
		t.Fatal(err)
	}
	for _, ev := range small().experiment(t).runIn(t, dir, nil).events {
		if ev.Ends() && !ev.Hit && done[ev.Key] {
			t.Errorf("%s, unit %d is computed again", ev.Stage, ev.Unit)
		}
	}
}

// Where everything or an unknown part would go, nothing does.
func TestGCRefuses(t *testing.T) {
	dir, _ := finished(t)
	store := open(t, dir)
	run := records(t, dir)[0]
	if _, err := GC(t.Context(), cache.NewMemory(), GCOptions{Last: 10}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "no run is recorded") {
		t.Errorf("without a record: %v", err)
	}
	if _, err := GC(t.Context(), store, GCOptions{}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "nothing would be kept") {
		t.Errorf("keeping nothing: %v", err)
	}
	if _, err := GC(t.Context(), store, GCOptions{Keep: []string{"20990101"}}); !errors.Is(err, ErrConfig) {
		t.Errorf("keeping a run that is none: %v", err)
	}
	if err := store.SetNote(t.Context(), recordName("20260101T000000Z-00000000"), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := GC(t.Context(), store, GCOptions{Keep: []string{run.Run}}); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("with a record that is none: %v", err)
	}
}

// note writes a record.
func note(t *testing.T, store cache.Store, r RunRecord) {
	t.Helper()
	text, err := r.encode()
	if err == nil {
		err = store.SetNote(t.Context(), recordName(r.Run), text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A run that is at work keeps gc from beginning, whatever the clock says; by force, what it is known to need stays.
func TestGCLeavesALiveRunAlone(t *testing.T) {
	dir, _ := finished(t)
	store := open(t, dir)
	mustRun(t, otherLambda(), dir)
	runs := records(t, dir)
	live := *runs[1] // the first experiment's
	live.State = Running
	note(t, store, live)
	release, err := cache.Hold(store, live.Run)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { wallClock = time.Now }()
	wallClock = func() time.Time { return time.Now().Add(10_000 * time.Hour) }
	before := stored(t, dir)
	if _, err := GC(t.Context(), store, GCOptions{Last: 1, Delete: true}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), live.Run) || stored(t, dir) != before {
		t.Errorf("gc beside a run = %v", err)
	}
	if r, err := GC(t.Context(), store, GCOptions{Last: 1, Delete: true, Force: true}); err != nil || len(r.Runs) != 2 || r.Total.Bytes != 0 {
		t.Errorf("gc by force = %+v, %v", r, err)
	}
	release()
	if r, err := GC(t.Context(), store, GCOptions{Last: 1, Delete: true}); err != nil || r.Total.Bytes == 0 {
		t.Errorf("gc after the run was killed = %+v, %v", r, err)
	}
}

// Where nobody can tell who is alive, a record that changes is of a run that is, whatever the clocks say.
func TestGCWatchesRecordsWithoutLocks(t *testing.T) {
	store := cache.NewMemory()
	defer func(w time.Duration) { wait = w }(wait)
	wait = 200 * time.Millisecond
	note(t, store, RunRecord{Run: "20260101T000000Z-00000000", State: Running, Beats: 1})
	if r, err := GC(t.Context(), store, GCOptions{Last: 1, Delete: true}); err != nil || len(r.Runs) != 1 {
		t.Errorf("a record that does not change: %+v, %v", r, err)
	}
	time.AfterFunc(wait/2, func() { note(t, store, RunRecord{Run: "20260101T000000Z-00000000", State: Running, Beats: 2}) })
	if _, err := GC(t.Context(), store, GCOptions{Last: 1, Delete: true}); !errors.Is(err, ErrConfig) {
		t.Errorf("a record that changes: %v", err)
	}
}

// A removal that is killed anywhere leaves whole actions and misses, and is finished by the next one.
func TestGCThatIsKilledLeavesNoHalf(t *testing.T) {
	dir, _ := finished(t)
	mustRun(t, otherLambda(), dir)
	run := records(t, dir)[1].Run
	killed := errors.New("killed")
	for n := 1; ; n += 7 {
		store := &mortal{Store: open(t, dir), left: n, err: killed}
		_, err := GC(t.Context(), store, GCOptions{Keep: []string{run}, Delete: true})
		mustBeClean(t, open(t, dir), "killed")
		if err == nil {
			break
		}
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
	}
	if len(mustRun(t, small(), dir).events) > 0 {
		t.Error("what was kept is not whole")
	}
}

// A mortal store ends removals after so many.
type mortal struct {
	cache.Store
	left int
	err  error
	last func()
}

func (m *mortal) die() error {
	if m.left--; m.left == 0 && m.last != nil {
		m.last()
	}
	if m.left < 0 && m.err != nil {
		return m.err
	}
	return nil
}

func (m *mortal) RemoveAction(ctx context.Context, k cache.ActionKey) error {
	if err := m.die(); err != nil {
		return err
	}
	return m.Store.RemoveAction(ctx, k)
}

func (m *mortal) RemoveBlob(ctx context.Context, d cache.Digest) error {
	if err := m.die(); err != nil {
		return err
	}
	return m.Store.RemoveBlob(ctx, d)
}

// A run that begins during a removal ends it: it may need what is to go.
func TestGCEndsWhenARunBegins(t *testing.T) {
	store := cache.NewMemory()
	note(t, store, RunRecord{Run: "20260101T000000Z-00000000", State: Done})
	for i := range 3 * lookEvery {
		put(t, store, string(rune(i)), "text")
	}
	m := &mortal{Store: store, left: 3}
	m.last = func() { note(t, store, RunRecord{Run: "20260101T000001Z-00000000", State: Running}) }
	r, err := GC(t.Context(), m, GCOptions{Last: 1, Delete: true})
	if err == nil || !strings.Contains(err.Error(), "run 20260101T000001Z-00000000 began meanwhile") || m.left != 3-lookEvery {
		t.Errorf("gc = %+v, %v, after %d removals", r, err, 3-m.left)
	}
}

// put stores content as the output of an action.
func put(t *testing.T, store cache.Store, content, kind string) cache.Digest {
	t.Helper()
	d, n, err := store.Create(t.Context(), func(w io.Writer) error { _, err := io.WriteString(w, content); return err })
	if err == nil {
		err = store.Commit(t.Context(), cache.NewRecipe("k", 1).Text("content", content), []cache.Output{{Name: "o", Kind: kind, Digest: d, Bytes: n}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What a judge answered was paid for.
func TestGCKeepsReplies(t *testing.T) {
	store := cache.NewMemory()
	note(t, store, RunRecord{Run: "20260101T000000Z-00000000", State: Done})
	reply, text := put(t, store, "3", judge.KindReply), put(t, store, "lorem", "text")
	if _, err := GC(t.Context(), store, GCOptions{Last: 1, Delete: true}); err != nil {
		t.Fatal(err)
	}
	for d, want := range map[cache.Digest]bool{reply: true, text: false} {
		if ok, err := store.Has(t.Context(), d); ok != want || err != nil {
			t.Errorf("blob %s is there: %t, %v", d.Short(), ok, err)
		}
	}
}
