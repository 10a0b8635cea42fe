package xla

import (
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// TestPassesAreBounded cuts many rows of one shape, padding counted, and takes a text that is too long alone.
func TestPassesAreBounded(t *testing.T) {
	m, _ := model(t, "llama")
	var items []engine.Item
	for i := range 70 {
		n := 70
		if i < 3 { // fewer rows than are padded to
			n = 1000
		}
		items = append(items, engine.Item{Tokens: make([]int32, n), Logits: []int{0}})
	}
	items = append(items, engine.Item{Tokens: make([]int32, 5000), Logits: []int{0}}, engine.Item{Tokens: make([]int32, 3)})
	seen := map[int]bool{}
	for _, p := range m.passes(items) {
		if tokens := m.sizes.bucket(len(p.which)) * p.new; tokens > m.sizes.tokens && len(p.which) > 1 {
			t.Errorf("a pass of %d tokens", tokens)
		}
		for _, i := range p.which {
			if seen[i] {
				t.Errorf("item %d is in two passes", i)
			}
			seen[i] = true
		}
	}
	if len(seen) != 71 || seen[71] {
		t.Errorf("%d items of 71 of which something is wanted", len(seen))
	}
}

func TestBuckets(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 2: 16, 16: 16, 17: 32, 100: 128, 128: 128} {
		if got := bucket(n, 16); got != want {
			t.Errorf("bucket of %d: %d, want %d", n, got, want)
		}
	}
}
