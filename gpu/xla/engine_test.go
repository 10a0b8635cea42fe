package xla

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
)

// pluginVariable names the plugin for the processor with which tests run on a compiler as well.
const pluginVariable = "PJRT_CPU_PLUGIN"

// compiledDevice is the processor behind the plugin that the environment names.
func compiledDevice(t testing.TB) *Device {
	t.Helper()
	path := os.Getenv(pluginVariable)
	if path == "" {
		t.Skip(pluginVariable + " names no plugin")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := Open(Plugin{Path: path, CUDA: os.Getenv("XLA_TEST_CUDA") != ""})
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// goDevice is the backend in Go.
func goDevice(t testing.TB) *Device {
	t.Helper()
	dev, err := OpenGo()
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// opener loads models onto a device.
func opener(dev *Device, o Options) enginetest.Opener {
	return func(t testing.TB, c *arch.Config, src arch.Source) engine.Engine {
		t.Helper()
		m, err := Load(dev, c, src, o)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// TestEngine runs the suite of engines on the backend in Go.
func TestEngine(t *testing.T) {
	enginetest.Run(t, opener(goDevice(t), Options{}), enginetest.Options{Parity: "../testdata/parity"})
}

// TestCompiledEngine runs the suite of engines on a compiler.
func TestCompiledEngine(t *testing.T) {
	enginetest.Run(t, opener(compiledDevice(t), Options{}), enginetest.Options{Parity: "../testdata/parity"})
}

// TestPretrainedGreedyEqualsTransformers continues some prompts with each of the two pretrained models.
func TestPretrainedGreedyEqualsTransformers(t *testing.T) {
	enginetest.Pretrained(t, opener(goDevice(t), Options{}), filepath.Join("..", "testdata", "pretrained.json"), filepath.Join("..", "..", "models"), 5)
}

func FuzzEngine(f *testing.F) {
	enginetest.Fuzz(f, opener(goDevice(f), Options{}), enginetest.Options{})
}
