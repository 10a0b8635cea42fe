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
