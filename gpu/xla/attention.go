package xla

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// attention is grouped-query attention over the earlier and the new tokens.
//
//	x [M, d]   → [M, H·h]
func (f *forward) attention(l int, x *node) *node {
	q, k, v := f.project(l, x)
	if f.past != nil {
		k, v = f.past.extend(l, k, v)
	}
	scores := graph.Dot(q, k).General([]int{2}, []int{0}, []int{2}, []int{0}) // [B·K, G·S, T]
	if f.c.AttnCap > 0 {
		scores = softcap(scores, f.c.AttnCap)
	}
	if mask := f.masks[f.c.Window(l)]; mask != nil {
		scores = graph.Add(scores, mask)
	}
	p := graph.BackendFusedSoftmax(scores, 2)
	o := graph.Dot(p, v).General([]int{2}, []int{0}, []int{1}, []int{0})
	f.tape.attention(o, q, k, v, p)
	joined := f.joinHeads(o, f.c.Heads)
	f.tape.move(joined, o, func(back *node) *node { return f.splitHeads(f.asHeads(back), f.c.Heads, o) })
	return joined
}

// project makes queries, scaled, and keys, both rotated by their positions, and values:
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
	rope := f.ropes[c.RopeOf(l)]
	qk = rope.rotate(qk)
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

// splitHeads rearranges x [M, n, h] to [B·n, S, h], or to the shape of like, whose values are in
// the same order. It copies head by head: the backend moves slices three times faster than
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

// masked is added to a score that must not count: eˣ of it is 0 after any maximum is taken off.
const masked = -1e9

// fillMask fills a row's mask x [S, T]: new token i, at position past + i, sees positions up to its own, and
// of these the last window ones if window > 0. Padding on the right needs no mask: it comes after every
// real token.
func fillMask(x []float32, past, t, window int) {
	for i := range len(x) / t {
		at := past + i
		for j := range t {
			if j > at || window > 0 && j <= at-window {
				x[i*t+j] = masked
			}
		}
	}
}

// spreadMask is masks [B, S, T] for every head: [B·K, G·S, T].
func spreadMask(c *arch.Config, x *node) *node {
	d := x.Shape().Dimensions
	x = graph.Reshape(x, d[0], 1, d[1], d[2])
	parts := make([]*node, c.Heads)
	for i := range parts {
		parts[i] = x
	}
	return graph.Reshape(concat(1, parts...), d[0]*c.KVHeads, c.Heads/c.KVHeads*d[1], d[2])
}
