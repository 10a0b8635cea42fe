//go:build cgo && linux && (amd64 || arm64) && !noxla

package xla

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
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

// The driver's cards are counted and named in its order. The driver is a library of that name with three cards, the
// last of which has no name; it is found as the real one is, by the loader, and so before a program begins.
func TestCardsAreTheDrivers(t *testing.T) {
	if os.Getenv("XLA_TEST_CARDS") != "" {
		fmt.Printf("cards %q\n", Cards())
		return
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "driver.c")
	if err := os.WriteFile(source, []byte(`
static const char *names[] = {"NVIDIA One", "NVIDIA Two"};
static int begun;
int cuInit(unsigned flags) { begun = 1; return flags; }
int cuDeviceGetCount(int *n) { *n = 3; return begun ? 0 : 3; }
int cuDeviceGet(int *device, int card) { *device = card + 40; return 0; }
int cuDeviceGetName(char *text, int most, int device) {
	if (device == 42 || most < 11) return 1;
	for (int i = 0; i < 11; i++) text[i] = names[device - 40][i];
	return 0;
}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	compiler, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		t.Skipf("a C compiler made this program elsewhere: %v", err)
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", filepath.Join(dir, "libcuda.so.1"), source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestCardsAreTheDrivers$")
	c.Env = append(os.Environ(), "XLA_TEST_CARDS=1", "LD_LIBRARY_PATH="+dir)
	out, err := c.CombinedOutput()
	if want := `cards ["NVIDIA One" "NVIDIA Two" ""]`; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%s %v; want %s", out, err, want)
	}
}

// A process that has a card gets no other: what the plugin would give it under another number is the same card. It
// needs a card.
func TestAProcessHasOneCard(t *testing.T) {
	if os.Getenv("XLA_TEST_CUDA") == "" {
		t.Skip("XLA_TEST_CUDA is not set")
	}
	plugin := Plugin{Path: cpuPlugin(t), CUDA: true} // the variable names the card's plugin then
	if _, err := Open(plugin); err != nil {
		t.Fatal(err)
	}
	plugin.Ordinal = 1
	if _, err := Open(plugin); err == nil || !strings.Contains(err.Error(), "on card 0 already") {
		t.Errorf("a second card: %v", err)
	}
}
