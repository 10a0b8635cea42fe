package xla

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// A loopKind is what distinguishes programs of loops beside the shapes of their inputs.
type loopKind struct {
	choosing
	steps int // of a call, N
	slots int // of what was before the loop, P: step i writes to slot P+i
}

// loopInputs are the inputs of a loop that no step changes, in the order in which a call adds them. L is the
// number of blocks.
type loopInputs struct {
	before  *node // [B]: tokens before the first step's
	places  *node // [encodings, B]: where each row's angles begin in their tables
	vectors *node // [R, d]: what is added, row 0 is zero
	first   *node // [L, B]: the row of vectors that is added after each block at the first step of a text
	rest    *node // and at all others
	knobs   *node // see choose
	barred  *node // [1, V]: added to logits
	noise   *node // [2·N, B]: the words of each step
	made    *node // []: steps of earlier calls
}

func newLoopInputs(in *inputs) loopInputs {
	return loopInputs{before: in.next(), places: in.next(), vectors: in.next(), first: in.next(), rest: in.next(),
		knobs: in.next(), barred: in.next(), noise: in.next(), made: in.next()}
}

// buildLoop is the graph of N steps: tokens [N, B], margins or zeros [N, B], the largest logits [N, B], and the
// caches, k₀, v₀, k₁, … [B·K, T, h] each. Inputs are the tokens to begin with [B], those of loopInputs, tables
// of angles, weights and caches.
//
// All that the body needs is state of the loop, weights too: closures cannot use values of the function around
// them in operations by elements, and the compiler leaves in place what does not change. The library finds a
// scalar constant again that it made for another function, so that outside of the body there is Const alone.
//
// A call of one step is no loop. The backend in Go has no others: it rewrites the operations of closures after it
// has counted their uses.
func (m *Model) buildLoop(in []*node, params []arch.Param, kind loopKind) []*node {
	g, b := in[0].Graph(), in[0].Shape().Dimensions[0]
	fixed, caches := in[1:len(in)-2*m.config.Layers], in[len(in)-2*m.config.Layers:]
	if kind.steps == 1 {
		s := &step{m: m, kind: kind, params: params, i: graph.Const(g, int32(0)), token: in[0], caches: slices.Clone(caches), in: &inputs{fixed}}
		next, margins, tops := s.run()
		if margins == nil {
			margins = graph.ZerosLike(tops)
		}
		return append([]*node{graph.Reshape(next, 1, b), graph.Reshape(margins, 1, b), graph.Reshape(tops, 1, b)}, s.caches...)
	}
	results := graph.BroadcastToDims(graph.Const(g, float32(0)), kind.steps, b)
	state := []*node{graph.Const(g, int32(0)), in[0], graph.BroadcastToDims(graph.Const(g, int32(0)), kind.steps, b), results, results}
	changing := len(state) + len(caches)
	state = append(append(state, caches...), fixed...)
	parameters := func(g *graph.Graph) (p []*node) {
		for i, x := range state {
			p = append(p, graph.Parameter(g, fmt.Sprint("state", i), x.Shape()))
		}
		return p
	}
	more := graph.NewClosure(g, func(g *graph.Graph) []*node {
		return []*node{graph.LessThan(parameters(g)[0], graph.Const(g, int32(kind.steps)))}
	})
	body := graph.NewClosure(g, func(g *graph.Graph) []*node {
		p := parameters(g)
		s := &step{m: m, kind: kind, params: params, i: p[0], token: p[1], caches: slices.Clone(p[5:changing]), in: &inputs{p[changing:]}}
		next, margins, tops := s.run()
		out := []*node{graph.Add(p[0], graph.Const(g, int32(1))), next, setRow(p[2], p[0], next), p[3], setRow(p[4], p[0], tops)}
		if margins != nil {
			out[3] = setRow(p[3], p[0], margins)
		}
		return append(append(out, s.caches...), p[changing:]...)
	})
	return graph.While(more, body, state...)[2:changing]
}

// setRow is x [n, b] with row i replaced.
func setRow(x, i, row *node) *node {
	d := x.Shape().Dimensions
	at := graph.Iota(x.Graph(), shapes.Make(i32, d...), 0)
	return graph.Where(graph.Equal(at, i), graph.BroadcastToDims(graph.Reshape(row, 1, d[1]), d...), x)
}

// A step is one token of every row.
type step struct {
	m      *Model
	kind   loopKind
	params []arch.Param
	i      *node // of this call
	token  *node // [B]
	caches []*node
	in     *inputs

	slot *node // where its keys and values go
}

// run is the next tokens [B].
func (s *step) run() (next, margins, tops *node) {
	c, g := s.m.config, s.i.Graph()
	b, t := s.token.Shape().Dimensions[0], s.caches[0].Shape().Dimensions[1]
	l := newLoopInputs(s.in)
	made := graph.Add(l.made, s.i)
	s.slot = graph.AddScalar(made, float64(s.kind.slots))
	before := graph.Reshape(l.before, b, 1)
	own := graph.Add(before, made)

	// Slots below P are positions if a text has as many; the others are what was made.
	j := counted(s.token, b, t)
	at := graph.Where(graph.LessThan(j, before), j, graph.Scalar(g, i32, far))
	at = graph.Where(graph.LessThan(j, graph.Scalar(g, i32, s.kind.slots)), at, graph.Add(before, graph.AddScalar(j, -float64(s.kind.slots))))

	f := &forward{forms: s.m.forms, c: c, b: b, s: 1, cache: s}
	f.setMasks(own, at)
	f.turn(s.in, own, l.places)
	f.w = bind(s.params, s.in.nodes)
	index := graph.Where(graph.Equal(made, graph.Const(g, int32(0))), l.first, l.rest)
	x := f.embed(s.token)
	for layer := range c.Layers {
		x = f.block(layer, x)
		x = graph.Add(x, graph.Gather(l.vectors, line(index, layer)))
	}
	logits := s.m.vocabulary(x, f.w)
	logits = graph.Add(logits, l.barred)
	var noise *node
	if !s.kind.greedy {
		at := graph.Add(graph.Mul(s.i, graph.Const(g, int32(2))), graph.Iota(g, shapes.Make(i32, 2, 1), 0))
		noise = graph.Gather(l.noise, at)
	}
	return s.kind.choose(logits, noise, l.knobs)
}

// extend writes the step's keys and values [B·K, 1, h] to its slot.
func (s *step) extend(l int, k, v *node) (keys, values *node) {
	s.caches[2*l], s.caches[2*l+1] = put(s.caches[2*l], k, s.slot), put(s.caches[2*l+1], v, s.slot)
	return s.caches[2*l], s.caches[2*l+1]
}

// A seedKind is what distinguishes programs that make caches.
type seedKind struct{ slots int }

// buildSeed is the graph that makes caches [B·K, T, h], k₀, v₀, k₁, … of the keys and values that passes left,
// [B'·K, P, h] each: row b is row which[b] of all of theirs.
func (m *Model) buildSeed(in *inputs, slots int) (out []*node) {
	c, which := m.config, in.next()
	b, p := which.Shape().Dimensions[0], in.nodes[0].Shape().Dimensions[1]
	width := c.KVHeads * p * c.HeadDim
	for i := range 2 * c.Layers {
		var rows []*node
		for at := i; at < len(in.nodes); at += 2 * c.Layers {
			x := in.nodes[at]
			rows = append(rows, graph.Reshape(x, x.Shape().Size()/width, width))
		}
		x := graph.Gather(concat(0, rows...), graph.Reshape(which, b, 1))
		x = graph.Reshape(x, b*c.KVHeads, p, c.HeadDim)
		zero := graph.ScalarZero(x.Graph(), x.DType())
		out = append(out, graph.Pad(x, zero, compute.PadAxis{}, compute.PadAxis{End: slots - p}, compute.PadAxis{}))
	}
	return out
}
