package xla

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// node is a value of a graph. Letters of its shape, here and in the files that build graphs:
//
//	B  rows of a batch        S  new tokens of a row       M  B·S, a token per line
//	d  Hidden                 f  Inner                     V  Vocab
//	H  Heads                  K  KVHeads                   G  H/K, query heads per key head
//	h  HeadDim                T  positions that a token may look at
type node = graph.Node

// weights gives a graph's weights by the name of the param.
type weights map[string]*node

// bind names the weights among a graph's inputs.
func bind(params []arch.Param, inputs []*node) weights {
	w := weights{}
	for i, s := range params {
		w[s.Name] = inputs[i]
	}
	return w
}

// block returns the weights of block l.
func (w weights) block(l int) func(name string) *node {
	return func(name string) *node { return w[arch.BlockParam(l, name)] }
}

// A forward is one pass of M = B·S new tokens through the blocks.
type forward struct {
	forms
	c    *arch.Config
	w    weights
	b, s int

	ropes []angles      // one per arch.Config.Ropes
	logn  *node         // factor of q [M, 1]; nil: none
	masks map[int]*node // by window: added to scores [B·K, G·S, T]
	cache cache         // keys and values of the tokens before; nil: rows are whole texts, T is S
	tape  *tape         // records how to go back; nil: no training
}

// A cache gives attention the keys and values of earlier tokens beside those of the new ones.
type cache interface {
	// extend takes keys and values of the new tokens [B·K, S, h] and gives those of all, [B·K, T, h].
	extend(l int, k, v *node) (keys, values *node)
}

// embed is the residual stream [M, d] with which tokens [B, S] begin.
func (f *forward) embed(tokens *node) *node {
	table, lines := f.w[arch.Embed], graph.Reshape(tokens, f.b*f.s, 1)
	x := wide(graph.Gather(table, lines))
	f.tape.embedded(x, table, lines)
	if f.c.EmbedScale != 0 {
		x = graph.MulScalar(x, float64(f.c.EmbedScale))
	}
	return x
}

// block runs block l on the residual stream x [M, d].
func (f *forward) block(l int, x *node) *node {
	w, c := f.w.block(l), f.c
	y := f.attention(l, f.norm(x, w("attn_norm")))
	y = f.linear(y, w("o"), w("o_bias"), f32)
	if c.PostNorms {
		y = f.norm(y, w("post_attn"))
	}
	x = f.add(x, y)
	y = f.mlp(w, f.norm(x, w("mlp_norm")))
	if c.PostNorms {
		y = f.norm(y, w("post_mlp"))
	}
	return f.add(x, y)
}

// mlp is down(act(gate(x))·up(x)).
func (f *forward) mlp(w func(string) *node, x *node) *node {
	gate := f.linear(x, w("gate"), w("gate_bias"), f.matrix)
	up := f.linear(x, w("up"), w("up_bias"), f.matrix)
	return f.linear(f.gated(gate, up), w("down"), w("down_bias"), f32)
}

// gated is act(gate)·up.
func (f *forward) gated(gate, up *node) *node {
	switch f.c.Activation {
	case arch.GELUTanh:
		return graph.Mul(gelu(gate, false), up)
	case arch.GELU:
		return graph.Mul(gelu(gate, true), up)
	}
	// x·σ(x) = x/(1+e⁻ˣ). The backend's σ costs twice as much as the quotient, which is right
	// even where e⁻ˣ overflows.
	wave := graph.AddScalar(graph.Exp(graph.MulScalar(gate, -1)), 1)
	if f.tape != nil {
		return f.tape.gated(gate, up, graph.Reciprocal(wave))
	}
	return graph.Div(graph.Mul(gate, up), wave)
}

// linear is x·w + bias in float32; bias may be nil. Its product is rounded to a type before.
//
//	x [M, in]   w: see forms.product   bias [1, out]   → [M, out]
func (f *forward) linear(x, w, bias *node, rounded dtypes.DType) *node {
	y := wide(f.product(x, w, rounded))
	f.tape.matmul(y, x, w)
	if bias == nil {
		return y
	}
	z := graph.Add(y, f.repeatRows(bias, x.Shape().Dimensions[0]))
	f.tape.bias(z, y, bias)
	return z
}

// add is x + y.
func (f *forward) add(x, y *node) *node {
	z := graph.Add(x, y)
	f.tape.add(z, x, y)
	return z
}

// norm is RMSNorm: x/√(mean x² + ε)·gain (Zhang & Sennrich 2019, arXiv:1910.07467).
//
//	x [M, n]   gain [1, n]   → [M, n]
func (f *forward) norm(x, gain *node) *node {
	inverse := f.inverseNorm(x, f.c.NormEps)
	scale := f.outer(inverse, gain)
	y := graph.Mul(x, scale)
	f.tape.norm(y, x, gain, inverse, scale)
	return y
}

// dotRows is the products of the rows of x and y [M, n], each with its own: [M, 1, 1].
func dotRows(x, y *node) *node {
	d := x.Shape().Dimensions
	x, y = graph.Reshape(x, d[0], 1, d[1]), graph.Reshape(y, d[0], 1, d[1])
	return graph.Dot(x, y).General([]int{2}, []int{0}, []int{2}, []int{0})
}

// softcap is limit·tanh(x/limit).
func softcap(x *node, limit float64) *node {
	return graph.MulScalar(graph.Tanh(graph.MulScalar(x, 1/limit)), limit)
}

// matmul is the product of two matrices of float32.
func matmul(x, w *node) *node {
	return graph.Dot(x, w).General([]int{1}, nil, []int{0}, nil)
}

// columns is x[..., from:to] for the last axis.
func columns(x *node, from, to int) *node {
	return graph.Slice(x, graph.AxisRange().Spacer(), graph.AxisRange(from, to))
}
