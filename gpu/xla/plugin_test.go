//go:build cgo && linux && (amd64 || arm64) && !noxla

package xla

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/xla/pjrt"
)

// cpuPlugin is a plugin for the processor.
func cpuPlugin(t *testing.T) string {
	f, err := pjrt.Find(pjrt.CPU, "")
	if err != nil {
		t.Skip(err)
	}
	return f.Path
}

// The library takes words in a path for what a plugin is, and a comma for its end; neither may reach it.
func TestWordsInAPathMeanNothing(t *testing.T) {
	from := cpuPlugin(t)
	path := filepath.Join(t.TempDir(), "cuda-x, y", "nvidia.so")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Link(from, path) != nil {
		copyFile(t, from, path)
	}
	o, err := Open(Plugin{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(Plugin{Path: path})
	if err != nil || again != o {
		t.Errorf("opened twice: %v", err)
	}
	f, err := o.Facts()
	if err != nil || f.Kind != "cpu" {
		t.Errorf("facts %+v, %v; want a cpu", f, err)
	}
	if b := o.backend.Name(); b != "xla" {
		t.Errorf("backend %s", b)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// A plugin of another platform, and libraries that are none.
func TestWhatIsNoPluginIsRefused(t *testing.T) {
	empty, text := filepath.Join(t.TempDir(), "empty.so"), filepath.Join(t.TempDir(), "text.so")
	for name, content := range map[string]string{empty: "", text: "INPUT(libm.so.6)\n"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{empty: "cannot be loaded: file too short", text: "cannot be loaded: ", "libm.so.6": "it is no PJRT plugin", "/nowhere.so": "cannot be loaded: "} {
		if _, err := Open(Plugin{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: %v; want %q", path, err, want)
		}
	}
	if _, err := Open(Plugin{Path: cpuPlugin(t), CUDA: true}); err == nil || !strings.Contains(err.Error(), "no plugin for cuda") {
		t.Errorf("the processor's plugin as a card's: %v", err)
	}
}
