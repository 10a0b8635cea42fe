package gpu_test

import (
	"context"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// openParity opens a fixture's model; nothing ends its texts.
func openParity(t *testing.T, open opener, fsys fs.FS, name string) *gpu.Decoder {
	t.Helper()
	c, err := checkpoint.OpenFS(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	config, err := arch.ParseConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	config.EOS = nil
	d := open(t, config, c)
	t.Cleanup(func() { d.Close() })
	return d
}

// TestParityWithTransformers is the promise for every family: residuals after every block
// within 1e-4, logits within 1e-3, greedy texts identical but after a step whose margin is
// below 1e-3; plain and steered, with padding and without (the text of 16 tokens), alone and
// seven together.
func TestParityWithTransformers(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		for _, path := range gputest.ParityFiles(t, filepath.Join("testdata", "parity")) {
			dir := filepath.Dir(path)
			t.Run(filepath.Base(dir), func(t *testing.T) {
				checkParity(t, openParity(t, open, os.DirFS(dir), dir), gputest.ReadParity(t, path))
			})
		}
	})
}

func checkParity(t *testing.T, d *gpu.Decoder, p *gputest.Parity) {
	t.Helper()
	push := []gpu.Push{{Site: gpu.Site{Layer: p.Layer}, Vector: p.Vector}}
	for i := range p.Cases {
		checkForward(t, d, p, []int{i}, push)
	}
	checkForward(t, d, p, seven(len(p.Cases)), push)
	for _, batch := range [][]int{seven(len(p.Cases)), {len(p.Cases) - 1}} {
		checkGreedy(t, d, p, batch, push)
	}
}

// seven are the numbers of seven cases of n.
func seven(n int) []int {
	out := make([]int, 7)
	for i := range out {
		out[i] = i % n
	}
	return out
}

func checkForward(t *testing.T, d *gpu.Decoder, p *gputest.Parity, batch []int, push []gpu.Push) {
	t.Helper()
	ctx := context.Background()
	var sites []gpu.Site
	for l := range d.Config().Layers {
		sites = append(sites, gpu.Site{Layer: l})
	}
	var texts [][]int32
	var last [][]int
	for _, i := range batch {
		texts = append(texts, p.Cases[i].Tokens)
		last = append(last, []int{len(p.Cases[i].Tokens) - 1})
	}
	for _, steered := range []bool{false, true} {
		var pushes [][]gpu.Push
		if steered {
			for range batch {
				pushes = append(pushes, push)
			}
		}
		got, err := d.CaptureSteered(ctx, texts, last, sites, pushes)
		if err != nil {
			t.Fatal(err)
		}
		logits, err := d.Logits(ctx, texts, pushes)
		if err != nil {
			t.Fatal(err)
		}
		for j, i := range batch {
			residual, want := p.Cases[i].Residual, p.Cases[i].Logits
			if steered {
				residual, want = p.Cases[i].SteeredResidual, p.Cases[i].SteeredLogits
			}
			width := d.Config().Hidden
			for l := range sites {
				if e := relative(got[j][l*width:(l+1)*width], residual[l]); !(e < 1e-4) {
					t.Errorf("batch of %d, text of %d tokens, steered %t: %s: relative difference %.1e", len(batch), len(texts[j]), steered, sites[l], e)
				}
			}
			for k, v := range want {
				if !(math.Abs(float64(logits[j][k])-v) < 1e-3) {
					t.Errorf("batch of %d, text of %d tokens, steered %t: logit %d is %g, want %g", len(batch), len(texts[j]), steered, k, logits[j][k], v)
					break
				}
			}
		}
	}
}

func checkGreedy(t *testing.T, d *gpu.Decoder, p *gputest.Parity, batch []int, push []gpu.Push) {
	t.Helper()
	var rows []gpu.Row
	for j, i := range batch {
		row := gpu.Row{Prompt: p.Cases[i].Tokens}
		if j%2 == 1 || len(batch) == 1 {
			row.Push = push
		}
		rows = append(rows, row)
	}
	out, err := d.Generate(context.Background(), rows, gpu.Sampling{MaxNewTokens: 32})
	if err != nil {
		t.Fatal(err)
	}
	for j, i := range batch {
		want, margins := p.Cases[i].Greedy, p.Cases[i].Margins
		if rows[j].Push != nil {
			want, margins = p.Cases[i].Steered, p.Cases[i].SteeredMargins
		}
		for k := range want {
			if out[j].Tokens[k] == want[k] {
				continue
			}
			if margins[k] >= 1e-3 {
				t.Errorf("batch of %d, text of %d tokens, steered %t: token %d is %d, want %d at a margin of %g",
					len(batch), len(rows[j].Prompt), rows[j].Push != nil, k, out[j].Tokens[k], want[k], margins[k])
			} else {
				t.Logf("text of %d tokens parts from transformers at token %d, at a margin of %g", len(rows[j].Prompt), k, margins[k])
			}
			break
		}
	}
}
