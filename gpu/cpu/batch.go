package cpu

import (
	"context"
	"fmt"
	"sync"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// Forward runs a batch: no block after the last that is needed, no logits that are not wanted. Sequences
// have grown by their tokens if the error is nil, and are as they were if it is not.
func (m *Model) Forward(ctx context.Context, items []engine.Item) ([]engine.Result, error) {
	if err := engine.Check(m.config, items, m.owns); err != nil {
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

// owns reports whether a sequence is one of the model's.
func (m *Model) owns(s engine.Sequence) bool {
	own, ok := s.(*sequence)
	return ok && own.m == m
}
