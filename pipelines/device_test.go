package pipelines

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/xla/pjrt"
)

// withoutPlugins is a machine on which nothing names a plugin.
func withoutPlugins(t *testing.T) {
	t.Helper()
	for _, v := range append(pjrt.Variables(pjrt.CPU), pjrt.Variables(pjrt.CUDA)...) {
		t.Setenv(v, "")
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
}

// A mistake in a name is one of the configuration; a device that is not here is missing.
func TestDeviceThatIsNotThere(t *testing.T) {
	withoutPlugins(t)
	for _, c := range []struct {
		name, plugin string
		want         error
	}{{"cpu", "", nil}, {"cpu", "x.so", ErrConfig}, {"cuda:x", "", ErrConfig}, {"cuda", "", ErrMissing}, {"xla-cpu", "/gone.so", ErrMissing}} {
		if _, err := OpenDevice("-", c.name, c.plugin); !errors.Is(err, c.want) {
			t.Errorf("device %s with plugin %q: %v, want %v", c.name, c.plugin, err, c.want)
		}
	}
	c := parsed(t, everything().with("device", "cuda:1"), nil)
	if _, err := NewExperiment(t.Context(), c, true); !errors.Is(err, ErrMissing) || errors.Is(err, ErrConfig) {
		t.Errorf("an experiment on a card that is not there: %v", err)
	}
}

// Every device is listed, with the reason if it is not there, and the places where a plugin was looked for.
func TestDevicesAreListed(t *testing.T) {
	withoutPlugins(t)
	text := filepath.Join(t.TempDir(), "x.so")
	if err := os.WriteFile(text, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	list := ListDevices(text)
	if len(list) != 3 || list[0].Recipe != "cpu/float32" || list[0].Why != nil {
		t.Fatalf("listed %+v", list)
	}
	for _, d := range list[1:] {
		if d.Why == nil || !strings.Contains(d.Why.Error(), "no shared library") || len(d.Places) != 5 || d.Places[0] != "-device_plugin: "+text {
			t.Errorf("%s: %v, %q", d.Name, d.Why, d.Places)
		}
	}
}

func TestArithmetic(t *testing.T) {
	for device, want := range map[string]string{"cpu": "cpu in float32", "cuda:1": "cuda:1 in float32", "cuda:1:bf16": "cuda:1 in bfloat16"} {
		if got := (&Config{Device: device, DType: "float32"}).Arithmetic(); got != want {
			t.Errorf("%s is %q, want %q", device, got, want)
		}
	}
}

// A card has no peak: then there is no share of it, rather than one that is no number.
func TestBenchWithoutAPeak(t *testing.T) {
	j := &job{name: "x", texts: 4, tokens: 5, products: 50e9, reads: 5, seconds: []float64{1}}
	b := &Bench{Device: "cuda/float32/h100+x", TokenBytes: 3e9}
	b.Work = []BenchWork{j.result(b)}
	if w := b.Work[0]; w.OfPeak != 0 || w.OfReading != 0 || w.GFLOPs == 0 {
		t.Errorf("shares of no peak: %+v", w)
	}
	if _, err := json.Marshal(b); err != nil {
		t.Error(err)
	}
	if got := (Device{Device: gpu.Device{Platform: "cuda"}}).kernels(); got != "" {
		t.Errorf("a card has the kernels %q", got)
	}
}
