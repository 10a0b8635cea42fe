package pipelines

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// TestProbeEndsWhereGenerationDoes makes the second token of a greedy continuation the end of the text.
func TestProbeEndsWhereGenerationDoes(t *testing.T) {
	files, _ := tiny.Folder("llama")
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	greedy := func(o ProbeOptions) []int32 {
		m, err := OpenModel(t.Context(), dir, onCPU)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		o.Texts, o.Layers, o.Tokens = []string{"The boat"}, []int{0}, 6
		probes, err := m.Probe(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return probes[0].Plain.Greedy
	}
	free := greedy(ProbeOptions{IgnoreEOS: true})
	end := slices.IndexFunc(free, func(id int32) bool { return id != free[0] })
	if len(free) != 6 || end < 0 {
		t.Fatalf("greedy %v, want 6 tokens that differ", free)
	}
	endsAt := func(id int32) {
		if err := os.WriteFile(filepath.Join(dir, "generation_config.json"), fmt.Appendf(nil, `{"eos_token_id": [%d]}`, id), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	endsAt(free[0])
	if got := greedy(ProbeOptions{}); got == nil || len(got) != 0 {
		t.Errorf("with the first token as the end: %#v, want an empty list, which JSON writes as one", got)
	}
	endsAt(free[end])
	if got := greedy(ProbeOptions{}); !slices.Equal(got, free[:end]) {
		t.Errorf("with %d as the end: %v, want %v", free[end], got, free[:end])
	}
	if got := greedy(ProbeOptions{IgnoreEOS: true}); len(got) != 6 || slices.Contains(got, free[end]) {
		t.Errorf("with %d ignored as the end: %v, want 6 others", free[end], got)
	}
}
