package xla

import (
	"math"
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

// TestCompiledEngine runs the suite of engines on a compiler: all families, or with -short three that together
// have nearly all that families differ in.
func TestCompiledEngine(t *testing.T) {
	o := enginetest.Options{Parity: "../testdata/parity", Compiled: true}
	if testing.Short() {
		o.Families = []string{"gemma2", "llama", "qwen"}
	}
	enginetest.Run(t, opener(compiledDevice(t), Options{}), o)
}

// TestBFloat16 compares everything of a text with the reference: near, as rounding operands to 8 bits leaves it, and
// not nearer, which would be another arithmetic than recipes name.
func TestBFloat16(t *testing.T) {
	dev := compiledDevice(t)
	for _, family := range []string{"gemma2", "llama", "qwen"} {
		m, r := modelOn(t, dev, family, Options{BFloat16: true})
		text := r.Text(30, 1)
		it := enginetest.Everything(m.config, text)
		got, want := enginetest.Forward(t, m, it)[0], r.Forward(text, 0)
		worst, nll := 0., 0.
		for i, p := range it.Residuals {
			worst = max(worst, enginetest.Relative(got.Residuals[i], want.Residual[p.Layer][p.Token]))
		}
		for i, next := range it.Next {
			logits := want.Logits(i)
			nll = max(nll, math.Abs(float64(got.NLL[i])-enginetest.LogSum(logits)+logits[next]))
		}
		if t.Logf("%s: residuals differ by %.1e, likelihoods by %.1e", family, worst, nll); !(worst < 3e-2 && worst > 1e-3 && nll < .15) {
			t.Errorf("%s: residuals differ by %.1e, likelihoods by %.1e nats", family, worst, nll)
		}
	}
}

// TestPretrainedGreedyEqualsTransformers continues some prompts with each of the two pretrained models.
func TestPretrainedGreedyEqualsTransformers(t *testing.T) {
	enginetest.Pretrained(t, opener(goDevice(t), Options{}), filepath.Join("..", "testdata", "pretrained.json"), filepath.Join("..", "..", "models"), 5)
}

func FuzzEngine(f *testing.F) {
	enginetest.Fuzz(f, opener(goDevice(f), Options{}), enginetest.Options{})
}
