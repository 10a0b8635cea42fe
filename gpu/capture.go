package gpu

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// Capture records the residual stream of texts: for text i at the token indices
// positions[i], after the layers of sites. out[i] is [len(positions[i]), len(sites), Hidden].
//
// It runs no block after the last that is asked for and computes no logits. The error names
// the first text that does not fit the model.
func (d *Decoder) Capture(ctx context.Context, tokens [][]int32, positions [][]int, sites []Site) ([][]float32, error) {
	return d.CaptureSteered(ctx, tokens, positions, sites, nil)
}

// CaptureSteered is Capture with push[i], if push is not nil, steering text i; its last token
// counts as the last prompt token. What is read at a site includes what
// a push adds there.
func (d *Decoder) CaptureSteered(ctx context.Context, tokens [][]int32, positions [][]int, sites []Site, push [][]Push) ([][]float32, error) {
	wrap := func(err error) ([][]float32, error) { return nil, fmt.Errorf("capture: %w", err) }
	lengths, err := d.checkCapture(tokens, positions, sites)
	if err != nil {
		return wrap(err)
	}
	if err := checkTextPushes(d.config, len(tokens), push); err != nil {
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
			items[i] = engine.Item{Tokens: tokens[at], Residuals: places(positions[at], sites),
				Edits: edits(pushOf(push, at), 0, lengths[at], lengths[at]-1)}
		}
		results, err := d.engine.Forward(ctx, items)
		for i, r := range results {
			out[from+i] = make([]float32, 0, len(r.Residuals)*d.config.Hidden)
			for _, x := range r.Residuals {
				out[from+i] = append(out[from+i], x...)
			}
		}
		return err
	})
	if err != nil {
		return wrap(err)
	}
	return out, nil
}

// places are all sites at each of the positions.
func places(positions []int, sites []Site) (out []engine.Place) {
	for _, p := range positions {
		for _, s := range sites {
			out = append(out, engine.Place{Token: p, Layer: s.Layer})
		}
	}
	return out
}

func (d *Decoder) checkCapture(tokens [][]int32, positions [][]int, sites []Site) (lengths []int, err error) {
	if len(tokens) != len(positions) {
		return nil, fmt.Errorf("%d texts with %d lists of positions", len(tokens), len(positions))
	}
	if len(sites) == 0 {
		return nil, fmt.Errorf("no site is asked for")
	}
	for _, s := range sites {
		if err := checkSite(d.config, s); err != nil {
			return nil, err
		}
	}
	if lengths, err = d.lengthsOf(tokens); err != nil {
		return nil, err
	}
	for i, t := range tokens {
		for _, p := range positions[i] {
			if p < 0 || p >= len(t) {
				return nil, fmt.Errorf("text %d: position %d of %d tokens", i, p, len(t))
			}
		}
	}
	return lengths, nil
}
