package gpu

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// scoreTokens bounds a batch of continuations.
const scoreTokens = 1280

// NLL returns −log p of every token of every continuation after its prompt, in nats, under
// the unsteered model. Continuations of one prompt share the work on it. An empty
// continuation has an empty list.
func (d *Decoder) NLL(ctx context.Context, prompts, continuations [][]int32) ([][]float32, error) {
	if err := d.checkScore(prompts, continuations); err != nil {
		return nil, fmt.Errorf("likelihood: %w", err)
	}
	if len(prompts) == 0 {
		return nil, nil
	}
	release, err := d.dev.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	tasks := make([]task, len(prompts))
	for i, p := range prompts {
		tasks[i].text = p
	}
	past, err := d.runPrefixes(ctx, tasks)
	if err != nil {
		return nil, fmt.Errorf("likelihood: %w", err)
	}
	defer past.free()
	out := make([][]float32, len(prompts))
	plan := planScore(past, continuations)
	total := 0
	for _, b := range plan {
		total += b.b * b.s
	}
	meter := newMeter(ctx, total)
	err = each(ctx, len(plan), func(i int) error {
		defer meter.add(plan[i].b * plan[i].s)
		return d.scoreBatch(plan[i], past, prompts, continuations, out)
	})
	if err != nil {
		return nil, fmt.Errorf("likelihood: %w", err)
	}
	return out, nil
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

// A scoreBatch is rows whose prefixes are padded to p and continuations to s.
type scoreBatch struct {
	batch
	p int
}

// planScore groups rows by the padded lengths of prefix and continuation.
func planScore(past *prefixes, continuations [][]int32) []scoreBatch {
	groups := map[int][]int{}
	for i, c := range continuations {
		if len(c) > 0 {
			s := past.s[past.batch[past.of[i]]]
			groups[s] = append(groups[s], i)
		}
	}
	var out []scoreBatch
	for _, p := range sortedKeys(groups) {
		rows := groups[p]
		lengths := make([]int, len(rows))
		for i, r := range rows {
			lengths[i] = len(continuations[r])
		}
		for _, b := range planBatches(lengths, fineBucket, scoreTokens) {
			for i, m := range b.members {
				b.members[i] = rows[m]
			}
			out = append(out, scoreBatch{b, p})
		}
	}
	return out
}

// scoreBatch runs a batch and writes the likelihoods of its rows to out.
func (d *Decoder) scoreBatch(plan scoreBatch, past *prefixes, prompts, continuations [][]int32, out [][]float32) error {
	residual, err := d.runExtend(plan, past, prompts, continuations)
	if err != nil {
		return err
	}
	defer free(residual)
	var lines []line
	for row, text := range plan.members {
		out[text] = make([]float32, len(continuations[text]))
		for j := range out[text] {
			lines = append(lines, line{row*plan.s + j, text, j})
		}
	}
	return d.headRows(residual[0], lines, func(l line, logits [][]float32) {
		target := continuations[l.text][l.j]
		out[l.text][l.j] = float32(logSumExp(logits) - float64(logits[target/headBlock][target%headBlock]))
	})
}

// runExtend runs the last prompt token and all but the last token of the continuations and
// returns the residual stream [M, d] after the last block.
func (d *Decoder) runExtend(plan scoreBatch, past *prefixes, prompts, continuations [][]int32) ([]*tensors.Tensor, error) {
	program, err := d.extend.get(d.dev, variant{})
	if err != nil {
		return nil, err
	}
	c := &call{dev: d.dev}
	width := d.config.Hidden
	at, prompt := make([]int, plan.b*plan.s), make([]int, plan.b*plan.s)
	c.floats(func(x []float32) {
		for row, text := range plan.members {
			token := prompts[text][len(prompts[text])-1]
			for j, next := range continuations[text] {
				m := row*plan.s + j
				d.embed.put(x[m*width:(m+1)*width], token)
				at[m], prompt[m] = len(prompts[text])-1+j, len(prompts[text])
				token = next
			}
		}
	}, plan.b, plan.s, width)
	d.addPositions(c, at, prompt)
	for _, window := range d.config.WindowSizes() {
		d.addExtendMask(c, plan, past, window)
	}
	if err := d.addPast(c, plan, past); err != nil {
		free(c.own)
		return nil, err
	}
	c.keep(d.values...)
	return c.run(program)
}

// addExtendMask adds the mask [B·K, G·S, P+S]: new token i sees its row's prefix and the new
// tokens up to itself, of both what the window covers.
func (d *Decoder) addExtendMask(c *call, plan scoreBatch, past *prefixes, window int) {
	t, heads := plan.p+plan.s, d.config.Heads
	c.floats(func(x []float32) {
		for b := range plan.b {
			length := 0
			if b < len(plan.members) {
				length = past.length[past.of[plan.members[b]]]
			}
			block := x[b*heads*plan.s*t:][:plan.s*t]
			for i := range plan.s {
				extendMaskLine(block[i*t:(i+1)*t], plan.p, length, i, window)
			}
			for h := 1; h < heads; h++ {
				copy(x[(b*heads+h)*plan.s*t:], block)
			}
		}
	}, plan.b*d.config.KVHeads, heads/d.config.KVHeads*plan.s, t)
}

// extendMaskLine masks what new token i does not see among p prefix slots, of which length
// are used, and the new tokens.
func extendMaskLine(line []float32, p, length, i, window int) {
	for j := range line {
		pos := j
		seen := j < length
		if j >= p {
			pos = length + j - p
			seen = j-p <= i
		}
		if !seen || window > 0 && pos <= length+i-window {
			line[j] = masked
		}
	}
}

// addPast adds k₀, v₀, k₁, … [B·K, P, h] of the rows' prefixes.
func (d *Decoder) addPast(c *call, plan scoreBatch, past *prefixes) error {
	size := d.config.KVHeads * plan.p * d.config.HeadDim
	dims := []int{plan.b * d.config.KVHeads, plan.p, d.config.HeadDim}
	for l := range d.config.Layers {
		var keys, values []float32
		c.floats(func(x []float32) { keys = x }, dims...)
		c.floats(func(x []float32) { values = x }, dims...)
		if c.err != nil {
			return c.err
		}
		for row, text := range plan.members {
			at := row * size
			if err := past.copyPlain(d.config, l, text, keys[at:at+size], values[at:at+size], plan.p); err != nil {
				return err
			}
		}
	}
	return nil
}

// buildExtend is the graph of runExtend.
func (d *Decoder) buildExtend(variant) (string, func([]*graph.Node) []*graph.Node) {
	return "continuations", func(nodes []*graph.Node) []*graph.Node {
		in := &inputs{nodes}
		x := in.next()
		dims := x.Shape().Dimensions
		f := in.forward(d.config, dims[0], dims[1], true, false)
		f.cache = pastThenNew{in.take(2 * d.config.Layers)}
		f.w = bind(d.params, in.nodes)
		x = graph.Reshape(x, dims[0]*dims[1], dims[2])
		for l := range d.config.Layers {
			x = f.block(l, x)
		}
		return []*node{x}
	}
}

// logSumExp is log Σ eˣ over all blocks, to six digits; the sum is in float64.
func logSumExp(blocks [][]float32) float64 {
	top := float32(math.Inf(-1))
	for _, block := range blocks {
		for _, v := range block {
			top = max(top, v)
		}
	}
	var sum float64
	for _, block := range blocks {
		for _, v := range block {
			if x := v - top; x > negligible {
				sum += float64(expNegative(x))
			}
		}
	}
	return float64(top) + math.Log(sum)
}
