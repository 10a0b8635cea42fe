package xla

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// Adam's constants (Kingma & Ba 2015); there is no weight decay.
const (
	beta1   = 0.9
	beta2   = 0.95
	adamEps = 1e-8
)

// build is the graph of a step.
func (t *trainer) build(in []*graph.Node) []*graph.Node {
	tokens, rates := in[0], in[1]
	n := len(t.params)
	w := bind(t.params, in[2:2+n])
	tape := newTape()
	// Halves of the rows are independent until the update, so that one's single-threaded
	// operations run beside the other's.
	rows := t.o.Rows
	var loss *node
	for _, part := range [][2]int{{0, rows / 2}, {rows / 2, rows}} {
		if part[0] == part[1] {
			continue
		}
		l := t.loss(tape, w, graph.Slice(tokens, graph.AxisRange(part[0], part[1])))
		if loss == nil {
			loss = l
		} else {
			loss = graph.Add(loss, l)
		}
	}
	return append([]*node{graph.Reshape(loss, 1)}, t.update(tape, in[2:], rates)...)
}

// loss is the part of the mean loss that rows tokens [B, S+1] make, with its gradients on tape.
func (t *trainer) loss(tape *tape, w weights, tokens *node) *node {
	c, b, s := t.c, tokens.Shape().Dimensions[0], t.o.Length
	g := tokens.Graph()
	seen := graph.Slice(tokens, graph.AxisRange(), graph.AxisRange(0, s))
	next := graph.Reshape(graph.Slice(tokens, graph.AxisRange(), graph.AxisRange(1, s+1)), b*s, 1)
	f := &forward{forms: t.dev.forms(f32), c: c, w: w, b: b, s: s, tape: tape}
	at := counted(tokens, b, s)
	f.setMasks(at, at)
	for i := range c.Ropes {
		cos, sin := anglesOf(c, i, b, s)
		f.ropes = append(f.ropes, f.newAngles(graph.Const(g, cos), graph.Const(g, sin)))
	}
	x := f.embed(seen)
	for l := range c.Layers {
		x = f.block(l, x)
	}
	loss := tape.crossEntropy(f.norm(x, w[arch.Norm]), w[outputOf(c)], next, t.o.Rows*s)
	tape.rewind()
	return loss
}

// anglesOf are the cosines and sines of b rows of s tokens under encoding i.
func anglesOf(c *arch.Config, i, b, s int) (cos, sin [][]float32) {
	table := c.Ropes[i].Table(s, c.MaxPositions)
	table.At(s)
	for range b {
		for p := range s {
			co, si := table.At(p)
			cos, sin = append(cos, co), append(sin, si)
		}
	}
	return cos, sin
}

// update is Adam with the gradients' common norm clipped. rates are the learning rate over
// the first moment's bias and one over the second's.
func (t *trainer) update(tape *tape, state []*node, rates *node) []*node {
	n := len(t.params)
	grads := make([]*node, n)
	var squares *node
	for i := range grads {
		grads[i] = tape.grads[state[i]]
		flat := graph.Reshape(grads[i], 1, t.params[i].Size())
		s := graph.Reshape(dotRows(flat, flat))
		if squares == nil {
			squares = s
		} else {
			squares = graph.Add(squares, s)
		}
	}
	one := graph.Const(rates.Graph(), float32(1))
	factor := graph.Min(one, graph.Div(graph.Const(rates.Graph(), float32(t.o.Clip)), graph.AddScalar(graph.Sqrt(squares), 1e-6)))
	rate := graph.Reshape(graph.Slice(rates, graph.AxisRange(0, 1)))
	unbias := graph.Reshape(graph.Slice(rates, graph.AxisRange(1, 2)))
	out := make([]*node, 3*n)
	for i, g := range grads {
		g = graph.Mul(g, factor)
		m := graph.Add(graph.MulScalar(state[n+i], beta1), graph.MulScalar(g, 1-beta1))
		v := graph.Add(graph.MulScalar(state[2*n+i], beta2), graph.MulScalar(graph.Mul(g, g), 1-beta2))
		step := graph.Div(graph.Mul(m, rate), graph.AddScalar(graph.Sqrt(graph.Mul(v, unbias)), adamEps))
		out[i], out[n+i], out[2*n+i] = graph.Sub(state[i], step), m, v
	}
	return out
}
