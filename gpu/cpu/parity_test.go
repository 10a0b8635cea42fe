package cpu

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// TestParityWithTransformers is the promise for every family: residuals after every block within 1e-4,
// logits within 1e-3, greedy texts identical but after a step whose margin is below 1e-3; plain and
// steered, all texts of a fixture in one batch.
func TestParityWithTransformers(t *testing.T) {
	files, err := filepath.Glob("../testdata/parity/*/parity.json")
	if err != nil || len(files) < 18 {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			p := gputest.ReadParity(t, file)
			f, err := checkpoint.OpenFS(os.DirFS(dir), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c, err := arch.ParseConfig(f.Config())
			if err != nil {
				t.Fatal(err)
			}
			m, err := Load(c.Fitted(f.Tensors()), f, Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, steered := range []bool{false, true} {
				checkParity(t, m, p, steered)
			}
		})
	}
}

// checkParity follows the greedy texts; the first step is also compared in full.
func checkParity(t *testing.T, m *Model, p *gputest.Parity, steered bool) {
	t.Helper()
	var batch []engine.Item
	for _, c := range p.Cases {
		last := len(c.Tokens) - 1
		it := engine.Item{Sequence: m.NewSequence(len(c.Tokens)), Tokens: c.Tokens, Logits: []int{last}}
		for l := range m.config.Layers {
			it.Residuals = append(it.Residuals, engine.Place{Token: last, Layer: l})
		}
		if steered {
			it.Edits = []engine.Edit{{Layer: p.Layer, From: last, To: last + 1, Vector: p.Vector}}
		}
		batch = append(batch, it)
	}
	parted, left := make([]bool, len(batch)), make([]int, len(batch))
	for i, c := range p.Cases {
		left[i] = m.config.EncodedAlike(len(c.Tokens))
	}
	for step := range p.Cases[0].Greedy {
		for i, got := range forward(t, m, batch...) {
			c := &p.Cases[i]
			residual, logits, greedy, margins := c.Residual, c.Logits, c.Greedy, c.Margins
			if steered {
				residual, logits, greedy, margins = c.SteeredResidual, c.SteeredLogits, c.Steered, c.SteeredMargins
			}
			for l, r := range got.Residuals {
				if e := relative(r, residual[l]); !(e < 1e-4) {
					t.Errorf("text of %d tokens, steered %t: block %d: relative difference %.1e", len(c.Tokens), steered, l, e)
				}
			}
			best := 0
			for id, v := range got.Logits[0] {
				if step == 0 && !(math.Abs(float64(v)-logits[id]) < 1e-3) {
					t.Fatalf("text of %d tokens, steered %t: logit %d is %g, want %g", len(c.Tokens), steered, id, v, logits[id])
				}
				if v > got.Logits[0][best] {
					best = id
				}
			}
			if int32(best) != greedy[step] && !parted[i] {
				if parted[i] = true; margins[step] >= 1e-3 {
					t.Errorf("text of %d tokens, steered %t: token %d is %d, want %d at a margin of %g", len(c.Tokens), steered, step, best, greedy[step], margins[step])
				}
			}
			next := &batch[i]
			next.Tokens, next.Logits, next.Residuals = greedy[step:step+1], []int{0}, nil
			last := 0
			if left[i]--; left[i] == 0 { // the text's own tokens are encoded in another way from now on
				next.Tokens = slices.Concat(c.Tokens, greedy[:step+1])
				next.Sequence, next.Logits[0], last = m.NewSequence(len(next.Tokens)), len(next.Tokens)-1, len(c.Tokens)-1
				left[i] = m.config.EncodedAlike(len(next.Tokens))
			}
			if steered {
				next.Edits = []engine.Edit{{Layer: p.Layer, From: last, To: len(next.Tokens), Vector: p.Vector}}
			}
		}
	}
}
