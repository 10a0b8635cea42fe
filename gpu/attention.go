package gpu

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// A kvCache gives attention the keys and values of earlier tokens and takes the new ones.
//
// Keys and values of the M new tokens come as k, v [B·K, S, h]. extend returns what the new
// tokens look at: keys [B·K, T, h], or [B·K, h, T] with turned, and values [B·K, T, h].
type kvCache interface {
	extend(l int, k, v *node) (keys, values *node, turned bool)
}

// attention is grouped-query attention over the earlier and the new tokens.
//
//	x [M, d]   → [M, H·h]
func (f *forward) attention(l int, x *node) *node {
	q, k, v := f.project(l, x)
	keys, values, turned := f.cache.extend(l, k, v)
	axis := 2
	if turned {
		axis = 1
	}
	scores := graph.Dot(q, keys).General([]int{2}, []int{0}, []int{axis}, []int{0}) // [B·K, G·S, T]
	if f.c.AttnCap > 0 {
		scores = softcap(scores, f.c.AttnCap)
	}
	if mask := f.masks[f.c.window(l)]; mask != nil {
		scores = graph.Add(scores, mask)
	}
	p := graph.BackendFusedSoftmax(scores, 2)
	o := graph.Dot(p, values).General([]int{2}, []int{0}, []int{1}, []int{0})
	f.tape.attention(o, q, keys, values, p)
	joined := f.joinHeads(o, f.c.Heads)
	f.tape.move(joined, o, func(back *node) *node { return f.splitHeads(f.asHeads(back), f.c.Heads, o) })
	return joined
}

// project makes queries, scaled, and keys, both turned by their positions, and values:
// q [B·K, G·S, h], k and v [B·K, S, h].
func (f *forward) project(l int, x *node) (q, k, v *node) {
	c, w := f.c, f.w.block(l)
	n := c.Heads + c.KVHeads
	flat := f.linear(x, w("qkv"), w("qkv_bias"))
	y := f.asHeads(flat)
	qk := heads(y, 0, n)
	if c.QKNorm {
		qk = f.normHeads(qk, w("qk_norm"))
	}
	rope := f.ropes[c.rope(l)]
	qk = rope.turn(qk)
	q = graph.MulScalar(heads(qk, 0, c.Heads), c.QueryScale)
	if f.logn != nil {
		ones := graph.Ones(x.Graph(), shapes.Make(f32, 1, c.QueryDim()))
		q = graph.Mul(q, f.asHeads(matmul(f.logn, ones)))
	}
	q = graph.Reshape(f.splitHeads(q, c.Heads, nil), f.b*c.KVHeads, c.Heads/c.KVHeads*f.s, c.HeadDim)
	k = f.splitHeads(heads(qk, c.Heads, n), c.KVHeads, nil)
	v = f.splitHeads(heads(y, n, n+c.KVHeads), c.KVHeads, nil)
	f.tape.project(f, flat, q, k, v, rope)
	return q, k, v
}

// asHeads is x [M, n·h] as [M, n, h].
func (f *forward) asHeads(x *node) *node {
	d := x.Shape().Dimensions
	return graph.Reshape(x, d[0], d[1]/f.c.HeadDim, f.c.HeadDim)
}

// keysAndValues is project without the queries.
func (f *forward) keysAndValues(l int, x *node) (k, v *node) {
	_, k, v = f.project(l, f.norm(x, f.w.block(l)("attn_norm")))
	return k, v
}

// normHeads is RMSNorm of every head of x [M, n, h] with its own gain; gain is [1, n·h].
func (f *forward) normHeads(x, gain *node) *node {
	d := x.Shape().Dimensions
	ones := graph.Ones(x.Graph(), shapes.Make(f32, 1, d[2]))
	y := graph.Reshape(f.norm(graph.Reshape(x, d[0]*d[1], d[2]), ones), d[0], d[1]*d[2])
	return graph.Reshape(graph.Mul(y, repeatRows(gain, d[0])), d...)
}

// heads is x[:, from:to] of x [M, n, h].
func heads(x *node, from, to int) *node {
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(from, to))
}

// splitHeads brings x [M, n, h] into the order [B·n, S, h], or that shape of the same order
// which like has. It copies head by head: the backend moves slices three times faster than
// it transposes.
func (f *forward) splitHeads(x *node, n int, like *node) *node {
	h := f.c.HeadDim
	dims := []int{f.b * n, f.s, h}
	if like != nil {
		dims = like.Shape().Dimensions
	}
	if f.s == 1 {
		return graph.Reshape(x, dims...)
	}
	x = graph.Reshape(x, f.b, f.s, n, h)
	parts := make([]*node, n)
	for i := range parts {
		part := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i, i+1))
		parts[i] = graph.Reshape(part, f.b, 1, f.s, h)
	}
	return graph.Reshape(concat(1, parts...), dims...)
}

// joinHeads is the way back: x [B·n, S, h] or of another shape in this order → [M, n·h].
func (f *forward) joinHeads(x *node, n int) *node {
	h := f.c.HeadDim
	if f.s == 1 {
		return graph.Reshape(x, f.b, n*h)
	}
	x = graph.Reshape(x, f.b, n, f.s, h)
	parts := make([]*node, n)
	for i := range parts {
		part := graph.Slice(x, graph.AxisRange(), graph.AxisRange(i, i+1))
		parts[i] = graph.Reshape(part, f.b, f.s, h)
	}
	return graph.Reshape(concat(2, parts...), f.b*f.s, n*h)
}

func concat(axis int, parts ...*node) *node {
	if len(parts) == 1 {
		return parts[0]
	}
	return graph.Concatenate(parts, axis)
}

// angles are the cosines and sines of the new tokens' positions, [M, H+K, Dim/2].
type angles struct{ cos, sin *node }

// newAngles repeats cos and sin [M, Dim/2] for every head that turns.
func newAngles(c *Config, cos, sin *node) angles {
	spread := func(x *node) *node {
		d := x.Shape().Dimensions
		x = graph.Reshape(x, d[0], 1, d[1])
		parts := make([]*node, c.Heads+c.KVHeads)
		for i := range parts {
			parts[i] = x
		}
		return concat(1, parts...)
	}
	return angles{spread(cos), spread(sin)}
}

// back turns the other way.
func (a angles) back(x *node) *node { return angles{a.cos, graph.Neg(a.sin)}.turn(x) }

// turn rotates the pairs (i, i+Dim/2) of the heads of x [M, n, h].
func (a angles) turn(x *node) *node {
	half := a.cos.Shape().Dimensions[2]
	width := x.Shape().Dimensions[2]
	x1, x2 := columns(x, 0, half), columns(x, half, 2*half)
	parts := []*node{
		graph.Sub(graph.Mul(x1, a.cos), graph.Mul(x2, a.sin)),
		graph.Add(graph.Mul(x2, a.cos), graph.Mul(x1, a.sin)),
	}
	if 2*half < width {
		parts = append(parts, columns(x, 2*half, width))
	}
	return concat(2, parts...)
}

// masked is added to a score that must not count: eˣ of it is 0 after any maximum is taken off.
const masked = -1e9

// causalMask lets position i see j ≤ i, and j > i − window if window > 0. [B·K, G·S, S].
// Padding on the right needs no mask: it comes after every real token.
func causalMask(g *graph.Graph, c *Config, b, s, window int) *node {
	flat := make([]float32, s*s)
	for i := range s {
		for j := range s {
			if j > i || window > 0 && j <= i-window {
				flat[i*s+j] = masked
			}
		}
	}
	one := graph.Reshape(graph.Const(g, flat), 1, s, s)
	parts := make([]*node, b*c.Heads)
	for i := range parts {
		parts[i] = one
	}
	return graph.Reshape(concat(0, parts...), b*c.KVHeads, c.Heads/c.KVHeads*s, s)
}

// noPast is the cache of a pass over whole texts; it keeps the keys and values if keep is set.
type noPast struct {
	keep bool
	kv   []*node // k₀, v₀, k₁, …, each [B·K, S, h]
}

func (n *noPast) extend(_ int, k, v *node) (*node, *node, bool) {
	if n.keep {
		n.kv = append(n.kv, k, v)
	}
	return k, v, false
}

// pastThenNew continues texts whose first tokens' keys and values are k₀, v₀, … [B·K, P, h].
type pastThenNew struct{ kv []*node }

func (p pastThenNew) extend(l int, k, v *node) (*node, *node, bool) {
	return concat(1, p.kv[2*l], k), concat(1, p.kv[2*l+1], v), false
}

// slotCache has T slots, of which the new token fills one: the cache of generation. Keys are kept turned,
// [B·K, h, T], which makes the product with one query twice as fast; values are [B·K, T, h].
type slotCache struct {
	kv    []*node
	slot  *node // [1, 1] int64: where the new token goes; still zero there
	after []*node
}

func (s *slotCache) extend(l int, k, v *node) (*node, *node, bool) {
	d := k.Shape().Dimensions
	rows, h := d[0], d[2]
	// A sum into zeros is the only write that the backend does in place.
	put := func(cache, x *node, axis int) *node {
		return graph.BackendScatterSum(cache, s.slot, graph.Reshape(x, 1, rows, h), 1,
			[]int{1, 2}, []int{axis}, []int{axis}, true, true)
	}
	keys, values := put(s.kv[2*l], k, 2), put(s.kv[2*l+1], v, 1)
	s.after = append(s.after, keys, values)
	return keys, values, true
}

// pushes steer: vectors [R, d] are added to the residual stream after their layers [R], on
// the tokens that select [M, R] names with ones. All three are inputs, so another vector,
// layer or position needs no new graph.
type pushes struct {
	vectors, layers, selects *node
}

// apply adds what is to be added after block l. A token that nothing is added to keeps its
// bits: it gets plus zero.
func (p *pushes) apply(l int, x *node) *node {
	if p == nil {
		return x
	}
	on := graph.ConvertDType(graph.Equal(p.layers, graph.Const(x.Graph(), int32(l))), dtypes.Float32)
	r := p.vectors.Shape().Dimensions
	on = graph.Reshape(on, r[0], 1)
	ones := graph.Ones(x.Graph(), shapes.Make(f32, 1, r[1]))
	return graph.Add(x, matmul(p.selects, graph.Mul(p.vectors, matmul(on, ones))))
}
