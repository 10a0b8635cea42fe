package gpu

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// Logits returns the logits [Vocab] of the token that follows each text, computed from whole
// texts without a cache. push[i], if push is not nil, steers text i; its last token counts
// as the last prompt token.
func (d *Decoder) Logits(ctx context.Context, tokens [][]int32, push [][]Push) ([][]float32, error) {
	if err := checkTextPushes(d.config, len(tokens), push); err != nil {
		return nil, fmt.Errorf("logits: %w", err)
	}
	lengths := make([]int, len(tokens))
	for i, t := range tokens {
		if err := checkTokens(d.config, t); err != nil {
			return nil, fmt.Errorf("logits: text %d: %w", i, err)
		}
		lengths[i] = len(t)
	}
	release, err := d.dev.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	out := make([][]float32, len(tokens))
	plan := planBatches(lengths, bucket, batchTokens)
	err = each(ctx, len(plan), func(i int) error { return d.logitsBatch(plan[i], tokens, push, out) })
	if err != nil {
		return nil, fmt.Errorf("logits: %w", err)
	}
	return out, nil
}

func (d *Decoder) logitsBatch(plan batch, tokens [][]int32, push [][]Push, out [][]float32) error {
	residual, err := d.runFull(plan, tokens, []int{d.config.Layers - 1}, d.textPushes(plan, tokens, push))
	if err != nil {
		return err
	}
	defer free(residual)
	var lines []line
	for row, text := range plan.members {
		lines = append(lines, line{row*plan.s + len(tokens[text]) - 1, text, 0})
	}
	return d.headRows(residual[0], lines, func(l line, logits [][]float32) {
		flat := make([]float32, 0, d.config.Vocab)
		for _, block := range logits {
			flat = append(flat, block...)
		}
		out[l.text] = flat
	})
}

// A line is a token whose logits are wanted: row m of a residual stream, token j of a text.
type line struct{ m, text, j int }

// headFloats bounds the logits that exist at a time: 64 MiB.
const headFloats = 1 << 24

// headLines is how many lines run through the output matrix together, a power of two.
func headLines(c *arch.Config, lines int) int {
	n := powerOfTwo(max(1, min(512, headFloats/c.Vocab)+1)) / 2
	return min(max(n, 1), powerOfTwo(lines))
}

// headRows computes the logits of lines of the residual stream x [M, d], a few at a time, and
// shows them to use, several lines at once; logits are only valid during use.
func (d *Decoder) headRows(x *tensors.Tensor, lines []line, use func(l line, logits [][]float32)) error {
	if len(lines) == 0 {
		return nil
	}
	program, err := d.head.get(d.dev, variant{})
	if err != nil {
		return err
	}
	size, width := headLines(d.config, len(lines)), d.config.Hidden
	for from := 0; from < len(lines); from += size {
		part := lines[from:min(from+size, len(lines))]
		c := &call{dev: d.dev}
		c.floats(func(dst []float32) {
			c.err = firstError(c.err, read(x, func(src []float32) {
				for i, l := range part {
					copy(dst[i*width:(i+1)*width], src[l.m*width:])
				}
			}))
		}, size, width)
		c.keep(d.values...)
		logits, err := c.run(program)
		if err != nil {
			return err
		}
		err = readBlocks(logits, size, func(row func(int) [][]float32) {
			parallel(len(part), func(i int) { use(part[i], row(i)) })
		})
		free(logits)
		if err != nil {
			return err
		}
	}
	return nil
}

// buildHead is the graph of headRows.
func (d *Decoder) buildHead(variant) (string, func([]*graph.Node) []*graph.Node) {
	return "head", func(nodes []*graph.Node) []*graph.Node {
		f := &forward{c: d.config, w: bind(d.params, nodes[1:])}
		return f.logits(nodes[0])
	}
}
