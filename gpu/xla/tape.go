package xla

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// A tape records, while a forward pass is built, how gradients travel back through it. The
// library can derive gradients too. These are several times cheaper on a backend where
// transposing a large matrix, reducing and broadcasting are slow: they never transpose a large
// operand.
//
// A nil tape records nothing: the forward code is the same for inference.
type tape struct {
	steps []func()
	grads map[*node]*node
}

func newTape() *tape { return &tape{grads: map[*node]*node{}} }

// on records the way back through y. back gets the gradient of the loss with respect to y.
func (t *tape) on(y *node, back func(v *node)) {
	if t == nil {
		return
	}
	t.steps = append(t.steps, func() {
		if v := t.grads[y]; v != nil {
			back(v)
		}
	})
}

// give adds v to the gradient with respect to x.
func (t *tape) give(x, v *node) {
	if old := t.grads[x]; old != nil {
		v = graph.Add(old, v)
	}
	t.grads[x] = v
}

// rewind builds the gradients of everything recorded, last step first.
func (t *tape) rewind() {
	for i := len(t.steps) - 1; i >= 0; i-- {
		t.steps[i]()
	}
	t.steps = nil
}

// add is the way back through z = x + y.
func (t *tape) add(z, x, y *node) {
	t.on(z, func(v *node) { t.give(x, v); t.give(y, v) })
}

// matmul is the way back through y = x·w: v·wᵀ and xᵀ·v.
func (t *tape) matmul(y, x, w *node) {
	t.on(y, func(v *node) {
		t.give(x, graph.Dot(v, w).General([]int{1}, nil, []int{1}, nil))
		t.give(w, matmul(graph.Transpose(x, 0, 1), v))
	})
}

// bias is the way back through z = y + bias in every row.
func (t *tape) bias(z, y, bias *node) {
	t.on(z, func(v *node) {
		ones := graph.Ones(v.Graph(), shapes.Make(f32, 1, v.Shape().Dimensions[0]))
		t.give(y, v)
		t.give(bias, matmul(ones, v))
	})
}

// norm is the way back through y = x·scale, scale = inverse⊗gain, inverse = 1/√(mean x² + ε).
//
//	dx    = v·scale − x·inverse²/n·⟨v·scale, x⟩   by rows
//	dgain = inverseᵀ(v·x)
func (t *tape) norm(y, x, gain, inverse, scale *node) {
	t.on(y, func(v *node) {
		d := x.Shape().Dimensions
		direct := graph.Mul(v, scale)
		share := graph.Reshape(dotRows(direct, x), d[0], 1)
		share = graph.Mul(graph.MulScalar(share, 1/float64(d[1])), graph.Mul(inverse, inverse))
		ones := graph.Ones(v.Graph(), shapes.Make(f32, 1, d[1]))
		t.give(x, graph.Sub(direct, graph.Mul(x, matmul(share, ones))))
		t.give(gain, matmul(graph.Reshape(inverse, 1, d[0]), graph.Mul(v, x)))
	})
}

// gated builds out = silu(gate)·up with sigma = σ(gate) and records the way back:
// silu' = σ + silu − silu·σ.
func (t *tape) gated(gate, up, sigma *node) *node {
	act := graph.Mul(gate, sigma)
	out := graph.Mul(act, up)
	t.on(out, func(v *node) {
		t.give(up, graph.Mul(v, act))
		slope := graph.Sub(graph.Add(sigma, act), graph.Mul(act, sigma))
		t.give(gate, graph.Mul(graph.Mul(v, up), slope))
	})
	return out
}

// move is the way back through y, which holds the values of x in another order.
func (t *tape) move(y, x *node, back func(v *node) *node) {
	t.on(y, func(v *node) { t.give(x, back(v)) })
}

// attention is the way back through o = p·values, p = softmax(q·keysᵀ + mask).
//
//	ds = p·(dp − ⟨p, dp⟩) by rows, dp = v·valuesᵀ
func (t *tape) attention(o, q, keys, values, p *node) {
	t.on(o, func(v *node) {
		d := p.Shape().Dimensions
		t.give(values, transposed(batched(transposed(v), p)))
		dp := graph.Dot(v, values).General([]int{2}, []int{0}, []int{2}, []int{0})
		rows := func(x *node) *node { return graph.Reshape(x, d[0]*d[1], d[2]) }
		ones := graph.Ones(v.Graph(), shapes.Make(f32, 1, d[2]))
		mean := matmul(graph.Reshape(dotRows(rows(p), rows(dp)), d[0]*d[1], 1), ones)
		ds := graph.Mul(p, graph.Sub(dp, graph.Reshape(mean, d...)))
		t.give(q, batched(ds, keys))
		t.give(keys, transposed(batched(transposed(q), ds)))
	})
}

// batched is the products of two stacks of matrices.
func batched(x, y *node) *node {
	return graph.Dot(x, y).General([]int{2}, []int{0}, []int{1}, []int{0})
}

// transposed transposes every matrix of a stack.
func transposed(x *node) *node { return graph.TransposeAllAxes(x, 0, 2, 1) }

// project is the way back from q, k and v to the matrix product that they are cut from.
func (t *tape) project(f *forward, flat, q, k, v *node, rope angles) {
	// Gradients of q, k and v arrive together, from attention.
	t.on(q, func(dq *node) {
		c := f.c
		dq = f.asHeads(f.joinHeads(graph.MulScalar(dq, c.QueryScale), c.Heads))
		dk := f.asHeads(f.joinHeads(t.grads[k], c.KVHeads))
		dv := f.asHeads(f.joinHeads(t.grads[v], c.KVHeads))
		back := concat(1, rope.back(concat(1, dq, dk)), dv)
		t.give(flat, graph.Reshape(back, flat.Shape().Dimensions...))
	})
}

// embedded is the way back from x to the rows of table [V, d] that tokens [M, 1] name. No family that can be
// trained scales them.
func (t *tape) embedded(x, table, tokens *node) {
	t.on(x, func(v *node) {
		zero := t.grads[table]
		if zero == nil {
			zero = graph.ZerosLike(table)
		}
		t.grads[table] = graph.BackendScatterSum(zero, tokens, v, 1, []int{1}, []int{0}, []int{0}, false, false)
	})
}

// crossEntropy is the mean of −log p(target) over the rows of x·wᵀ, w [V, d], and starts the
// way back. target is [M, 1].
func (t *tape) crossEntropy(x, w, target *node, count int) *node {
	logits := graph.Dot(x, w).General([]int{1}, nil, []int{1}, nil)
	p := softmax(logits)
	m := x.Shape().Dimensions[0]
	rows := graph.Iota(x.Graph(), shapes.Make(target.DType(), m, 1), 0)
	at := graph.Concatenate([]*node{rows, target}, 1)
	// A probability below 10⁻³⁰ would be zero in float32 and its logarithm infinite.
	logp := graph.Log(graph.MaxScalar(graph.Gather(p, at), 1e-30))
	minus := graph.Ones(x.Graph(), shapes.Make(f32, m))
	d := graph.BackendScatterSum(p, at, graph.Neg(minus), 1, []int{}, []int{0, 1}, []int{0, 1}, true, true)
	scale := 1 / float64(count)
	t.give(x, graph.MulScalar(matmul(d, w), scale))
	t.give(w, graph.MulScalar(graph.Transpose(matmul(graph.Transpose(x, 0, 1), d), 0, 1), scale))
	return graph.MulScalar(graph.ReduceAllSum(logp), -scale)
}
