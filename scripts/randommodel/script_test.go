package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheScriptNamesWhatThereIs: scripts/bench-device.sh runs where nobody looks after it for months. It is a script
// that a shell reads, the tests that it runs are there, and so are the shapes.
func TestTheScriptNamesWhatThereIs(t *testing.T) {
	path := filepath.Join("..", "bench-device.sh")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	script := string(raw)
	if out, err := exec.Command("bash", "-n", path).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "gpu", "xla", "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d tests, %v", len(files), err)
	}
	var tests strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	names := regexp.MustCompile(`\^(Test\w+)`).FindAllStringSubmatch(script, -1)
	if len(names) != 4 {
		t.Errorf("%d tests are run: %q", len(names), names)
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "func "+name[1]+"(t *testing.T)") {
			t.Errorf("gpu/xla has no %s", name[1])
		}
	}
	steps := regexp.MustCompile(`set -- check (\w+) (\w+) peer`).FindStringSubmatch(script)
	if steps == nil {
		t.Fatal("no steps of a call without any")
	}
	for _, shape := range steps[1:] {
		if _, err := shapeOf(shape); err != nil {
			t.Error(err)
		}
	}
}
