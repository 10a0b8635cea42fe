package gpu_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/xla/pjrt"
)

func TestDeviceNames(t *testing.T) {
	for name, want := range map[string]string{
		"cpu": "cpu/float32", "xla-cpu": "xla-cpu/float32", "xla-cpu:bf16": "xla-cpu/bfloat16",
		"cuda": "cuda/float32", "cuda:0": "cuda/float32", "cuda:bf16": "cuda/bfloat16",
		"cuda:1": "cuda/float32", "cuda:1:bf16": "cuda/bfloat16", "cuda:255": "cuda/float32",
	} {
		if d, err := gpu.ParseDevice(name); err != nil || d.String() != want {
			t.Errorf("%s is %s, %v; want %s", name, d, err, want)
		}
	}
	for _, name := range []string{"", "abacus", "CPU", "cpu:0", "cpu:bf16", "xla-cpu:1", "xla-cpu:bf16:bf16", "cuda:", "cuda:01", "cuda:-1", "cuda:256", "cuda:bf16:1",
		"cuda:fp8", "cuda :1", "cuda:1\n", "gpu", "cuda@/x.so"} {
		if d, err := gpu.ParseDevice(name); !errors.Is(err, gpu.ErrNoDevice) {
			t.Errorf("%q is %s, %v; want no such device", name, d, err)
		}
	}
	if _, err := gpu.DeviceFor(gpu.WithPlugin("cpu", "/x.so")); !errors.Is(err, gpu.ErrNoDevice) {
		t.Errorf("cpu with a plugin: %v", err)
	}
}

// Recipes have the device's text: everything that decides bits, nothing of the machine.
func TestDeviceText(t *testing.T) {
	d := gpu.Device{Platform: "cuda", DType: "bfloat16", Chip: "h100", Compiler: "jax-cuda13-pjrt-0.11.2", Notes: "plugin /home/me/x.so"}
	if got, want := d.String(), "cuda/bfloat16/h100+jax-cuda13-pjrt-0.11.2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for kind, want := range map[string]string{
		"NVIDIA H100 80GB HBM3": "h100", "NVIDIA H100 PCIe": "h100-pcie", "NVIDIA H200": "h200", "NVIDIA A100-SXM4-40GB": "a100-sxm4", "Tesla V100-SXM2-16GB": "v100-sxm2",
		"NVIDIA GeForce RTX 4090": "rtx-4090", "NVIDIA H100 80GB HBM3 MIG 1g.10gb": "h100-mig-1g", "": "unknown", "../; x": "x",
	} {
		if got := gpu.ChipOf(kind); got != want {
			t.Errorf("%q is %q, want %q", kind, got, want)
		}
	}
}

// The other cards of a machine have their own numbers and chips, and what is known of the first alone is not said of
// them.
func TestOtherCards(t *testing.T) {
	second, err := gpu.ParseDevice("cuda:1:bf16")
	if err != nil {
		t.Fatal(err)
	}
	second.Chip, second.Compiler, second.Memory, second.Notes = "h100", "jax-1", 1<<30, "of the second"
	var got []string
	for _, d := range second.Others([]string{"NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3", "NVIDIA H200"}) {
		got = append(got, fmt.Sprint(d.Name(), " ", d, " ", d.Memory, " ", d.Notes))
	}
	want := []string{"cuda:bf16 cuda/bfloat16/a100-sxm4+jax-1 0 NVIDIA A100-SXM4-40GB", "cuda:2:bf16 cuda/bfloat16/h200+jax-1 0 NVIDIA H200"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// noPlugin is a machine without a plugin.
func noPlugin(t *testing.T) {
	for _, v := range append(pjrt.Variables(pjrt.CPU), pjrt.Variables(pjrt.CUDA)...) {
		t.Setenv(v, "")
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
}

func TestDeviceWithoutAPlugin(t *testing.T) {
	noPlugin(t)
	for _, name := range []string{"xla-cpu", "cuda:1:bf16"} {
		_, err := gpu.DeviceFor(name)
		if platform, _, _ := strings.Cut(name, ":"); !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), "device install "+platform) {
			t.Errorf("%s without a plugin: %v", name, err)
		}
	}
	text := filepath.Join(t.TempDir(), "x.so")
	if err := os.WriteFile(text, []byte("INPUT(libm.so.6)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := gpu.DeviceFor(gpu.WithPlugin("cuda", text)); !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), "no shared library") {
		t.Errorf("a text for a plugin: %v", err)
	}
}

// The device of a plugin: what it is called is in the recipe, where it lies is not.
func TestDeviceOfAPlugin(t *testing.T) {
	file, err := pjrt.Find(pjrt.CPU, "")
	if err != nil {
		t.Skip(err)
	}
	noPlugin(t)
	d, err := gpu.DeviceFor(gpu.WithPlugin("xla-cpu:bf16", file.Path))
	if err != nil {
		if strings.Contains(err.Error(), "built without XLA") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	if want := "xla-cpu/bfloat16/" + pjrt.HostChip() + "+" + file.Compiler(); d.String() != want {
		t.Errorf("%s, want %s", d, want)
	}
	if !regexp.MustCompile(`^[a-z0-9./+-]+$`).MatchString(d.String()) || strings.Contains(d.String(), filepath.Dir(file.Path)) {
		t.Errorf("%s in a recipe", d)
	}
	if !strings.Contains(d.Notes, file.Path) || !strings.Contains(d.Notes, "-device_plugin") {
		t.Errorf("people are told %q", d.Notes)
	}
	t.Setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
	told, err := gpu.DeviceFor(gpu.WithPlugin("xla-cpu:bf16", file.Path))
	if want := d.String() + "+flags-"; err != nil || !strings.HasPrefix(told.String(), want) || !strings.Contains(told.Notes, "XLA_FLAGS") {
		t.Errorf("with XLA_FLAGS it is %s (%s), %v; want %s…", told, told.Notes, err, want)
	}
	if _, err := gpu.DeviceFor(gpu.WithPlugin("cuda", file.Path)); !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), "no plugin for cuda") {
		t.Errorf("the processor's plugin as a card's: %v", err)
	}
}

// What computes on one chip waits for each other, and for nothing else.
func TestDevicesWaitForTheirChipOnly(t *testing.T) {
	free := func(name string) bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		done, err := gpu.Take(ctx, name)
		if err == nil {
			done()
		}
		return err == nil
	}
	for taken, waiting := range map[string][]string{"cpu": {"cpu", "xla-cpu:bf16"}, "cuda": {"cuda:0:bf16"}, "cuda:1": {"cuda:1"}} {
		done, err := gpu.Take(t.Context(), taken)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"cpu", "xla-cpu:bf16", "cuda:0:bf16", "cuda:1"} {
			want := true
			for _, w := range waiting {
				want = want && w != name
			}
			if got := free(name); got != want {
				t.Errorf("with %s taken %s is free: %t, want %t", taken, name, got, want)
			}
		}
		done()
	}
}
