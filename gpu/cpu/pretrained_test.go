package cpu

import (
	"path/filepath"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// openPretrained loads one of the models that scripts/fetch-models.sh fetches.
func openPretrained(t testing.TB, name string) *Model {
	t.Helper()
	f := gputest.OpenPretrained(t, filepath.Join("..", "..", "models"), name)
	c, err := arch.ParseConfig(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(c.Fitted(f.Tensors()), f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPretrainedGreedyEqualsTransformers continues 20 prompts with each of the two pretrained models, all
// in one batch from quantised weights. After a step whose margin is below 10⁻³, which is logged, the rest
// is not compared.
func TestPretrainedGreedyEqualsTransformers(t *testing.T) {
	if testing.Short() {
		t.Skip("reads two models of hundreds of megabytes")
	}
	for name, rows := range gputest.ReadPretrained(t, filepath.Join("..", "testdata", "pretrained.json")) {
		t.Run(name, func(t *testing.T) {
			m := openPretrained(t, name)
			batch := make([]engine.Item, len(rows))
			for i, row := range rows {
				batch[i] = engine.Item{Sequence: m.NewSequence(len(row.Prompt)), Tokens: row.Prompt, Logits: []int{len(row.Prompt) - 1}}
			}
			parted := make([]bool, len(rows))
			compared := 0
			for step := range rows[0].Tokens {
				for i, got := range enginetest.Forward(t, m, batch...) {
					best := 0
					for id, v := range got.Logits[0] {
						if v > got.Logits[0][best] {
							best = id
						}
					}
					want := rows[i].Tokens[step]
					if int32(best) != want && !parted[i] {
						parted[i] = true
						if rows[i].Margins[step] >= 1e-3 {
							t.Errorf("prompt %d: token %d at step %d, want %d at a margin of %.3f", i, best, step, want, rows[i].Margins[step])
						} else {
							t.Logf("prompt %d: a tie at step %d, margin %.1e", i, step, rows[i].Margins[step])
						}
					}
					if !parted[i] {
						compared++
					}
					batch[i].Tokens, batch[i].Logits = []int32{want}, []int{0}
				}
			}
			t.Logf("%d tokens compared", compared)
		})
	}
}
