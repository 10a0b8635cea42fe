package xla

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// attention is grouped-query attention over the earlier and the new tokens.
//
//	x [M, d]   → [M, H·h]
func (f *forward) attention(l int, x *node) *node {
	q, k, v := f.project(l, x)
	if f.cache != nil {
		k, v = f.cache.extend(l, k, v)
	}
	if f.s > queryBlock && f.tape == nil {
		return f.joinHeads(f.attendInBlocks(l, q, k, v), f.c.Heads)
	}
	p, o := f.attend(q, k, v, f.masks[f.c.Window(l)])
	f.tape.attention(o, q, k, v, p)
	joined := f.joinHeads(o, f.c.Heads)
	f.tape.move(joined, o, func(back *node) *node { return f.splitHeads(f.asHeads(back), f.c.Heads, o) })
	return joined
}

// attend is softmax(q·kᵀ + mask)·v with the probabilities before it.
//
//	q [B·K, G·S, h]   k and v [B·K, T, h]   mask [B·K, G·S, T]   → p [B·K, G·S, T], o [B·K, G·S, h]
func (f *forward) attend(q, k, v, mask *node) (p, o *node) {
	scores := wide(f.dot(q, k, f32).General([]int{2}, []int{0}, []int{2}, []int{0}))
	if f.c.AttnCap > 0 {
		scores = softcap(scores, f.c.AttnCap)
	}
	p = softmax(graph.Add(scores, mask))
	return p, f.dot(p, v, f.matrix).General([]int{2}, []int{0}, []int{1}, []int{0})
}

// queryBlock is how many tokens attend at a time: their scores alone exist, not those of a whole long text,
// which would be S² for every head.
const queryBlock = 512

// attendInBlocks is attend for the tokens of each row in blocks.
func (f *forward) attendInBlocks(l int, q, k, v *node) *node {
	c, mask := f.c, f.masks[f.c.Window(l)]
	group, all := c.Heads/c.KVHeads, k.Shape().Dimensions[1]
	block := func(x *node, from, to, width int) *node {
		x = graph.Reshape(x, f.b*c.KVHeads, group, f.s, width)
		x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(from, to))
		return graph.Reshape(x, f.b*c.KVHeads, group*(to-from), width)
	}
	var parts []*node
	for from := 0; from < f.s; from += queryBlock {
		to := min(from+queryBlock, f.s)
		_, o := f.attend(block(q, from, to, c.HeadDim), k, v, block(mask, from, to, all))
		parts = append(parts, graph.Reshape(o, f.b*c.KVHeads, group, to-from, c.HeadDim))
	}
	return concat(2, parts...)
}

// project makes queries, scaled, and keys, both rotated by their positions, and values:
// q [B·K, G·S, h], k and v [B·K, S, h].
func (f *forward) project(l int, x *node) (q, k, v *node) {
	c, w := f.c, f.w.block(l)
	n := c.Heads + c.KVHeads
	flat := f.linear(x, w("qkv"), w("qkv_bias"), f.matrix)
	y := f.asHeads(flat)
	qk := heads(y, 0, n)
	if c.QKNorm {
		qk = f.normHeads(qk, w("qk_norm"))
	}
	rope := f.ropes[c.RopeOf(l)]
	qk = rope.rotate(qk)
	q = graph.MulScalar(heads(qk, 0, c.Heads), c.QueryScale)
	if f.logn != nil {
		q = graph.Mul(q, f.asHeads(f.outer(f.logn, graph.Ones(x.Graph(), shapes.Make(f32, 1, c.QueryDim())))))
	}
	q = graph.Reshape(f.splitHeads(f.narrow(q), c.Heads, nil), f.b*c.KVHeads, c.Heads/c.KVHeads*f.s, c.HeadDim)
	k = f.splitHeads(f.narrow(heads(qk, c.Heads, n)), c.KVHeads, nil)
	v = f.splitHeads(f.narrow(heads(y, n, n+c.KVHeads)), c.KVHeads, nil)
	f.tape.project(f, flat, q, k, v, rope)
	return q, k, v
}

// asHeads is x [M, n·h] as [M, n, h].
func (f *forward) asHeads(x *node) *node {
	d := x.Shape().Dimensions
	return graph.Reshape(x, d[0], d[1]/f.c.HeadDim, f.c.HeadDim)
}

// normHeads is RMSNorm of every head of x [M, n, h] with its own gain; gain is [1, n·h].
func (f *forward) normHeads(x, gain *node) *node {
	d := x.Shape().Dimensions
	ones := graph.Ones(x.Graph(), shapes.Make(f32, 1, d[2]))
	y := graph.Reshape(f.norm(graph.Reshape(x, d[0]*d[1], d[2]), ones), d[0], d[1]*d[2])
	return graph.Reshape(graph.Mul(y, f.repeatRows(gain, d[0])), d...)
}

// heads is x[:, from:to] of x [M, n, h].
func heads(x *node, from, to int) *node {
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(from, to))
}

// splitHeads rearranges x [M, n, h] to [B·n, S, h], or to the shape of like, whose values are in
// the same order.
func (f *forward) splitHeads(x *node, n int, like *node) *node {
	h := f.c.HeadDim
	dims := []int{f.b * n, f.s, h}
	if like != nil {
		dims = like.Shape().Dimensions
	}
	if f.s > 1 {
		x = f.swap(graph.Reshape(x, f.b, f.s, n, h))
	}
	return graph.Reshape(x, dims...)
}

// joinHeads is the way back: x [B·n, S, h] or of another shape in this order → [M, n·h].
func (f *forward) joinHeads(x *node, n int) *node {
	h := f.c.HeadDim
	if f.s > 1 {
		x = f.swap(graph.Reshape(x, f.b, n, f.s, h))
	}
	return graph.Reshape(x, f.b*f.s, n*h)
}

func concat(axis int, parts ...*node) *node {
	if len(parts) == 1 {
		return parts[0]
	}
	return graph.Concatenate(parts, axis)
}

// masked is added to a score that must not count: eˣ of it is 0 after any maximum is taken off.
const masked = -1e9

// mask is what is added to the scores of each row's tokens, [B, S, T]: a token at position own [B, S] sees
// positions up to its own, and of these the last window ones if window > 0. at are the positions of what it
// may look at [B, T], far for what is none. Padding on the right needs no mask: it comes after every real
// token.
func mask(own, at *node, window int) *node {
	b, s, t := own.Shape().Dimensions[0], own.Shape().Dimensions[1], at.Shape().Dimensions[1]
	own, at = graph.Reshape(own, b, s, 1), graph.Reshape(at, b, 1, t)
	hidden := graph.GreaterThan(at, own)
	if window > 0 {
		hidden = graph.Or(hidden, graph.LessOrEqual(graph.AddScalar(at, float64(window)), own))
	}
	return graph.Where(hidden, graph.Scalar(at.Graph(), f32, masked), graph.Scalar(at.Graph(), f32, 0))
}

// far is a position that no token sees.
const far = 1 << 29
