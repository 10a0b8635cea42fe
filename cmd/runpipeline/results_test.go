package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// TestResultsAreReplacedTogether fails at each of the three files in turn, by a writer that finds the
// disk full and by a name that is taken by a folder. The old files must stay, and nothing beside them.
func TestResultsAreReplacedTogether(t *testing.T) {
	names := []string{"report.json", "rows.jsonl", "run.json"}
	full := errors.New("no space left on device")
	for i, name := range names {
		for _, kind := range []string{"full disk", "folder"} {
			dir := t.TempDir()
			for j, n := range names {
				if kind == "folder" && i == j {
					if err := os.MkdirAll(filepath.Join(dir, n, "inner"), 0o755); err != nil {
						t.Fatal(err)
					}
				} else if err := os.WriteFile(filepath.Join(dir, n), []byte("old "+n), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			files := make([]replacement, len(names))
			for j, n := range names {
				files[j] = replacement{n, func(w io.Writer) error {
					if kind == "full disk" && i == j {
						io.WriteString(w, "ha")
						return full
					}
					_, err := io.WriteString(w, "new "+n)
					return err
				}}
			}
			err := replaceFiles(dir, files)
			if err == nil || !strings.Contains(err.Error(), "write "+name+": ") || kind == "full disk" && !errors.Is(err, full) {
				t.Errorf("%s at %s: %v", kind, name, err)
			}
			for j, n := range names {
				if b, _ := os.ReadFile(filepath.Join(dir, n)); string(b) != "old "+n && !(kind == "folder" && i == j) {
					t.Errorf("%s at %s: %s holds %q", kind, name, n, b)
				}
			}
			if left, _ := os.ReadDir(dir); len(left) != len(names) {
				t.Errorf("%s at %s: %d files are left, want %d", kind, name, len(left), len(names))
			}
		}
	}
}

// smallestReport is the least that a page can be made of.
const smallestReport = `{"fit":{"cross_validation":{}},"evaluation":{}}`

// TestResultsThatCannotBeWritten makes the rows fail, which come second.
func TestResultsThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	old := map[string]string{"report.json": "before", "rows.jsonl": "before", "run.json": "before"}
	for name, content := range old {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	failing := &pipelines.Result{Report: []byte(smallestReport), Rows: func(io.Writer) error { return errors.New("no space left on device") }}
	if _, err := writeResults(dir, failing, runRecord{}); err == nil || !strings.Contains(err.Error(), "rows.jsonl: no space left") {
		t.Errorf("error %v", err)
	}
	for name := range old {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "before" {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	good := &pipelines.Result{Report: []byte(smallestReport), Rows: func(io.Writer) error { return nil }}
	if _, err := writeResults(dir, good, runRecord{Experiment: "new"}); err != nil {
		t.Fatal(err)
	}
	for name := range old {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || bytes.Contains(b, []byte("before")) {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
}

// TestFilesOfOtherResultsGo: what these results have no file for is removed, folders are made, and nothing is
// removed if something cannot be written.
func TestFilesOfOtherResultsGo(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "figures", "old.svg")
	if err := os.MkdirAll(filepath.Dir(old), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	full := replacement{"tables/full.csv", func(io.Writer) error { return errors.New("no space left on device") }}
	if err := replaceFiles(dir, []replacement{{name: "figures/old.svg"}, full}); err == nil {
		t.Error("a full disk went unnoticed")
	}
	if _, err := os.Stat(old); err != nil {
		t.Errorf("the old file went although the new could not be written: %v", err)
	}
	if err := replaceFiles(dir, []replacement{{name: "figures/old.svg"}, {name: "figures/never.svg"}, bytesOf("tables/new.csv", []byte("x"))}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tables", "new.csv")); err != nil || string(b) != "x" {
		t.Errorf("tables/new.csv holds %q, %v", b, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) != 1 {
		t.Errorf("in the folders there are %q", left)
	}
}

// TestRunRecordOutlivesARunThatDidNothing: the times of the run that made the results stay, unless they
// are those of another experiment or this run did something.
func TestRunRecordOutlivesARunThatDidNothing(t *testing.T) {
	dir := t.TempDir()
	at := func(state pipelines.State) *pipelines.Result {
		return &pipelines.Result{Report: []byte(smallestReport), Rows: func(io.Writer) error { return nil }, Stages: []pipelines.StageRecord{{Stage: "fit", State: state}}}
	}
	for i, c := range []struct {
		state      pipelines.State
		experiment string
		kept       bool
		seconds    float64 // that the file then gives
	}{
		{pipelines.Hit, "a", false, 1}, // there is none yet
		{pipelines.Run, "a", false, 2},
		{pipelines.Hit, "a", true, 2},
		{pipelines.Open, "a", false, 4},
		{pipelines.Hit, "b", false, 5},
	} {
		kept, err := writeResults(dir, at(c.state), runRecord{Experiment: c.experiment, Seconds: float64(i + 1), Version: "v"})
		b, _ := os.ReadFile(filepath.Join(dir, "run.json"))
		var run runRecord
		if json.Unmarshal(b, &run); err != nil || kept != c.kept || run.Seconds != c.seconds {
			t.Errorf("run %d: kept %t, %v, %g seconds; want %t and %g", i+1, kept, err, run.Seconds, c.kept, c.seconds)
		}
	}
}

// TestDevicesAreNotReplaced: a file renamed to /dev/null would take its place.
func TestDevicesAreNotReplaced(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "v.json")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	if problem := cannotReplace("-out", link); !strings.Contains(problem, "-out "+link) {
		t.Errorf("a link to a device: %q", problem)
	}
	if err := replaceFile(link, func(io.Writer) error { return nil }); err == nil {
		t.Error("a link to a device was replaced")
	}
	if problem := cannotReplace("-out", filepath.Join(dir, "new.json")); problem != "" {
		t.Errorf("a new file: %q", problem)
	}
}

// TestFullDevices writes results and traces to /dev/full: what was not written is not done.
func TestFullDevices(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	newScript(t)
	for _, args := range [][]string{
		{"version"},
		{"help"},
		{"plan", "-config", "small.json", "-cache", "cache"},
		{"plan", "-config", "small.json", "-cache", "cache", "-json"},
		{"probe", "-model", "tiny:llama", "-text", "The boat", "-tokens", "1"},
		{"probe", "-model", "tiny:llama", "-text", "The boat", "-tokens", "1", "-json"},
	} {
		var errs bytes.Buffer
		a := newApp(strings.NewReader(""), full, &errs)
		if code := a.main(t.Context(), args); code != exitStage || !strings.Contains(errs.String(), "no space left on device") {
			t.Errorf("%v > /dev/full exits with %d: %s", args, code, &errs)
		}
	}
	if testing.Short() {
		return
	}
	code, stdout, stderr := call(t, "-config", "small.json", "-cache", "cache", "-trace", "/dev/full", "-quiet")
	if code != exitStage || !strings.Contains(stderr, "write trace /dev/full: no space left on device") || !strings.Contains(stdout, "verdict: ") {
		t.Errorf("-trace /dev/full exits with %d: %s%s", code, stdout, stderr)
	}
}

// TestAFileThatHasItsContentIsLeftAlone, and one that differs in length or in a byte, or is no file of ours, is not.
func TestAFileThatHasItsContentIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789"), 2000)
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	last := slices.Clone(content)
	last[len(last)-1] = 'x'
	before := map[string][]byte{"same": content, "shorter": content[:len(content)-1], "longer": append(slices.Clone(content), 'x'), "other": last, "empty": nil}
	for name, b := range before {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, b, 0o644), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	var files []replacement
	for name := range before {
		files = append(files, bytesOf(name, content))
	}
	if err := replaceFiles(dir, append(files, bytesOf("new", content))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"same", "shorter", "longer", "other", "empty", "new"} {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, content) || info.ModTime().Equal(old) != (name == "same") {
			t.Errorf("%s: %d bytes, changed at %v", name, len(b), info.ModTime())
		}
	}
}
