package xla

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// A passKind is what distinguishes programs of passes beside the shapes of their inputs.
type passKind struct {
	last   int    // the last block that runs
	read   string // the blocks after which the residual stream is read
	head   bool   // lines are left on the device for the head
	keep   bool   // texts' keys and values are kept
	blocks int    // and of how many blocks are those that texts bring
}

// build is the graph of a pass through blocks [0, last]: the lines that are read after some blocks
// [len(layers)·W, d], if any, those for the head, if any, and, if they are kept, the keys and values of all rows.
func (m *Model) build(in *inputs, params []arch.Param, kind passKind, layers []int) []*node {
	tokens, before, places := in.next(), in.next(), in.next()
	d := tokens.Shape().Dimensions
	f := &forward{forms: m.forms, c: m.config, b: d[0], s: d[1]}
	vectors, index := in.next(), in.next()
	var lines, headLines *node
	if len(layers) > 0 {
		lines = in.next()
	}
	if kind.head {
		headLines = in.next()
	}
	all := f.s
	var past *past
	if kind.keep {
		past = newPast(m.config, in, kind.blocks)
		f.cache, all = past, past.slots.Shape().Dimensions[0]/(f.b*m.config.KVHeads)
	}
	own := graph.Add(counted(tokens, f.b, f.s), graph.Reshape(before, f.b, 1))
	f.setMasks(own, counted(tokens, f.b, all))
	// Padding may be beyond the tables.
	f.turn(in, graph.MinScalar(own, float64(all-1)), places)
	f.w = bind(params, in.nodes)
	x := f.embed(tokens)
	var out []*node
	for l := range kind.last + 1 {
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
	if kind.head {
		out = append(out, graph.Gather(x, graph.Reshape(headLines, headLines.Shape().Dimensions[0], 1)))
	}
	if kind.keep {
		out = append(out, past.all...)
	}
	return out
}

// line is line i of x [n, m] as m indices [m, 1].
func line(x *node, i int) *node {
	return graph.Reshape(graph.Slice(x, graph.AxisRange(i, i+1)), x.Shape().Dimensions[1], 1)
}

// past gives attention the keys and values of earlier tokens and gathers those of all, by position.
type past struct {
	c      *arch.Config
	slots  *node     // [B·K·T, 1]: which line each position is
	blocks [][]*node // k₀, v₀, k₁, … of earlier passes, [B'·K, P, h]
	all    []*node   // k₀, v₀, k₁, … [B·K, T, h]
}

func newPast(c *arch.Config, in *inputs, blocks int) *past {
	p := &past{c: c, slots: in.next()}
	for range blocks {
		p.blocks = append(p.blocks, in.take(2*c.Layers))
	}
	return p
}

// extend is keys and values by position.
func (p *past) extend(l int, k, v *node) (keys, values *node) { return p.put(2*l, k), p.put(2*l+1, v) }

func (p *past) put(i int, x *node) *node {
	rows, h := x.Shape().Dimensions[0], x.Shape().Dimensions[2]
	flat := func(x *node) *node { return graph.Reshape(x, x.Shape().Size()/h, h) }
	var lines []*node
	for _, block := range p.blocks {
		lines = append(lines, flat(block[i]))
	}
	lines = append(lines, flat(x))
	x = graph.Reshape(graph.Gather(concat(0, lines...), p.slots), rows, p.slots.Shape().Dimensions[0]/rows, h)
	p.all = append(p.all, x)
	return x
}
