package xla

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

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
	results, grown := make([]engine.Result, len(items)), make([]*tensors.Tensor, len(items))
	for _, p := range m.passes(items) {
		if err = ctx.Err(); err == nil {
			err = p.run(results, grown)
		}
		if err != nil {
			free(grown)
			return wrap(err)
		}
	}
	for i, it := range items {
		if s, ok := it.Sequence.(*sequence); ok {
			s.grow(len(it.Tokens), grown[i])
		}
	}
	return results, nil
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
func bucket(n, least int) int {
	if n <= 1 {
		return n
	}
	size := least
	for size < n {
		size *= 2
	}
	return size
}

// Least sizes beyond 1. Smaller ones would cost a program more and save little.
const (
	leastNew = 16
	leastAll = 32 // positions with keys and values that are kept
	leastRow = 8  // rows of a pass, lines that are read, rows of the table of edits
)

// Bounds of a pass of more than one row, padding included: its tokens, and the values of its scores, 256 MiB.
const (
	passTokens = 4096
	passScores = 1 << 26
)

func (m *Model) shapeOf(it *engine.Item) shape {
	n := len(it.Tokens)
	out := shape{new: bucket(n, leastNew), last: -1}
	out.all = out.new
	if s, ok := it.Sequence.(*sequence); ok {
		out.past, out.keep, out.last = s.kept.slots(), true, m.config.Layers-1
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
		if p == nil || bucket(len(p.which)+1, leastRow) > min(passTokens/s.new, passScores/(m.config.Heads*s.new*s.all)) {
			p = &pass{m: m, shape: s, items: items}
			out, open[s] = append(out, p), p
		}
		p.which = append(p.which, i)
	}
	return out
}
