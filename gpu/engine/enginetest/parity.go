package enginetest

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

// parity is the promise for every family: residuals after every block within 1e-4 of transformers, logits
// within 1e-3, greedy texts identical but after a step whose margin is below 1e-3; plain and steered, all
// texts of a fixture in one batch.
func (s *suite) parity(t *testing.T) {
	for _, file := range gputest.ParityFiles(t, s.Parity) {
		dir := filepath.Dir(file)
		if s.Families != nil && !slices.Contains(s.Families, filepath.Base(dir)) {
			continue
		}
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
			e := s.open(t, c.Fitted(f.Tensors()), f)
			defer e.Close()
			for _, steered := range []bool{false, true} {
				newFollower(e, p, steered).follow(t)
			}
		})
	}
}

// A follower feeds an engine the greedy texts of a fixture, token by token, and looks at what it would choose.
type follower struct {
	e       engine.Engine
	p       *gputest.Parity
	steered bool
	batch   []engine.Item
	parted  []bool // texts that went another way, at a tie or wrongly
	left    []int  // tokens that can follow before a text's own are encoded in another way
}

func newFollower(e engine.Engine, p *gputest.Parity, steered bool) *follower {
	f := &follower{e: e, p: p, steered: steered}
	for _, c := range p.Cases {
		last := len(c.Tokens) - 1
		it := engine.Item{Sequence: e.NewSequence(len(c.Tokens)), Tokens: c.Tokens, Logits: []int{last}, Edits: f.edits(last, last+1)}
		for l := range e.Config().Layers {
			it.Residuals = append(it.Residuals, engine.Place{Token: last, Layer: l})
		}
		f.batch, f.parted, f.left = append(f.batch, it), append(f.parted, false), append(f.left, e.Config().EncodedAlike(len(c.Tokens)))
	}
	return f
}

func (f *follower) edits(from, to int) []engine.Edit {
	if !f.steered {
		return nil
	}
	return []engine.Edit{{Layer: f.p.Layer, From: from, To: to, Vector: f.p.Vector}}
}

func (f *follower) follow(t *testing.T) {
	t.Helper()
	for step := range f.p.Cases[0].Greedy {
		for i, got := range Forward(t, f.e, f.batch...) {
			f.check(t, i, step, got)
			f.prepare(i, step)
		}
	}
	for _, it := range f.batch {
		it.Sequence.Free()
	}
}

// check compares what came out; of the first step all, of the others the choice.
func (f *follower) check(t *testing.T, i, step int, got engine.Result) {
	t.Helper()
	c := &f.p.Cases[i]
	residual, logits, greedy, margins := c.Residual, c.Logits, c.Greedy, c.Margins
	if f.steered {
		residual, logits, greedy, margins = c.SteeredResidual, c.SteeredLogits, c.Steered, c.SteeredMargins
	}
	for l, r := range got.Residuals {
		if e := Relative(r, residual[l]); !(e < 1e-4) {
			t.Errorf("text of %d tokens, steered %t: block %d: relative difference %.1e", len(c.Tokens), f.steered, l, e)
		}
	}
	for id, v := range got.Logits[0] {
		if step == 0 && !(math.Abs(float64(v)-logits[id]) < 1e-3) {
			t.Fatalf("text of %d tokens, steered %t: logit %d is %g, want %g", len(c.Tokens), f.steered, id, v, logits[id])
		}
	}
	best := argmax(got.Logits[0])
	if int32(best) == greedy[step] || f.parted[i] {
		return
	}
	if f.parted[i] = true; margins[step] >= 1e-3 {
		t.Errorf("text of %d tokens, steered %t: token %d is %d, want %d at a margin of %g", len(c.Tokens), f.steered, step, best, greedy[step], margins[step])
	}
}

// prepare makes text i's item of the next step.
func (f *follower) prepare(i, step int) {
	c, next := &f.p.Cases[i], &f.batch[i]
	greedy := c.Greedy
	if f.steered {
		greedy = c.Steered
	}
	next.Tokens, next.Logits, next.Residuals = greedy[step:step+1], []int{0}, nil
	last := 0
	if f.left[i]--; f.left[i] == 0 {
		next.Tokens = slices.Concat(c.Tokens, greedy[:step+1])
		next.Sequence.Free()
		next.Sequence, next.Logits[0], last = f.e.NewSequence(len(next.Tokens)), len(next.Tokens)-1, len(c.Tokens)-1
		f.left[i] = f.e.Config().EncodedAlike(len(next.Tokens))
	}
	next.Edits = f.edits(last, len(next.Tokens))
}
