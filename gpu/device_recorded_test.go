package gpu_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// What recipes have of a device is read back as it was, and nothing else is taken for it; no model runs on it.
func TestRecordedDevices(t *testing.T) {
	for _, d := range []gpu.Device{
		{Platform: "cuda", DType: "bfloat16", Chip: "h100", Compiler: "jax-cuda13-pjrt-0.11.2"},
		{Platform: "cuda", DType: "float32", Chip: "rtx-4090", Compiler: "pjrt-0123456789ab", Flags: "flags-1a2b3c4d"},
		{Platform: "xla-cpu", DType: "float32", Chip: "avx512-bf16", Compiler: "lammps-jax-pjrt-cpu-0.11.2"},
	} {
		got, ok := gpu.RecordedDevice(d.String())
		if !ok || got != d {
			t.Errorf("%s is read as %+v, %t; want %+v", d, got, ok, d)
		}
		if _, err := gpu.DeviceFor(d.String()); !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), "it is written as recipes have it") {
			t.Errorf("a model on %s: %v", d, err)
		}
	}
	for _, text := range []string{"", "cpu", "cuda", "cpu/float32", "cuda/bfloat16", "cuda/fp8/h100+x", "cuda/float32/h100", "cuda/float32/../x+y", "cuda/float32/h100+x+y",
		"cuda/float32/h100+x+flags-1", "cuda/float32/H100+x", "cuda/float32/h100+x\n", "cuda/float32/h100+" + strings.Repeat("x", 1000)} {
		if d, ok := gpu.RecordedDevice(text); ok {
			t.Errorf("%.60q is read as %s", text, d)
		}
	}
	for name, want := range map[string]bool{"cuda:1:bf16": true, "cuda:bf16": true, "cuda": false, "xla-cpu:bf16": false, "cpu": false} {
		d, err := gpu.ParseDevice(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Names("cuda/bfloat16/h100+jax-cuda13-pjrt-0.11.2"); got != want {
			t.Errorf("%s names a card that computes in bfloat16: %t", name, got)
		}
	}
}

// The environment's settings of a compiler change bits, so they are in the device's text; places of files are not, nor is
// what the library that opens plugins adds.
func TestCompilerFlags(t *testing.T) {
	for _, name := range []string{"XLA_FLAGS", "XLA_DEBUG_OPTIONS", "NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"} {
		t.Setenv(name, "")
	}
	seen := map[string]string{}
	for _, c := range []struct{ platform, name, value string }{
		{"cuda", "XLA_FLAGS", "--xla_gpu_autotune_level=0"}, {"cuda", "XLA_FLAGS", "--xla_gpu_autotune_level=1"},
		{"xla-cpu", "XLA_DEBUG_OPTIONS", "--xla_gpu_autotune_level=0"}, {"cuda", "NVIDIA_TF32_OVERRIDE", "1"}, {"cuda", "CUBLAS_WORKSPACE_CONFIG", ":4096:8"},
	} {
		t.Setenv(c.name, c.value)
		digest, variables := gpu.CompilerFlags(c.platform)
		if of, again := seen[digest]; again || len(digest) != len("flags-1a2b3c4d") || len(variables) != 1 || variables[0] != c.name {
			t.Errorf("%s=%s is %q (%q), as %q was", c.name, c.value, digest, variables, of)
		}
		seen[digest] = c.name + "=" + c.value
		for _, same := range []string{"  " + c.value + " ", c.value + " --xla_gpu_cuda_data_dir=/x --xla_dump_to=/y"} {
			if t.Setenv(c.name, same); c.name != "XLA_FLAGS" {
				continue
			}
			if got, _ := gpu.CompilerFlags(c.platform); got != digest {
				t.Errorf("%s=%s is %s, want %s as without places", c.name, same, got, digest)
			}
		}
		t.Setenv(c.name, "")
	}
	t.Setenv("XLA_FLAGS", "--xla_dump_to=/tmp/x")
	t.Setenv("NVIDIA_TF32_OVERRIDE", "1")
	if got, _ := gpu.CompilerFlags("xla-cpu"); got != "" {
		t.Errorf("a place of dumps, and what only cards read: %s", got)
	}
	d := gpu.Device{Platform: "cuda", DType: "float32", Chip: "h100", Compiler: "x", Flags: "flags-1a2b3c4d"}
	if want := "cuda/float32/h100+x+flags-1a2b3c4d"; d.String() != want {
		t.Errorf("%s, want %s", d, want)
	}
}

// Weights take what their type on the device takes, where they rest there; Go's collector hears of its own heap alone.
func TestWeightBytesOnADevice(t *testing.T) {
	folder, _ := tiny.Folder("llama")
	c, err := checkpoint.OpenFS(folder, "tiny:llama")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	on := func(name string) (gpu.Device, int) {
		d, err := gpu.ParseDevice(name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := gpu.WeightBytes(c, d)
		if err != nil {
			t.Fatal(err)
		}
		return d, n
	}
	cpu, stored := on("cpu")
	host, wide := on("xla-cpu")
	card, narrow := on("cuda:bf16")
	decoder, err := gpu.Open(c, nil, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	parameters := decoder.Config().Parameters()
	if wide != 4*parameters || narrow <= 2*parameters || narrow > 2*parameters+wide/50 {
		t.Errorf("%d parameters take %d bytes in float32 and %d in bfloat16 (vectors stay wide)", parameters, wide, narrow)
	}
	if stored > wide+wide/50 || host.OwnMemory() || !card.OwnMemory() || !cpu.Collected() || host.Collected() {
		t.Errorf("as stored %d, in float32 %d; own memory %t %t", stored, wide, host.OwnMemory(), card.OwnMemory())
	}
	second, _ := on("cuda:1")
	if !host.SharesMemory(cpu) || card.SharesMemory(host) || card.SharesMemory(second) || !second.SharesMemory(second) {
		t.Error("the wrong devices share memory")
	}
	if cpu.LoadBytes(decoder.Config()) != 0 || 2*card.LoadBytes(decoder.Config()) != host.LoadBytes(decoder.Config()) {
		t.Error("a device behind a plugin loads through one matrix in its type")
	}
	held := gpu.HeldBytes()
	if second, err := gpu.Open(c, nil, "xla-cpu"); err == nil {
		if got := gpu.HeldBytes(); got != held {
			t.Errorf("the collector is told of %d bytes that XLA has", got-held)
		}
		second.Close()
	}
}
