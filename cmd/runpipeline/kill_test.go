package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// process is the command as a process of its own, working in dir with its own cache.
func process(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "small.json"), []byte(small), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, append([]string{"-config", "small.json", "-cache", "cache", "-trace", "trace"}, args...)...)
	c.Dir = dir
	c.Env = append(os.Environ(), asCommand+"=1", "HOME="+dir, "XDG_CACHE_HOME="+dir, "HF_HUB_OFFLINE=1", "TMPDIR="+t.TempDir())
	return c
}

// start starts a command that the test ends; one that hangs is killed after limit.
func start(t *testing.T, c *exec.Cmd, limit time.Duration) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(limit, func() { c.Process.Kill() })
	t.Cleanup(func() { stop.Stop() })
}

// startHeard is start for a command whose standard error the test reads as it comes.
func startHeard(t *testing.T, c *exec.Cmd) io.Reader {
	t.Helper()
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, c, time.Minute)
	return stderr
}

// finish runs the command to its end and gives what it printed.
func finish(t *testing.T, dir string) (stdout []byte, took time.Duration) {
	t.Helper()
	var stderr bytes.Buffer
	c := process(t, dir)
	c.Stderr = &stderr
	begun := time.Now()
	stdout, err := c.Output()
	if err != nil {
		t.Fatalf("run: %v\n%s", err, &stderr)
	}
	return stdout, time.Since(begun)
}

// A traced is one line of a trace.
type traced struct {
	Stage  string `json:"stage"`
	Unit   int    `json:"unit"`
	Key    string `json:"key"`
	Hit    bool   `json:"hit"`
	Begins bool   `json:"begins"`
}

func readTrace(t *testing.T, dir string) (lines []traced) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "trace"))
	if err != nil && !errors.Is(err, os.ErrNotExist) { // killed before the first line: no file
		t.Fatal(err)
	}
	for text := range strings.Lines(string(b)) {
		if !strings.HasSuffix(text, "\n") { // still being written
			break
		}
		var line traced
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("trace line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// TestKilledRunsOnAPluginGoOn kills a run on XLA's device for the processor, interrupts the next one and lets the third
// get through: nothing that was finished is computed again, and the results are those of an undisturbed run.
func TestKilledRunsOnAPluginGoOn(t *testing.T) {
	if os.Getenv("PJRT_CPU_PLUGIN") == "" {
		t.Skip("PJRT_CPU_PLUGIN names no plugin")
	}
	if testing.Short() {
		t.Skip("XLA compiles for a minute")
	}
	whole, dir := t.TempDir(), t.TempDir()
	if out, err := process(t, whole, "-device", "xla-cpu").CombinedOutput(); err != nil {
		t.Fatalf("run: %v\n%s", err, out)
	}
	before := 0
	for _, c := range []struct {
		stage  string // is computed when the signal comes
		signal os.Signal
	}{{"capture.source", os.Kill}, {"generate", os.Interrupt}} {
		p := process(t, dir, "-device", "xla-cpu")
		start(t, p, 5*time.Minute)
		for deadline, reached := time.Now().Add(4*time.Minute), false; !reached && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
			for _, line := range readTrace(t, dir) {
				reached = reached || line.Stage == c.stage && !line.Hit && !line.Begins
			}
		}
		if err := p.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); c.signal == os.Interrupt && p.ProcessState.ExitCode() != exitInterrupted || err == nil {
			t.Errorf("%s while %s is computed: %v", c.signal, c.stage, err)
		}
		done := len(computedKeys(readTrace(t, dir)))
		if done <= before {
			t.Errorf("%d units and manifests before %s, %d after it", before, c.signal, done)
		}
		before = done
	}
	if out, err := process(t, dir, "-device", "xla-cpu").CombinedOutput(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	noTwice(t, dir)
	for _, name := range []string{"report.json", "rows.jsonl"} {
		compareFiles(t, filepath.Join(dir, "results", name), filepath.Join(whole, "results", name))
	}
}

// noTwice checks that no action was computed twice over all runs in the folder.
func noTwice(t *testing.T, dir string) {
	t.Helper()
	stored := map[string]bool{}
	for _, line := range readTrace(t, dir) {
		if line.Begins && stored[line.Key] {
			t.Errorf("%s, unit %d was computed again after it had been committed", line.Stage, line.Unit)
		}
		stored[line.Key] = stored[line.Key] || !line.Begins
	}
}

func computedKeys(lines []traced) map[string]bool {
	keys := map[string]bool{}
	for _, line := range lines {
		if !line.Hit && !line.Begins {
			keys[line.Key] = true
		}
	}
	return keys
}

func compareFiles(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s differs from that of an undisturbed run", filepath.Base(got))
	}
}

// TestInterruptKeepsFinishedWork sends an interrupt once texts are being generated.
func TestInterruptKeepsFinishedWork(t *testing.T) {
	if testing.Short() {
		t.Skip("one run to interrupt, one to finish")
	}
	dir := t.TempDir()
	c := process(t, dir)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	start(t, c, 5*time.Minute)
	for interrupted := false; !interrupted && c.ProcessState == nil; time.Sleep(2 * time.Millisecond) {
		for _, line := range readTrace(t, dir) {
			interrupted = interrupted || line.Stage == "capture.source" && !line.Begins
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); c.ProcessState.ExitCode() != exitInterrupted {
		t.Fatalf("an interrupted run ended with %v (%d), want %d\n%s", err, c.ProcessState.ExitCode(), exitInterrupted, &stderr)
	}
	text := strings.TrimSpace(stderr.String())
	if notice := "interrupted; finishing the current units; again to stop at once\n"; !strings.Contains(text, notice) {
		t.Errorf("an interrupted run does not say at once %q:\n%s", notice, text)
	}
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if last != "runpipeline: interrupted; finished work is kept: the same command goes on from there" {
		t.Errorf("an interrupted run ends with the line %q", last)
	}
	if _, err := os.Stat(filepath.Join(dir, "results", "report.json")); err == nil {
		t.Error("an interrupted run left a report")
	}
	before := computedKeys(readTrace(t, dir))
	finish(t, dir)
	noTwice(t, dir)
	if after := computedKeys(readTrace(t, dir)); len(before) == 0 || len(after) <= len(before) {
		t.Errorf("%d units and manifests before the interrupt, %d in all", len(before), len(after))
	}
}

// TestInterruptEndsAMeasurement wherever it is, and does not speak of work that is kept.
func TestInterruptEndsAMeasurement(t *testing.T) {
	c := process(t, t.TempDir())
	c.Args = append(c.Args[:1], "bench", "-model", "tiny:llama", "-repeat", "1000")
	lines := bufio.NewScanner(startHeard(t, c))
	for lines.Scan() && lines.Text() != "round 2 of 1000" {
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if err := c.Wait(); c.ProcessState.ExitCode() != exitInterrupted || last != "runpipeline: interrupted" {
		t.Errorf("an interrupted measurement ended with %v (%d) and the line %q", err, c.ProcessState.ExitCode(), last)
	}
}

// TestInterruptsAreHeardWhileNothingRuns interrupts a conversation that waits for a line: once for the
// end of the command, twice for its end at once.
func TestInterruptsAreHeardWhileNothingRuns(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "v.json"), []byte(`{"directions": [{"layer": 1, "values": [`+strings.Repeat("1,", 127)+`1]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := process(t, dir)
	c.Args = append(c.Args[:1], "steer", "-model", "tiny:llama", "-vector", "v.json")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stderr := startHeard(t, c)
	var said []byte
	for part := make([]byte, 1000); !bytes.HasSuffix(said, []byte("> ")); {
		n, err := stderr.Read(part)
		if err != nil {
			t.Fatalf("%v after %q", err, said)
		}
		said = append(said, part[:n]...)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(stderr)
	if err != nil {
		t.Fatal(err)
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted || !strings.HasPrefix(string(rest), "interrupted; finishing the current units; again to stop at once\n") {
		t.Errorf("an interrupted conversation exits with %d (%v) and says %q", code, c.ProcessState, rest)
	}
}

// TestSecondInterruptStopsAtOnce calls what is behind main with a command that does not listen.
func TestSecondInterruptStopsAtOnce(t *testing.T) {
	c := process(t, t.TempDir())
	c.Env = append(c.Env, deafCommand+"=1")
	stderr := startHeard(t, c)
	lines := bufio.NewScanner(stderr)
	for _, want := range []string{"working", "interrupted; finishing the current units; again to stop at once"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it says %q, want %q", lines.Text(), want)
		}
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("after the second interrupt it ends with %v, want exit code %d", c.ProcessState, exitInterrupted)
	}
}

// TestInterruptsEndConfigurationAndPlanning calls commands that read, find and plan with a context that
// has ended: none goes on to its end.
func TestInterruptsEndConfigurationAndPlanning(t *testing.T) {
	newScript(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"plan", "-config", "small.json", "-cache", "cache"},
		{"run", "-config", "small.json", "-cache", "cache"},
		{"plan", "-set", "n_training_samples=100000", "-cache", "cache"},
	} {
		var out, errs bytes.Buffer
		if code := newApp(strings.NewReader(""), &out, &errs).main(ctx, args); code != exitInterrupted || out.Len() > 0 {
			t.Errorf("%v exits with %d: %s%s", args, code, &out, &errs)
		}
	}
}

// TestCoresMakeNoDifference runs with one processor and with three.
func TestCoresMakeNoDifference(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs")
	}
	var stdout [2][]byte
	var dirs [2]string
	for i, procs := range []string{"1", "3"} {
		dirs[i] = t.TempDir()
		c := process(t, dirs[i])
		c.Env = append(c.Env, "GOMAXPROCS="+procs)
		out, err := c.Output()
		if err != nil {
			t.Fatalf("run on %s: %v", procs, err)
		}
		stdout[i] = out
	}
	if !bytes.Equal(stdout[0], stdout[1]) {
		t.Errorf("standard output with one processor is\n%s, with three\n%s", stdout[0], stdout[1])
	}
	for _, name := range []string{"report.json", "rows.jsonl"} {
		compareFiles(t, filepath.Join(dirs[0], "results", name), filepath.Join(dirs[1], "results", name))
	}
}

// TestProcessesShareAStore starts the same experiment eight times at once.
func TestProcessesShareAStore(t *testing.T) {
	if testing.Short() {
		t.Skip("eight runs")
	}
	dir := t.TempDir()
	var running [8]*exec.Cmd
	var stdout, stderr [len(running)]bytes.Buffer
	for i := range running {
		running[i] = process(t, dir, "-set", fmt.Sprintf("output_dir=run%d", i))
		running[i].Stdout, running[i].Stderr = &stdout[i], &stderr[i]
	}
	for _, c := range running {
		start(t, c, 5*time.Minute)
	}
	for i, c := range running {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i+1, err, &stderr[i])
		}
		if !bytes.Equal(stdout[i].Bytes(), stdout[0].Bytes()) {
			t.Errorf("one process prints\n%s, another\n%s", &stdout[0], &stdout[i])
		}
		for _, name := range []string{"report.json", "rows.jsonl"} {
			compareFiles(t, filepath.Join(dir, fmt.Sprintf("run%d", i), name), filepath.Join(dir, "run0", name))
		}
	}
	isWhole(t, filepath.Join(dir, "cache"))
}
