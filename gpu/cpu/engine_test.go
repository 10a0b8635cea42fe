package cpu

import (
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// opener loads models for some kernels and a number of threads.
func opener(k *kernels, threads int) enginetest.Opener {
	return func(t testing.TB, c *arch.Config, src arch.Source) engine.Engine {
		t.Helper()
		m, err := load(c, src, Options{Threads: threads}, k)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// TestEngine runs the suite of engines with the kernels of every instruction set, on several threads. What
// each computes has the bits that the best of them give on one thread.
func TestEngine(t *testing.T) {
	for _, name := range []string{"generic", "avx2", "avx512"} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(available, func(k *kernels) bool { return k.name == name })
			if i < 0 {
				t.Skipf("this processor has no %s; it has %s", name, Kernels())
			}
			enginetest.Run(t, opener(available[i], 3), enginetest.Options{Exact: true, Twin: opener(best(), 1), Parity: "../testdata/parity"})
		})
	}
}

func FuzzEngine(f *testing.F) { enginetest.Fuzz(f, opener(best(), 2), enginetest.Options{Exact: true}) }

// reference is a random model of a family.
func reference(t testing.TB, family string) *gputest.Reference {
	t.Helper()
	c, err := arch.ParseConfig([]byte(gputest.Configs[family]))
	if err != nil {
		t.Fatal(err)
	}
	return gputest.Model(c, 1)
}

func loaded(t testing.TB, r *gputest.Reference, k *kernels, threads int) *Model {
	t.Helper()
	return opener(k, threads)(t, r.Config, r).(*Model)
}

// TestBlocksThatAreNotNeededDoNotRun takes them away: they would crash if they ran.
func TestBlocksThatAreNotNeededDoNotRun(t *testing.T) {
	r := reference(t, "gemma2")
	m := loaded(t, r, best(), 2)
	for l := 1; l < len(m.blocks); l++ {
		m.blocks[l] = block{}
	}
	tokens := r.Text(9, 1)
	got := enginetest.Forward(t, m, engine.Item{Tokens: tokens, Residuals: []engine.Place{{Token: 8, Layer: 0}}}, engine.Item{Tokens: tokens})[0]
	if e := enginetest.Relative(got.Residuals[0], r.Forward(tokens, 0).Residual[0][8]); !(e < 1e-5) {
		t.Errorf("relative difference %.1e", e)
	}
}
