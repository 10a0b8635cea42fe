package xla

import (
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// headFloats bounds the logits that exist at a time: 512 MiB.
const headFloats = 1 << 27

// A head computes what is wanted of the vocabulary after lines of the residual stream, which stay on the
// device: logits, or four bytes for a likelihood, are what comes from it.
type head struct {
	m                   *Model
	logits, likelihoods []wish
	lines               []int32 // all lines that are wanted, of the pass
	parts               []headPart
}

// A wish is a line after the last block, whose logits are wanted or the likelihood of the next token.
type wish struct {
	at     int       // which of head.lines
	logits []float32 // where they go; nil: the likelihood
	next   int32
	nll    *float32
}

// want adds a wish for a line of the pass.
func (h *head) want(line int, w wish) {
	w.at = len(h.lines)
	h.lines = append(h.lines, int32(line))
	if w.logits != nil {
		h.logits = append(h.logits, w)
	} else {
		h.likelihoods = append(h.likelihoods, w)
	}
}

// width is the number of lines, with padding, W.
func (h *head) width() int { return h.m.sizes.bucket(len(h.lines)) }

// A headPart is a call of the head: for logits or likelihoods of a list of wishes that is short enough.
type headPart struct {
	call *call // its first argument is to be the lines
	list []wish
}

// prepare gathers what the head takes beside the lines.
func (h *head) prepare() error {
	if err := h.add(h.logits, "logits"); err != nil {
		return err
	}
	return h.add(h.likelihoods, "likelihoods")
}

// A headKind distinguishes the head's programs.
type headKind string

func (h *head) add(list []wish, kind headKind) error {
	m := h.m
	params, values := m.top()
	most := leastRow
	for m.sizes.bucket(most+1)*m.config.Vocab <= headFloats {
		most = m.sizes.bucket(most + 1)
	}
	for part := range slices.Chunk(list, most) {
		program, err := m.program(kind, func(in *inputs) []*node {
			x, at, next := in.next(), in.next(), in.next()
			y := m.vocabulary(graph.Gather(x, at), bind(params, in.nodes))
			if kind == "likelihoods" {
				y = minusLog(y, next)
			}
			return []*node{y}
		})
		if err != nil {
			return err
		}
		c := &call{dev: m.dev, program: program, args: []any{nil}, shapes: []shapes.Shape{shapes.Make(f32, h.width(), m.config.Hidden)}}
		n := m.sizes.bucket(len(part))
		c.ints(func(x []int32) {
			for i, w := range part {
				x[i] = int32(w.at)
			}
		}, n, 1)
		c.ints(func(x []int32) {
			for i, w := range part {
				x[i] = w.next
			}
		}, n, 1)
		c.keep(values...)
		if c.err != nil {
			return c.err
		}
		h.parts = append(h.parts, headPart{c, part})
	}
	return nil
}

// run computes what is wanted from the lines [W, d].
func (h *head) run(lines *tensors.Tensor) error {
	for _, part := range h.parts {
		part.call.args[0] = lines
		out, err := part.call.run()
		if err != nil {
			return err
		}
		err = read(out[0], func(x []float32) { part.grant(x, h.m.config.Vocab) })
		free(out)
		if err != nil {
			return err
		}
	}
	return nil
}

// grant fulfils the part's wishes with logits [n, V] or likelihoods [n].
func (p headPart) grant(x []float32, vocab int) {
	for i, w := range p.list {
		if w.logits != nil {
			copy(w.logits, x[i*vocab:(i+1)*vocab])
		} else {
			*w.nll = x[i]
		}
	}
}

// vocabulary is the output matrix's product with the last norm of x [M, d], the logits [M, V].
func (m *Model) vocabulary(x *node, w weights) *node {
	f := &forward{forms: m.forms, c: m.config, w: w}
	y := wide(f.dot(f.norm(x, w[arch.Norm]), w[outputOf(m.config)], f32).General([]int{1}, nil, []int{1}, nil))
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
