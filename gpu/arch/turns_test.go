package arch_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// TestTurnsAreThoseOfThePrompt asks for positions of prompts of several lengths, of which one encodes
// positions otherwise, from several goroutines.
func TestTurnsAreThoseOfThePrompt(t *testing.T) {
	c, err := arch.ParseConfig([]byte(gputest.Configs["llama_dynamic"])) // trained on 16 positions
	if err != nil {
		t.Fatal(err)
	}
	turns := arch.NewTurns(c)
	var wg sync.WaitGroup
	for _, prompt := range []int{3, 16, 40, 41} {
		wg.Go(func() {
			table := c.Ropes[0].Table(prompt, c.MaxPositions)
			for _, p := range []int{30, 0, 7} {
				cos, sin := turns.At(0, prompt, p)
				wantCos, wantSin := table.At(p)
				if !slices.Equal(cos, wantCos) || !slices.Equal(sin, wantSin) {
					t.Errorf("position %d after a prompt of %d tokens: %v, %v, want %v, %v", p, prompt, cos, sin, wantCos, wantSin)
				}
			}
		})
	}
	wg.Wait()
}
