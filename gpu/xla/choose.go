package xla

import (
	"math"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// A choosing is how a program chooses tokens; numbers are inputs of it.
type choosing struct {
	greedy     bool
	topK, topP bool
}

// How thresholds of a nucleus are found: by halving the range of logits that count this many times. The last
// range is some 10⁻⁶, the rounding of a logit.
const (
	halvings   = 25
	negligible = -40 // tokens whose weight is below e⁻⁴⁰ of the largest are in no nucleus
)

// choose picks a token for every row of logits [B, V]: tokens [B], the distance from the largest logit to the
// second if the choice is greedy, and the largest logit, which tells whether all are numbers.
//
// With a temperature it is a race of exponential clocks: token i of the nucleus, of weight w and with a standard
// exponential variable E of its own, rings at E/w, and the first one is chosen, with a probability of w over
// the sum. Sampler gumbel/1 of package gpu is the same to rounding.
//
//	noise [2, B] words of each row   knobs [3]: 1/temperature, top-p, top-k
func (o choosing) choose(logits, noise, knobs *node) (tokens, margins, tops *node) {
	d := logits.Shape().Dimensions
	top := graph.ReduceAndKeep(logits, graph.ReduceMax, 1)
	tops = graph.Reshape(top, d[0])
	if o.greedy {
		tokens = graph.ArgMax(logits, 1, i32)
		id := graph.Iota(logits.Graph(), shapes.Make(i32, d...), 1)
		others := graph.Where(graph.Equal(id, graph.Reshape(tokens, d[0], 1)), graph.Scalar(logits.Graph(), f32, math.Inf(-1)), logits)
		return tokens, graph.Sub(tops, graph.ReduceMax(others, 1)), tops
	}
	knob := func(i int) *node { return graph.Reshape(graph.Slice(knobs, graph.AxisRange(i, i+1)), 1, 1) }
	z := graph.Mul(graph.Sub(logits, top), knob(0))
	weights := graph.Exp(z)
	zeros := graph.ZerosLike(weights)
	keep := func(floor *node) { weights = graph.Where(graph.GreaterOrEqual(z, floor), weights, zeros) }
	if o.topK {
		one := graph.OnesLike(weights)
		keep(threshold(z, one, knob(2)))
	}
	if o.topP {
		keep(threshold(z, weights, graph.Mul(knob(1), graph.ReduceAndKeep(weights, graph.ReduceSum, 1))))
	}
	// A token without weight never rings: E/0 is infinite.
	return graph.ArgMin(graph.Div(exponential(noise, d[0], d[1]), weights), 1, i32), nil, tops
}

// threshold is the largest z, about, above which values sum up to at least enough [B, 1], in each row.
func threshold(z, values, enough *node) *node {
	high := graph.ZerosLike(graph.Slice(z, graph.AxisRange(), graph.AxisRange(0, 1)))
	low := graph.AddScalar(high, negligible)
	zeros := graph.ZerosLike(values)
	for range halvings {
		middle := graph.MulScalar(graph.Add(low, high), 0.5)
		kept := graph.Where(graph.GreaterOrEqual(z, middle), values, zeros)
		reaches := graph.GreaterOrEqual(graph.ReduceAndKeep(kept, graph.ReduceSum, 1), enough)
		low, high = graph.Where(reaches, middle, low), graph.Where(reaches, high, middle)
	}
	return low
}

// exponential is a standard exponential variable for every row and token, a function of the row's two words
// and the token's number alone, [B, V].
func exponential(noise *node, b, v int) *node {
	g := noise.Graph()
	word := func(i int) *node { return graph.Reshape(graph.Slice(noise, graph.AxisRange(i, i+1)), b, 1) }
	id := graph.Iota(g, shapes.Make(u32, b, v), 1)
	bits := mix(graph.BitwiseXor(mix(graph.Add(id, word(0))), word(1)))
	x := graph.MulScalar(graph.AddScalar(wide(bits), 0.5), 0x1p-32)
	return graph.Neg(graph.Log1P(graph.Neg(graph.MinScalar(x, 1-0x1p-24))))
}

// mix scrambles uint32 (lowbias32, Wellons 2018).
func mix(x *node) *node {
	g := x.Graph()
	shift := func(x *node, n uint32) *node {
		return graph.BitwiseXor(x, graph.BitwiseShiftRightLogical(x, graph.Const(g, n)))
	}
	x = graph.Mul(shift(x, 16), graph.Const(g, uint32(0x7feb352d)))
	x = graph.Mul(shift(x, 15), graph.Const(g, uint32(0x846ca68b)))
	return shift(x, 16)
}
