package engine

import (
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// Check reports the first item that does not fit a model. own tells the sequences of the engine from
// another's.
func Check(c *arch.Config, items []Item, own func(Sequence) bool) error {
	seen := map[Sequence]bool{}
	for i := range items {
		it := &items[i]
		if err := it.check(c); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		s := it.Sequence
		if s == nil {
			continue
		}
		if !own(s) {
			return fmt.Errorf("item %d: its sequence is another model's", i)
		}
		if seen[s] {
			return fmt.Errorf("item %d: its sequence is another item's too", i)
		}
		seen[s] = true
	}
	return nil
}

func (it *Item) check(c *arch.Config) error {
	n := len(it.Tokens)
	if n == 0 {
		return fmt.Errorf("no tokens")
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
	if it.Into != nil && len(it.Into) != len(it.Logits) {
		return fmt.Errorf("logits after %d tokens into %d places", len(it.Logits), len(it.Into))
	}
	for _, to := range it.Into {
		if len(to) != c.Vocab {
			return fmt.Errorf("logits into a place of %d values, the vocabulary has %d", len(to), c.Vocab)
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
