package xla

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// forms say how graphs are written, for what they run on. All that depends on it is in this file.
//
// A compiler fuses sums, broadcasts and transposes into what is next to them, and they cost little. The
// backend in Go runs operation by operation: matrix products, slices and its own fused operations are
// several times faster there than what they replace. The two forms of an operation are equal within
// rounding.
type forms struct {
	compiled bool

	// matrix is the type of weights, of keys and values and of what is multiplied with them. Sums, norms,
	// softmax, position encodings and the residual stream are float32 whatever it is.
	matrix dtypes.DType
}

// forms are those of the device for matrices of a type.
func (v *Device) forms(matrix dtypes.DType) forms {
	return forms{compiled: v.plugin != Plugin{}, matrix: matrix}
}

// has reports whether the device of a graph has an operation.
func has(x *node, op compute.OpType) bool { return x.Graph().Backend().Capabilities().Operations[op] }

// softmax is eˣ/Σeˣ over the last axis.
func softmax(x *node) *node {
	axis := x.Rank() - 1
	if has(x, compute.OpTypeFusedSoftmax) {
		return graph.BackendFusedSoftmax(x, axis)
	}
	e := graph.Exp(graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMax, axis)))
	return graph.Div(e, graph.ReduceAndKeep(e, graph.ReduceSum, axis))
}

// gelu is x·Φ(x), or its approximation by tanh (Hendrycks & Gimpel 2016, arXiv:1606.08415).
func gelu(x *node, exact bool) *node {
	if has(x, compute.OpTypeFusedGelu) {
		return graph.BackendFusedGelu(x, exact)
	}
	half := graph.MulScalar(x, 0.5)
	if exact {
		return graph.Mul(half, graph.AddScalar(graph.Erf(graph.MulScalar(x, math.Sqrt2/2)), 1))
	}
	inner := graph.Add(x, graph.MulScalar(graph.Mul(graph.Mul(x, x), x), 0.044715))
	return graph.Mul(half, graph.AddScalar(graph.Tanh(graph.MulScalar(inner, math.Sqrt(2/math.Pi))), 1))
}

// inverseNorm is 1/√(mean x² + ε) of the rows of x [M, n], [M, 1].
func (f forms) inverseNorm(x *node, eps float64) *node {
	m, n := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	if f.compiled {
		mean := graph.MulScalar(graph.ReduceAndKeep(graph.Mul(x, x), graph.ReduceSum, 1), 1/float64(n))
		return graph.Rsqrt(graph.AddScalar(mean, eps))
	}
	mean := graph.MulScalar(graph.Reshape(dotRows(x, x), m, 1), 1/float64(n))
	return graph.Reciprocal(graph.Sqrt(graph.AddScalar(mean, eps)))
}

// outer is the products of every element of x [M, 1] with every one of y [1, n], [M, n].
func (f forms) outer(x, y *node) *node {
	if f.compiled {
		d := []int{x.Shape().Dimensions[0], y.Shape().Dimensions[1]}
		return graph.Mul(graph.BroadcastToDims(x, d...), graph.BroadcastToDims(y, d...))
	}
	return matmul(x, y)
}

// repeatRows is v [1, n] m times, [m, n].
func (f forms) repeatRows(v *node, m int) *node {
	if f.compiled {
		return graph.BroadcastToDims(v, m, v.Shape().Dimensions[1])
	}
	return matmul(graph.Ones(v.Graph(), shapes.Make(f32, m, 1)), v)
}

// product is x·w of type out.
//
//	x [M, in]   w [out, in] as weights are stored, or [in, out]: see stored   → [M, out]
func (f forms) product(x, w *node, out dtypes.DType) *node {
	axis := 0
	if f.stored() {
		axis = 1
	}
	return f.dot(x, w, out).General([]int{1}, nil, []int{axis}, nil)
}

// stored reports whether weights rest as they are stored, [out, in]. The backend in Go is two to four times
// faster with [in, out].
func (f forms) stored() bool { return f.compiled }

// dot is a product of operands of the matrix type, summed up in float32.
func (f forms) dot(x, y *node, out dtypes.DType) *graph.DotBuilder {
	d := graph.Dot(f.narrow(x), f.narrow(y))
	if f.matrix != f32 {
		d = d.WithAccumulatorDType(f32).WithOutputDType(out)
	}
	return d
}

// narrow is x in the matrix type.
func (f forms) narrow(x *node) *node { return graph.ConvertDType(x, f.matrix) }

// wide is x in float32.
func wide(x *node) *node { return graph.ConvertDType(x, f32) }

// swap exchanges the two middle axes of x [a, b, c, h].
func (f forms) swap(x *node) *node {
	d := x.Shape().Dimensions
	if f.compiled {
		return graph.TransposeAllAxes(x, 0, 2, 1, 3)
	}
	// Slice by slice along the axis of heads, which is the shorter one.
	parts := make([]*node, min(d[1], d[2]))
	for i := range parts {
		if d[2] <= d[1] {
			part := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i, i+1))
			parts[i] = graph.Reshape(part, d[0], 1, d[1], d[3])
			continue
		}
		part := graph.Slice(x, graph.AxisRange(), graph.AxisRange(i, i+1))
		parts[i] = graph.Reshape(part, d[0], d[2], 1, d[3])
	}
	if d[2] <= d[1] {
		return concat(1, parts...)
	}
	return concat(2, parts...)
}

// perHead is x [M, n] for each of so many heads, [M, heads, n], or of a shape that is broadcast to it.
func (f forms) perHead(x *node, heads int) *node {
	d := x.Shape().Dimensions
	x = graph.Reshape(x, d[0], 1, d[1])
	if f.compiled {
		return x
	}
	parts := make([]*node, heads)
	for i := range parts {
		parts[i] = x
	}
	return concat(1, parts...)
}

// spreadMask is masks [B, S, T] for the heads of each row, [B·K, G·S, T].
func (f forms) spreadMask(x *node, heads, kvHeads int) *node {
	d := x.Shape().Dimensions
	group := heads / kvHeads
	x = graph.Reshape(x, d[0], 1, d[1], d[2])
	if f.compiled {
		x = graph.BroadcastToDims(x, d[0], heads, d[1], d[2])
	} else {
		parts := make([]*node, heads)
		for i := range parts {
			parts[i] = x
		}
		x = concat(1, parts...)
	}
	return graph.Reshape(x, d[0]*kvHeads, group*d[1], d[2])
}

// put is cache [rows, T, h] with x [rows, 1, h] at place at [], where it is zero.
func put(cache, x, at *node) *node {
	rows, h := x.Shape().Dimensions[0], x.Shape().Dimensions[2]
	if has(x, compute.OpTypeDynamicUpdateSlice) {
		zero := graph.Const(x.Graph(), int32(0))
		return graph.DynamicUpdateSlice(cache, x, []*node{zero, at, zero})
	}
	// A sum into zeros is the only write that the backend in Go does in place.
	return graph.BackendScatterSum(cache, graph.Reshape(at, 1, 1), graph.Reshape(x, 1, rows, h), 1,
		[]int{1, 2}, []int{1}, []int{1}, true, true)
}
