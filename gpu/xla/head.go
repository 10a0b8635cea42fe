package xla

import (
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// headFloats bounds the logits that exist at a time: 128 MiB.
const headFloats = 1 << 25

// A head computes what is wanted of the vocabulary after lines of the residual stream.
type head struct {
	m                   *Model
	logits, likelihoods []wish
}

// A wish is a line after the last block, whose logits are wanted or the likelihood of the next token.
type wish struct {
	x      []float32
	logits []float32 // where they go; nil: the likelihood
	next   int32
	nll    *float32
}

func (h *head) run() error {
	v := h.m.config.Vocab
	if err := h.each(h.logits, "logits", func(list []wish, x []float32) {
		for i, w := range list {
			copy(w.logits, x[i*v:(i+1)*v])
		}
	}); err != nil {
		return err
	}
	return h.each(h.likelihoods, "likelihoods", func(list []wish, x []float32) {
		for i, w := range list {
			*w.nll = x[i]
		}
	})
}

// each runs a program on lists that are short enough and shows done what it computed.
func (h *head) each(list []wish, name string, done func(list []wish, x []float32)) error {
	m := h.m
	params, values := m.top()
	for part := range slices.Chunk(list, max(1, headFloats/m.config.Vocab)) {
		program, err := m.program(variant{name: name}, func(in *inputs) []*node {
			x, next := in.next(), in.next()
			y := m.logits(x, bind(params, in.nodes))
			if name == "likelihoods" {
				y = minusLog(y, next)
			}
			return []*node{y}
		})
		if err != nil {
			return err
		}
		d, n := m.config.Hidden, bucket(len(part), leastRow)
		c := &call{dev: m.dev}
		c.floats(func(x []float32) {
			for i, w := range part {
				copy(x[i*d:], w.x)
			}
		}, n, d)
		c.ints(func(x []int32) {
			for i, w := range part {
				x[i] = w.next
			}
		}, n, 1)
		c.keep(values...)
		out, err := c.run(program)
		if err != nil {
			return err
		}
		err = read(out[0], func(x []float32) { done(part, x) })
		free([]*tensors.Tensor{out[0]})
		if err != nil {
			return err
		}
	}
	return nil
}

// logits is the output matrix's product with the last norm of x [M, d]: [M, V].
func (m *Model) logits(x *node, w weights) *node {
	f := &forward{c: m.config, w: w}
	y := graph.Dot(f.norm(x, w[arch.Norm]), w[outputOf(m.config)]).General([]int{1}, nil, []int{1}, nil)
	if limit := m.config.LogitCap; limit > 0 {
		y = softcap(y, limit)
	}
	return y
}

// minusLog is −log p of the tokens next [M, 1] under logits [M, V], log Σ exp(logits) − logit: [M].
func minusLog(logits, next *node) *node {
	m := logits.Shape().Dimensions[0]
	top := graph.ReduceMax(logits, 1)
	far := graph.Sub(logits, graph.BroadcastToShape(graph.InsertAxes(top, -1), logits.Shape()))
	sum := graph.Log(graph.ReduceSum(graph.Exp(far), 1))
	rows := graph.Iota(logits.Graph(), shapes.Make(next.DType(), m, 1), 0)
	return graph.Sub(sum, graph.Gather(far, graph.Concatenate([]*node{rows, next}, 1)))
}
