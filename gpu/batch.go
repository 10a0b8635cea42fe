package gpu

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// Bounds of the new tokens of a forward pass: enough rows for the matrix kernels, a few dozen MiB of
// activations in models of a hundred million parameters, and in larger ones so few rows that a pass ends
// within seconds, since a call tells how far it is, and sees an interrupt, between passes.
const (
	mostTokens  = 2048
	leastTokens = 512
	passWork    = 1 << 38 // products with weights
)

// batchTokens bounds the new tokens of a forward pass of a model.
func batchTokens(c *arch.Config) int {
	return max(leastTokens, min(mostTokens, passWork/(c.Layers*c.BlockWeights()+c.HeadWeights())))
}

// eachBatch cuts texts of given lengths into batches [from, to) in their order, of at most d.batch tokens or
// one text each, and does something with each.
func (d *Decoder) eachBatch(ctx context.Context, lengths []int, do func(from, to int) error) error {
	total := 0
	for _, n := range lengths {
		total += n
	}
	m := newMeter(ctx, total)
	for from := 0; from < len(lengths); {
		to, n := from+1, lengths[from]
		for to < len(lengths) && n+lengths[to] <= d.batch {
			n += lengths[to]
			to++
		}
		if err := do(from, to); err != nil {
			return err
		}
		m.add(n)
		from = to
	}
	return nil
}

// A text is one under way.
type text struct {
	seq    engine.Sequence
	tokens []int32 // that seq does not have yet
	next   []int32 // if not nil, the token after each, whose likelihood is wanted
	push   []Push
	last   int // position of the prompt's last token
}

// take makes an item of the next n tokens at most.
func (t *text) take(n int) engine.Item {
	n = min(n, len(t.tokens))
	it := engine.Item{Sequence: t.seq, Tokens: t.tokens[:n], Edits: edits(t.push, t.seq.Len(), n, t.last)}
	t.tokens = t.tokens[n:]
	if t.next != nil {
		it.Next, t.next = t.next[:n], t.next[n:]
	}
	return it
}

// feed runs all tokens of texts, which must have some, long texts in pieces, and shows done what became of
// each piece of text i.
func (d *Decoder) feed(ctx context.Context, texts []text, done func(i int, piece engine.Item, r engine.Result)) error {
	for at := 0; at < len(texts); {
		var items []engine.Item
		var which []int
		for left := d.batch; left > 0 && at < len(texts); {
			it := texts[at].take(left)
			items, which = append(items, it), append(which, at)
			left -= len(it.Tokens)
			if len(texts[at].tokens) == 0 {
				at++
			}
		}
		results, err := d.engine.Forward(ctx, items)
		if err != nil {
			return err
		}
		for i, r := range results {
			done(which[i], items[i], r)
		}
	}
	return nil
}

// edits are what pushes add to tokens [at, at+n) of a text whose prompt's last token is last.
func edits(push []Push, at, n, last int) (out []engine.Edit) {
	for _, p := range push {
		from, to := p.Positions.span(last)
		if from, to = max(from-at, 0), min(to-at, n); from < to {
			out = append(out, engine.Edit{Layer: p.Site.Layer, From: from, To: to, Vector: p.Vector})
		}
	}
	return out
}

// pushOf is the pushes of text i; nil is none.
func pushOf(push [][]Push, i int) []Push {
	if push == nil {
		return nil
	}
	return push[i]
}

// lengthsOf checks texts and gives their lengths.
func (d *Decoder) lengthsOf(texts [][]int32) ([]int, error) {
	out := make([]int, len(texts))
	for i, t := range texts {
		if err := checkTokens(d.config, t); err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
		out[i] = len(t)
	}
	return out, nil
}
