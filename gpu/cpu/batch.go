package cpu

import (
	"context"
	"fmt"
	"math"
)

// An Item is what one text brings to a batch: its new tokens, what is added to the residual stream on
// the way, and what is wanted of it. The items of a batch may be of any lengths and kinds.
type Item struct {
	// Sequence holds the tokens before and takes the new ones' keys and values. Nil: the text begins
	// here and nothing of it is kept.
	Sequence *Sequence
	Prompt   int // with a nil Sequence: as in NewSequence; 0: all of Tokens
	Tokens   []int32

	Edits     []Edit
	Residuals []Place // where the residual stream is wanted, edits included
	Logits    []int   // after which of Tokens logits are wanted

	// Next, if not nil, has for each of Tokens the one whose likelihood after it is wanted, −1 for none.
	Next []int32
}

// An Edit adds a vector [Hidden] to the residual stream after a block, at Tokens [From, To).
type Edit struct {
	Layer    int
	From, To int
	Vector   []float32
}

// A Place is the residual stream of one of an item's tokens after a block.
type Place struct{ Token, Layer int }

// A Result is what was wanted of an item, each list in the item's order.
type Result struct {
	Residuals [][]float32 // [Hidden] each
	Logits    [][]float32 // [Vocab] each
	NLL       []float32   // −log p in nats for each of Next, 0 where none was wanted; nil if Next is
}

// Forward runs a batch: no block after the last that is needed, no logits that are not wanted. Sequences
// have grown by their tokens if the error is nil, and are as they were if it is not.
func (m *Model) Forward(ctx context.Context, items []Item) ([]Result, error) {
	if err := m.check(items); err != nil {
		return nil, fmt.Errorf("forward pass: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.newPass(items)
	defer p.end()
	if err := p.run(ctx); err != nil {
		return nil, fmt.Errorf("forward pass: %w", err)
	}
	for _, it := range items {
		if it.Sequence != nil {
			it.Sequence.length += len(it.Tokens)
		}
	}
	return p.results, nil
}

// check reports the first item that does not fit the model.
func (m *Model) check(items []Item) error {
	seen := map[*Sequence]bool{}
	for i := range items {
		it := &items[i]
		if err := m.checkItem(it); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		if s := it.Sequence; s != nil {
			if seen[s] {
				return fmt.Errorf("item %d: its sequence is another item's too", i)
			}
			seen[s] = true
		}
	}
	return nil
}

func (m *Model) checkItem(it *Item) error {
	c, n := m.config, len(it.Tokens)
	if n == 0 {
		return fmt.Errorf("no tokens")
	}
	if it.Sequence != nil && it.Sequence.m != m {
		return fmt.Errorf("its sequence is another model's")
	}
	for i, t := range it.Tokens {
		if t < 0 || int(t) >= c.Vocab {
			return fmt.Errorf("token %d is %d, the vocabulary has %d", i, t, c.Vocab)
		}
	}
	for _, e := range it.Edits {
		if e.Layer < 0 || e.Layer >= c.Layers || e.From < 0 || e.To > n || len(e.Vector) != c.Hidden {
			return fmt.Errorf("an edit of %d values after block %d at tokens [%d, %d): the model has %d and %d blocks, the item %d tokens",
				len(e.Vector), e.Layer, e.From, e.To, c.Hidden, c.Layers, n)
		}
	}
	for _, p := range it.Residuals {
		if p.Layer < 0 || p.Layer >= c.Layers || p.Token < 0 || p.Token >= n {
			return fmt.Errorf("the residual of token %d after block %d: the item has %d tokens, the model %d blocks", p.Token, p.Layer, n, c.Layers)
		}
	}
	for _, t := range it.Logits {
		if t < 0 || t >= n {
			return fmt.Errorf("the logits after token %d of %d", t, n)
		}
	}
	if it.Next != nil && len(it.Next) != n {
		return fmt.Errorf("%d tokens with %d that follow", n, len(it.Next))
	}
	for i, t := range it.Next {
		if t < -1 || int(t) >= c.Vocab {
			return fmt.Errorf("the token after token %d is %d, the vocabulary has %d", i, t, c.Vocab)
		}
	}
	return nil
}

// zero reports whether adding a vector changes nothing. It is then not added, because −0 + 0 is 0.
func zero(v []float32) bool {
	for _, x := range v {
		if math.Float32bits(x)<<1 != 0 {
			return false
		}
	}
	return true
}
