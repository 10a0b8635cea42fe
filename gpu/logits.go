package gpu

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// Logits returns the logits [Vocab] of the token that follows each text, computed from whole
// texts without a cache. push[i], if push is not nil, steers text i; its last token counts
// as the last prompt token.
func (d *Decoder) Logits(ctx context.Context, tokens [][]int32, push [][]Push) ([][]float32, error) {
	wrap := func(err error) ([][]float32, error) { return nil, fmt.Errorf("logits: %w", err) }
	if err := checkTextPushes(d.config, len(tokens), push); err != nil {
		return wrap(err)
	}
	lengths, err := d.lengthsOf(tokens)
	if err != nil {
		return wrap(err)
	}
	free, err := take(ctx, d.turn)
	if err != nil {
		return nil, err
	}
	defer free()
	out := make([][]float32, len(tokens))
	err = d.eachBatch(ctx, lengths, func(from, to int) error {
		items := make([]engine.Item, to-from)
		for i := range items {
			at := from + i
			last := lengths[at] - 1
			items[i] = engine.Item{Tokens: tokens[at], Logits: []int{last}, Edits: edits(pushOf(push, at), 0, lengths[at], last)}
		}
		results, err := d.engine.Forward(ctx, items)
		for i, r := range results {
			out[from+i] = r.Logits[0]
		}
		return err
	})
	if err != nil {
		return wrap(err)
	}
	return out, nil
}
