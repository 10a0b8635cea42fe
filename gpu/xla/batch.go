package xla

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// Forward runs a batch: no block after the last that is needed, no logits that are not wanted. Sequences
// have grown by their tokens if the error is nil, and are as they were if it is not.
func (m *Model) Forward(ctx context.Context, items []engine.Item) ([]engine.Result, error) {
	wrap := func(err error) ([]engine.Result, error) { return nil, fmt.Errorf("forward pass: %w", err) }
	if err := engine.Check(m.config, items, m.owns); err != nil {
		return wrap(err)
	}
	release, err := m.dev.take(ctx)
	if err != nil {
		return wrap(err)
	}
	defer release()
	results, passes := make([]engine.Result, len(items)), m.passes(items)
	if err := m.runPasses(ctx, passes, results); err != nil {
		for _, p := range passes {
			free(p.kept.tensors)
		}
		return wrap(err)
	}
	for _, p := range passes {
		for row, i := range p.which {
			if s, ok := items[i].Sequence.(*sequence); ok {
				s.grow(len(items[i].Tokens), &p.kept, row)
			}
		}
	}
	return results, nil
}

// runPasses compiles what is new, side by side, and runs one pass after the other.
func (m *Model) runPasses(ctx context.Context, passes []*pass, results []engine.Result) error {
	m.tidy()
	var calls []*call
	defer func() {
		for _, c := range calls {
			c.drop()
		}
	}()
	for _, p := range passes {
		err := p.prepare(results)
		calls = append(calls, p.calls()...)
		if err != nil {
			return err
		}
	}
	if err := compileAll(calls...); err != nil {
		return err
	}
	for _, p := range passes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.run(results); err != nil {
			return err
		}
	}
	return nil
}

// A shape is what items of one pass have in common. Programs are compiled for every shape, so there are few.
type shape struct {
	new  int // tokens of a row, S
	past int // positions for which it brings keys and values, P
	all  int // positions that a token may look at, T
	last int // the last block that it needs
	keep bool
}

// bucket is the size that is used for n: 1, or a power of two that is at least least.
func bucket(n, least int) int { return sizeOf(n, least, 2) }

// sizeOf is the size that is used for n: 0, 1, least, or as many times that as makes a power of factor.
func sizeOf(n, least, factor int) int {
	if n <= 1 {
		return n
	}
	size := least
	for size < n {
		size *= factor
	}
	return size
}

// leastAll is the least number of positions with keys and values that are kept.
const leastAll = 32

// leastRow is the least number, beyond 1, of rows of a pass, of lines that are read and of rows of the table of
// edits. Less would cost a program more and save little.
const leastRow = 8

// sizes are by how much passes are padded on a device, and how large they are at most.
type sizes struct {
	leastNew int // tokens of a row, beyond 1
	factor   int // between numbers of rows or of lines
	tokens   int // of a pass of more than one row, padding included
	scores   int // and values of its scores
}

// sizes: a card goes through padding faster than its compiler makes another program, and is not filled by less.
func (v *Device) sizes() sizes {
	if v.plugin.CUDA {
		return sizes{leastNew: 32, factor: 4, tokens: 1 << 14, scores: 1 << 29}
	}
	return sizes{leastNew: 16, factor: 2, tokens: 1 << 12, scores: 1 << 26}
}

// bucket is the size that is used for so many rows or lines.
func (s sizes) bucket(n int) int { return sizeOf(n, leastRow, s.factor) }

func (m *Model) shapeOf(it *engine.Item) shape {
	n := len(it.Tokens)
	out := shape{new: bucket(n, m.sizes.leastNew), last: -1}
	out.all = out.new
	if s, ok := it.Sequence.(*sequence); ok {
		out.past, out.keep, out.last = s.slots(), true, m.config.Layers-1
		out.all = bucket(max(2, s.length+n), leastAll)
	}
	for _, p := range it.Residuals {
		out.last = max(out.last, p.Layer)
	}
	if len(it.Logits) > 0 {
		out.last = m.config.Layers - 1
	}
	for _, next := range it.Next {
		if next >= 0 {
			out.last = m.config.Layers - 1
		}
	}
	return out
}

// passes cuts a batch into passes of items of one shape. Items of which nothing is wanted are in none.
func (m *Model) passes(items []engine.Item) (out []*pass) {
	open := map[shape]*pass{}
	for i := range items {
		s := m.shapeOf(&items[i])
		if s.last < 0 {
			continue
		}
		p := open[s]
		if p == nil || m.sizes.bucket(len(p.which)+1) > min(m.sizes.tokens/s.new, m.sizes.scores/(m.config.Heads*min(s.new, queryBlock)*s.all)) {
			p = &pass{m: m, shape: s, items: items}
			out, open[s] = append(out, p), p
		}
		p.which = append(p.which, i)
	}
	return out
}
