package enginetest

import (
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// Pretrained continues prompts of a fixture that gpu/testdata/make_pretrained.py wrote, at most so many of each
// model, all in one batch from quantised weights. After a step whose margin is below 10⁻³, which is logged, the
// rest is not compared. models is the folder of scripts/fetch-models.sh.
func Pretrained(t *testing.T, open Opener, fixture, models string, most int) {
	if testing.Short() {
		t.Skip("reads two models of hundreds of megabytes")
	}
	for name, rows := range gputest.ReadPretrained(t, fixture) {
		t.Run(name, func(t *testing.T) {
			f := gputest.OpenPretrained(t, models, name)
			c, err := arch.ParseConfig(f.Config())
			if err != nil {
				t.Fatal(err)
			}
			e := open(t, c.Fitted(f.Tensors()), f)
			defer e.Close()
			continued(t, e, rows[:min(most, len(rows))])
		})
	}
}

func continued(t *testing.T, e engine.Engine, rows []gputest.Greedy) {
	batch := make([]engine.Item, len(rows))
	for i, row := range rows {
		batch[i] = engine.Item{Sequence: e.NewSequence(len(row.Prompt)), Tokens: row.Prompt, Logits: []int{len(row.Prompt) - 1}}
	}
	parted := make([]bool, len(rows))
	compared := 0
	for step := range rows[0].Tokens {
		for i, got := range Forward(t, e, batch...) {
			want, margin := rows[i].Tokens[step], rows[i].Margins[step]
			if best := argmax(got.Logits[0]); int32(best) != want && !parted[i] {
				if parted[i] = true; margin >= 1e-3 {
					t.Errorf("prompt %d: token %d at step %d, want %d at a margin of %.3f", i, best, step, want, margin)
				} else {
					t.Logf("prompt %d: a tie at step %d, margin %.1e", i, step, margin)
				}
			}
			if !parted[i] {
				compared++
			}
			batch[i].Tokens, batch[i].Logits = []int32{want}, []int{0}
		}
	}
	t.Logf("%d tokens compared", compared)
}

func argmax(x []float32) (best int) {
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
