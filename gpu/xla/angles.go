package xla

import (
	"github.com/gomlx/gomlx/core/graph"
)

// angles are the cosines and sines of the tokens' positions, [M, H+K, Dim/2] or [M, 1, Dim/2].
type angles struct{ cos, sin *node }

// newAngles gives cos and sin [M, Dim/2] to every head that is rotated.
func (f *forward) newAngles(cos, sin *node) angles {
	heads := f.c.Heads + f.c.KVHeads
	return angles{f.perHead(cos, heads), f.perHead(sin, heads)}
}

// back rotates the other way.
func (a angles) back(x *node) *node { return angles{a.cos, graph.Neg(a.sin)}.rotate(x) }

// rotate rotates the pairs (i, i+Dim/2) of the heads of x [M, n, h].
func (a angles) rotate(x *node) *node {
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
