package cpu

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// Forward runs a batch: no block after the last that is needed, no logits that are not wanted. Sequences
// have grown by their tokens if the error is nil, and are as they were if it is not.
func (m *Model) Forward(ctx context.Context, items []engine.Item) ([]engine.Result, error) {
	if err := m.check(items); err != nil {
		return nil, fmt.Errorf("forward pass: %w", err)
	}
	if len(items) == 0 {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make([]engine.Result, len(items))
	passes := m.passes(items, results)
	errs := make([]error, len(passes))
	var wg sync.WaitGroup
	for i, p := range passes[1:] {
		wg.Go(func() { errs[i+1] = p.run(ctx) })
	}
	errs[0] = passes[0].run(ctx)
	wg.Wait()
	for _, p := range passes {
		p.end()
	}
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("forward pass: %w", err)
		}
	}
	for _, it := range items {
		if s, ok := it.Sequence.(*sequence); ok {
			s.length += len(it.Tokens)
		}
	}
	return results, nil
}

// passes prepares a batch that was checked. If the rows are many enough for each thread to multiply its own
// with all weights, every thread has a pass and none waits for another; else one pass is for all threads.
func (m *Model) passes(items []engine.Item, results []engine.Result) (out []*pass) {
	rows := 0
	for _, it := range items {
		rows += len(it.Tokens)
	}
	least := tallWidened
	if m.small {
		least = few
	}
	n := 1
	if rows >= least*m.threads && len(items) >= m.threads {
		n = m.threads
	}
	for i, from, seen := 0, 0, 0; i < n; i++ { // as even as whole items allow
		to := from
		for to < len(items) && (to == from || i == n-1 || (seen+len(items[to].Tokens)/2)*n < rows*(i+1)) {
			seen += len(items[to].Tokens)
			to++
		}
		if from == to {
			break
		}
		threads := m.rooms
		if n > 1 {
			threads = m.rooms[i : i+1]
		}
		out = append(out, m.newPass(items[from:to], results[from:to], threads, &m.spaces[i]))
		from = to
	}
	return out
}

// check reports the first item that does not fit the model.
func (m *Model) check(items []engine.Item) error {
	seen := map[engine.Sequence]bool{}
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

func (m *Model) checkItem(it *engine.Item) error {
	c, n := m.config, len(it.Tokens)
	if n == 0 {
		return fmt.Errorf("no tokens")
	}
	if s, ok := it.Sequence.(*sequence); it.Sequence != nil && (!ok || s.m != m) {
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

// zero reports whether adding a vector changes nothing. It is then not added, because −0 + 0 is 0.
func zero(v []float32) bool {
	for _, x := range v {
		if math.Float32bits(x)<<1 != 0 {
			return false
		}
	}
	return true
}
