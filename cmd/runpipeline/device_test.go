package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRunOnAPlugin runs a small experiment on XLA's device for the processor: it is another device in the recipes,
// it says which file computed, and neither recipes nor results know where the file lies.
func TestRunOnAPlugin(t *testing.T) {
	plugin := os.Getenv("PJRT_CPU_PLUGIN")
	if plugin == "" {
		t.Skip("PJRT_CPU_PLUGIN names no plugin")
	}
	if testing.Short() {
		t.Skip("XLA compiles for half a minute")
	}
	s := newScript(t)
	run := func(args ...string) {
		t.Helper()
		if err := s.runpipeline(append(args, "-config", "small.json", "-cache", "cache"), true); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, &s.stderr)
		}
	}
	folder := filepath.Join(s.dir, "cuda, cards")
	if err := os.Symlink(filepath.Dir(plugin), folder); err != nil {
		t.Fatal(err)
	}
	run("-device", "cpu")
	run("-device", "xla-cpu", "-device_plugin", folder)
	line := regexp.MustCompile(`(?m)^device xla-cpu: plugin (.*) \(.*sha256 [0-9a-f]{12}, from -device_plugin\); in recipes it is (xla-cpu/float32/\S+)$`).FindStringSubmatch(s.stderr.String())
	if line == nil || filepath.Dir(line[1]) != folder {
		t.Fatalf("no line says which device was taken:\n%s", &s.stderr)
	}
	if !strings.Contains(s.stderr.String(), "model.device: cpu/float32 → "+line[2]) {
		t.Errorf("the device is no reason to run again:\n%s", &s.stderr)
	}
	report := s.stdout.String()
	run("plan", "-device", "xla-cpu", "-device_plugin", plugin) // the same file by another path
	if !regexp.MustCompile(`(?m)^  capture.source +hit `).Match(s.stdout.Bytes()) {
		t.Errorf("the same plugin at another place runs again:\n%s", &s.stdout)
	}
	storedWithoutThePlugin(t, s, line[2], report)
	for _, where := range []string{folder, filepath.Dir(plugin)} {
		if strings.Contains(report, where) {
			t.Errorf("the results name %s", where)
		}
		for _, root := range []string{"cache", "results"} {
			for _, name := range filesBelow(t, root) {
				b, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if filepath.Base(name) != "run.json" && bytes.Contains(b, []byte(where)) {
					t.Errorf("%s names %s", name, where)
				}
			}
		}
	}
}

// storedWithoutThePlugin reads what a run on xla-cpu left where no plugin is named any more: by the device's name, since
// the run's record is beside the results, or by its text in recipes alone.
func storedWithoutThePlugin(t *testing.T, s *script, text, report string) {
	t.Helper()
	run := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		if err := s.runpipeline(append(args, "-config", "small.json", "-cache", "cache"), code == exitDone); err != nil || s.code != code {
			t.Errorf("%q ended with %d, want %d: %v\n%s", args, s.code, code, err, &s.stderr)
		}
		return s.stdout.String(), s.stderr.String()
	}
	for _, args := range [][]string{{"show", "fit/map"}, {"export"}, {"export", "-artifact", "vectors/ridge/silly", "-out", "v.json"}, {"sheet", "-n", "3", "-out", "sheet"}} {
		stdout, stderr := run(exitDone, append(args, "-device", "xla-cpu")...)
		if stdout == "" || strings.Count(stderr, "device xla-cpu: what is stored of "+text+", which made ") != 1 {
			t.Errorf("%q says\n%s%s", args, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"plan"}, {"run"}} {
		if _, stderr := run(exitMissing, append(args, "-device", "xla-cpu")...); !strings.Contains(stderr, "hint: what is stored of a run on it is found without it by -device TEXT, where TEXT is what its recipes have: "+text+", as ") {
			t.Errorf("%q without the plugin says %s", args, stderr)
		}
	}
	if stdout, _ := run(exitDone, "run", "-device", text); stdout != report {
		t.Errorf("the same results are reported as\n%s, were\n%s", stdout, report)
	}
	if _, stderr := run(exitConfig, "run", "-device", text, "-set", "n_seeds=2"); strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "no such device to run a model on") {
		t.Errorf("what is not stored: %s", stderr)
	}
	os.RemoveAll("results")
	if _, stderr := run(exitMissing, "show", "-device", "xla-cpu"); !strings.Contains(stderr, "the run said it, and its run.json has it") {
		t.Errorf("without the record: %s", stderr)
	}
	if stdout, _ := run(exitDone, "show", "-device", text); !strings.Contains(stdout, "vectors/ridge/silly") {
		t.Errorf("show prints %s", stdout)
	}
	run(exitDone, "run", "-device", text) // for what is looked at next
}

// TestBenchOnAPlugin: what compiles is in the first calls.
func TestBenchOnAPlugin(t *testing.T) {
	plugin := os.Getenv("PJRT_CPU_PLUGIN")
	if plugin == "" {
		t.Skip("PJRT_CPU_PLUGIN names no plugin")
	}
	s := newScript(t)
	if err := s.runpipeline([]string{"bench", "-model", "tiny:llama", "-device", "xla-cpu", "-device_plugin", plugin, "-repeat", "1", "-texts", "8", "-batches", "2"}, true); err != nil {
		t.Fatalf("%v\n%s", err, &s.stderr)
	}
	for _, want := range []string{
		`(?m)^  start +[0-9.]+ s until something was captured: digest of the files [0-9.]+, loading [0-9.]+, the first capture, which compiles, [0-9.]+`,
		`(?m)^  work +texts × tokens +first +seconds +tokens/s +best +of the peak`,
		`(?m)^  load +[0-9.]+ *$`,
		`(?m)^  capture/8 +8 × 32( +[0-9.]+){5}% `,
		`(?m)^  decode/2 +2 × 32( +[0-9.]+){5}% `,
	} {
		if !regexp.MustCompile(want).Match(s.stdout.Bytes()) {
			t.Errorf("no line %s in\n%s", want, &s.stdout)
		}
	}
	if !strings.Contains(s.stderr.String(), "first calls, which compile\nround 1 of 1\n") {
		t.Errorf("it says\n%s", &s.stderr)
	}
}

// filesBelow are the files in a folder.
func filesBelow(t *testing.T, root string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files in %s: %v", len(names), root, err)
	}
	return names
}
