package gpu_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// tie is the margin below which two correct programs may choose differently.
const tie = 1e-3

// TestPretrainedGreedyEqualsTransformers continues 20 prompts with each of the two pretrained
// models. After a step whose margin is below tie, which is logged, the rest is not compared.
func TestPretrainedGreedyEqualsTransformers(t *testing.T) {
	if testing.Short() {
		t.Skip("reads two models of hundreds of megabytes")
	}
	for name, rows := range gputest.ReadPretrained(t, filepath.Join("testdata", "pretrained.json")) {
		t.Run(name, func(t *testing.T) {
			c := gputest.OpenPretrained(t, filepath.Join("..", "models"), name)
			d, err := gpu.Open(c, nil, "cpu")
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			batch := make([]gpu.Row, len(rows))
			for i, row := range rows {
				batch[i].Prompt = row.Prompt
			}
			// The reference goes on after end-of-text, which Generate cannot be told to do; what
			// it chooses before that is compared.
			out, err := d.Generate(context.Background(), batch, gpu.Sampling{MaxNewTokens: len(rows[0].Tokens), StopAtEOS: true})
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for i, row := range rows {
				compared += len(out[i].Tokens)
				want := row.Tokens[:len(out[i].Tokens)]
				if slices.Equal(out[i].Tokens, want) {
					continue
				}
				at := 0
				for out[i].Tokens[at] == want[at] {
					at++
				}
				if row.Margins[at] < tie {
					t.Logf("prompt %d: a tie at step %d, margin %.1e", i, at, row.Margins[at])
					continue
				}
				t.Errorf("prompt %d: differs at step %d with margin %.3f:\n got %v\nwant %v", i, at, row.Margins[at], out[i].Tokens, want)
			}
			if compared < 16*len(rows) {
				t.Errorf("%d tokens of %d texts: the model ends its texts too early to compare", compared, len(rows))
			}
			t.Logf("%d tokens compared", compared)
		})
	}
}
