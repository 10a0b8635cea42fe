package xla

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// build is the graph of a pass through blocks [0, last]: the lines that are read after some blocks
// [len(layers)·W, d], if any, and, if they are kept, every row's keys and values.
func (m *Model) build(in *inputs, params []arch.Param, last int, layers []int, brings, keep bool) []*node {
	c := m.config
	tokens := in.next()
	d := tokens.Shape().Dimensions
	f := &forward{c: c, b: d[0], s: d[1], masks: map[int]*node{}}
	for range c.Ropes {
		cos, sin := in.next(), in.next()
		f.ropes = append(f.ropes, newAngles(c, cos, sin))
	}
	if c.LognBase > 0 {
		f.logn = in.next()
	}
	for _, window := range c.WindowSizes() {
		f.masks[window] = spreadMask(c, in.next())
	}
	vectors, index := in.next(), in.next()
	var lines *node
	if len(layers) > 0 {
		lines = in.next()
	}
	if keep {
		f.past = &past{c: c, rows: f.b, slots: in.next()}
		if brings {
			f.past.kept = concat(1, in.take(f.b)...)
		}
	}
	f.w = bind(params, in.nodes)
	x := f.embed(tokens)
	var out []*node
	for l := range last + 1 {
		x = f.block(l, x)
		x = graph.Add(x, graph.Gather(vectors, line(index, l)))
		for i, read := range layers {
			if read == l {
				out = append(out, graph.Gather(x, line(lines, i)))
			}
		}
	}
	if len(out) > 0 {
		out = []*node{concat(0, out...)}
	}
	if keep {
		out = append(out, f.past.after()...)
	}
	return out
}

// line is line i of x [n, m] as m indices [m, 1].
func line(x *node, i int) *node {
	return graph.Reshape(graph.Slice(x, graph.AxisRange(i, i+1)), x.Shape().Dimensions[1], 1)
}

// past gives attention the keys and values of earlier tokens and gathers those of all, by position.
type past struct {
	c     *arch.Config
	rows  int     // B
	kept  *node   // [2·Layers, B·K, P, h]; nil: texts begin here
	slots *node   // [B·K·T, 1]: where each position is among P earlier and S new ones
	all   []*node // [1, B·K, T, h]: k₀, v₀, k₁, …
}

// extend is keys and values by position [B·K, T, h]; k and v [B·K, S, h] are the new tokens'.
func (p *past) extend(l int, k, v *node) (keys, values *node) { return p.put(2*l, k), p.put(2*l+1, v) }

func (p *past) put(i int, x *node) *node {
	rows, h := x.Shape().Dimensions[0], x.Shape().Dimensions[2]
	if p.kept != nil {
		old := graph.Slice(p.kept, graph.AxisRange(i, i+1))
		x = concat(1, graph.Reshape(old, rows, p.kept.Shape().Dimensions[2], h), x)
	}
	flat := graph.Reshape(x, rows*x.Shape().Dimensions[1], h)
	x = graph.Reshape(graph.Gather(flat, p.slots), rows, p.slots.Shape().Dimensions[0]/rows, h)
	p.all = append(p.all, graph.InsertAxes(x, 0))
	return x
}

// after is each row's keys and values [2·Layers, K, T, h].
func (p *past) after() []*node {
	all := concat(0, p.all...)
	out := make([]*node, p.rows)
	for b := range out {
		out[b] = graph.Slice(all, graph.AxisRange(), graph.AxisRange(b*p.c.KVHeads, (b+1)*p.c.KVHeads))
	}
	return out
}
