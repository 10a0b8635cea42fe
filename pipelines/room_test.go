package pipelines

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/transforms"
)

// TestContinuationsAreNoLongerThanTheModelReads asks probe and steer for more tokens than the embedded
// model's 256 positions hold. Nothing is made for them.
func TestContinuationsAreNoLongerThanTheModelReads(t *testing.T) {
	m, err := OpenModel(t.Context(), "tiny:llama", onCPU)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	refused := func(what string, f func() error) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := f()
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "model tiny:llama reads up to 256 tokens, and the prompt has ") {
			t.Errorf("%s: %v", what, err)
		}
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 50 {
			t.Errorf("%s: %d MiB allocated", what, got)
		}
	}
	for _, n := range []int{256, 1_000_000_000, 1<<63 - 1} {
		refused("probe", func() error {
			_, err := m.Probe(t.Context(), ProbeOptions{Texts: []string{"The boat"}, Tokens: n})
			return err
		})
		refused("steer", func() error {
			s := Session{Model: m, Sampling: transforms.Sampling{MaxNewTokens: n}}
			_, err := s.Speak(t.Context(), "The boat", false, func(string) { t.Error("it speaks") })
			return err
		})
	}
	probes, err := m.Probe(t.Context(), ProbeOptions{Texts: []string{"The boat"}, Tokens: 8})
	if err != nil || len(probes[0].Plain.Greedy) != 8 {
		t.Errorf("eight tokens: %+v, %v", probes, err)
	}
}
