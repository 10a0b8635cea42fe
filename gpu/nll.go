package gpu

import (
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// NLL returns −log p of every token of every continuation after its prompt, in nats, under
// the unsteered model. Continuations of one prompt share the work on it. An empty
// continuation has an empty list.
func (d *Decoder) NLL(ctx context.Context, prompts, continuations [][]int32) ([][]float32, error) {
	wrap := func(err error) ([][]float32, error) { return nil, fmt.Errorf("likelihood: %w", err) }
	if err := d.checkScore(prompts, continuations); err != nil {
		return wrap(err)
	}
	free, err := take(ctx, d.turn)
	if err != nil {
		return nil, err
	}
	defer free()
	if d.writer != nil {
		out, err := d.wholeNLL(ctx, prompts, continuations)
		if err != nil {
			return wrap(err)
		}
		return out, nil
	}
	out := make([][]float32, len(prompts))
	var texts []text
	var which []int
	total := 0
	for i, c := range continuations {
		out[i] = []float32{}
		if n := len(c); n > 0 {
			last := len(prompts[i]) - 1
			texts = append(texts, text{tokens: slices.Concat(prompts[i][last:], c[:n-1]), next: c, last: last})
			which = append(which, i)
			total += n
		}
	}
	defer freeAll(texts)
	if err := d.begin(ctx, texts, func(i int) []int32 { return prompts[which[i]] }); err != nil {
		return wrap(err)
	}
	m := newMeter(ctx, total)
	err = d.feed(ctx, texts, func(i int, piece engine.Item, r engine.Result) {
		out[which[i]] = append(out[which[i]], r.NLL...)
		if len(texts[i].tokens) == 0 {
			texts[i].seq.Free()
		}
		m.add(len(piece.Tokens))
	})
	if err != nil {
		return wrap(err)
	}
	return out, nil
}

// wholeNLL is NLL without sequences, for engines on which a whole text costs little more than its end.
func (d *Decoder) wholeNLL(ctx context.Context, prompts, continuations [][]int32) ([][]float32, error) {
	out := make([][]float32, len(prompts))
	var which, lengths []int
	for i, c := range continuations {
		out[i] = []float32{}
		if n := len(c); n > 0 {
			which, lengths = append(which, i), append(lengths, len(prompts[i])+n-1)
		}
	}
	return out, d.eachBatch(ctx, lengths, func(from, to int) error {
		items := make([]engine.Item, to-from)
		for j := range items {
			prompt, c := prompts[which[from+j]], continuations[which[from+j]]
			next := make([]int32, len(prompt)-1, lengths[from+j])
			for k := range next {
				next[k] = -1
			}
			items[j] = engine.Item{Tokens: slices.Concat(prompt, c[:len(c)-1]), Prompt: len(prompt), Next: append(next, c...)}
		}
		results, err := d.engine.Forward(ctx, items)
		for j, r := range results {
			i := which[from+j]
			out[i] = r.NLL[len(prompts[i])-1:]
		}
		return err
	})
}

func (d *Decoder) checkScore(prompts, continuations [][]int32) error {
	if len(prompts) != len(continuations) {
		return fmt.Errorf("%d prompts with %d continuations", len(prompts), len(continuations))
	}
	for i := range prompts {
		if err := checkTokens(d.config, prompts[i]); err != nil {
			return fmt.Errorf("row %d: prompt: %w", i, err)
		}
		if len(continuations[i]) == 0 {
			continue
		}
		if err := checkTokens(d.config, continuations[i]); err != nil {
			return fmt.Errorf("row %d: continuation: %w", i, err)
		}
	}
	return nil
}
