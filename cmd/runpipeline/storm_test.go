package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
)

var (
	kills    = flag.Int("kills", 8, "how many runs TestKilledRunsGoOn kills")
	embedded = flag.Bool("embedded", false, "kill runs of the whole embedded experiment, not of a small one")
)

// TestKilledRunsGoOn kills runs with SIGKILL at random moments: some at any time, most inside the stage that was
// killed least so far, at a random time after a random one of its units began. A killed run is gone on with, and
// killed again, until one gets through, whose results must be those of an undisturbed run to the byte. What is in the
// store after a kill must be whole, and none of it may be computed again. Every stage is killed in at least once, if
// there are kills enough.
func TestKilledRunsGoOn(t *testing.T) {
	left := *kills
	if testing.Short() {
		left = 2
	}
	whole := newStorm(t, nil)
	whole.finish(t, time.Hour)
	stages := whole.stages()
	draw := rand.New(rand.NewPCG(11, 12))
	inside, runs, finished := map[string]int{}, 0, 0
	s := newStorm(t, draw)
	for ; left > 0; runs++ {
		if runs > 20*(*kills+1) {
			t.Fatalf("%d kills are left after %d runs", left, runs)
		}
		stage, killed := s.kill(t, s.target(stages, inside, whole), whole)
		if killed {
			left--
			inside[stage]++
			isWhole(t, s.store())
		}
		if !killed || draw.IntN(4) == 0 { // what is killed all the time would never get to its end
			s.finish(t, time.Hour)
			s.sameAs(t, whole)
			finished++
			s = newStorm(t, draw)
		}
	}
	s.finish(t, time.Hour)
	s.sameAs(t, whole)
	t.Logf("%d kills, %d in no unit; %d experiments came to their end, each as an undisturbed one; inside each stage: %v", *kills, inside[""], finished+1, inside)
	for _, stage := range stages {
		if inside[stage] == 0 && *kills >= 3*len(stages) {
			t.Errorf("no kill inside %s", stage)
		}
	}
}

// A storm is a folder with an experiment that is killed, and what is known of it.
type storm struct {
	dir    string
	draw   *rand.Rand
	stored map[string]bool          // keys that were in the store before the run that goes on
	began  []string                 // stages in the order in which a unit of theirs began, over all runs
	units  map[string]int           // of each stage that began, over all runs
	took   map[string]time.Duration // of a unit of a stage, about
	wall   time.Duration
}

func newStorm(t *testing.T, draw *rand.Rand) *storm {
	return &storm{dir: t.TempDir(), draw: draw, stored: map[string]bool{}, units: map[string]int{}, took: map[string]time.Duration{}}
}

func (s *storm) store() string { return filepath.Join(s.dir, "cache") }

// stages are those that began, each once.
func (s *storm) stages() (names []string) {
	for _, name := range s.began {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// target is the stage that was killed least so far, of those that have units left here.
func (s *storm) target(stages []string, inside map[string]int, whole *storm) string {
	left := slices.DeleteFunc(slices.Clone(stages), func(name string) bool { return s.units[name] >= whole.units[name] })
	if len(left) == 0 {
		return stages[len(stages)-1]
	}
	return slices.MinFunc(left, func(a, b string) int { return inside[a] - inside[b] })
}

// run starts the experiment and calls line with each line of its trace as it is written. It gives how the process ended.
func (s *storm) run(t *testing.T, limit time.Duration, line func(c *exec.Cmd, l traced)) (*exec.Cmd, error) {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "trace")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0) // for writing as well, so that opening waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := process(t, s.dir, "-trace", pipe)
	if *embedded {
		c.Args = append(c.Args[:1], "-cache", "cache", "-set", `output_dir="results"`, "-trace", pipe)
	}
	var stderr bytes.Buffer
	c.Stderr = &stderr
	start(t, c, limit)
	done := make(chan error, 1)
	go func() {
		done <- c.Wait()
		f.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // for what is in the pipe
	}()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var l traced
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("trace line %q: %v", lines.Text(), err)
		}
		if l.Begins {
			s.began = append(s.began, l.Stage)
			s.units[l.Stage]++
			if s.stored[l.Key] {
				t.Errorf("%s, unit %d was computed again after it had been committed", l.Stage, l.Unit)
			}
		} else {
			s.stored[l.Key] = true
		}
		if line != nil {
			line(c, l)
		}
	}
	err = <-done
	if err != nil && !killed(c) {
		t.Fatalf("run: %v\n%s", err, &stderr)
	}
	return c, err
}

func killed(c *exec.Cmd) bool {
	status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// finish lets the experiment come to its end.
func (s *storm) finish(t *testing.T, limit time.Duration) {
	t.Helper()
	begun, at := time.Now(), map[string]time.Time{}
	if c, err := s.run(t, limit, func(_ *exec.Cmd, l traced) {
		if l.Begins {
			at[l.Key] = time.Now()
		} else if b, ok := at[l.Key]; ok {
			s.took[l.Stage] = time.Since(b)
		}
	}); err != nil {
		t.Fatalf("run: %v (%v)", err, c.ProcessState)
	}
	s.wall = time.Since(begun)
}

// kill starts a run and kills it: inside a stage or, one time in four, anywhere. It gives the stage of which a unit was
// being computed, and whether the kill came before the run's end.
func (s *storm) kill(t *testing.T, target string, whole *storm) (inside string, hit bool) {
	t.Helper()
	anywhere := s.draw.IntN(4) == 0
	wait, unit := time.Duration(0), s.draw.IntN(max(1, whole.units[target]-s.units[target]))
	if anywhere {
		wait = time.Duration(s.draw.Float64() * float64(whole.wall))
	} else {
		wait = time.Duration(s.draw.Float64() * float64(whole.took[target]))
	}
	open, seen := map[string]string{}, 0
	var timer *time.Timer
	c, err := s.run(t, time.Hour, func(c *exec.Cmd, l traced) {
		if timer == nil && anywhere {
			timer = time.AfterFunc(wait, func() { c.Process.Kill() })
		}
		if !l.Begins {
			delete(open, l.Key)
			return
		}
		open[l.Key] = l.Stage
		if l.Stage == target && timer == nil {
			if seen++; seen > unit {
				timer = time.AfterFunc(wait, func() { c.Process.Kill() })
			}
		}
	})
	if timer != nil {
		timer.Stop()
	}
	if err == nil || !killed(c) {
		return "", false
	}
	s.look(t)
	for key, stage := range open { // of those whose end was not told, some may have been committed
		if !s.stored[key] && (inside == "" || stage == target) {
			inside = stage
		}
	}
	return inside, true
}

// look notes what is in the store.
func (s *storm) look(t *testing.T) {
	t.Helper()
	store, err := cache.Open(t.Context(), s.store())
	if err != nil {
		t.Fatal(err)
	}
	err = store.Actions(t.Context(), func(a cache.Action, err error) error {
		s.stored[a.Key.String()] = true
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (s *storm) sameAs(t *testing.T, whole *storm) {
	t.Helper()
	for _, name := range []string{"report.json", "rows.jsonl"} {
		compareFiles(t, filepath.Join(s.dir, "results", name), filepath.Join(whole.dir, "results", name))
	}
}

// isWhole checks every byte of a store, and that no process that has ended left a file that counts.
func isWhole(t *testing.T, dir string) {
	t.Helper()
	store, err := cache.Open(t.Context(), dir)
	if err != nil {
		t.Error(err)
		return
	}
	found, _, err := cache.Check(t.Context(), store)
	if err != nil {
		t.Error(err)
	}
	for _, f := range found {
		if f.What != cache.Garbage {
			t.Errorf("the store is not whole: %s %s: %v", f.What, f.File, f.Err)
		}
	}
}
