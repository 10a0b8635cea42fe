package xla

import (
	"math"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// A choosing is how a program chooses tokens; numbers are inputs of it.
type choosing struct {
	greedy bool
	topK   bool
	rounds int // races at most to find one of the nucleus of top-p; 0: there is none
}

// choosingOf is the program's part of a choice.
func choosingOf(how engine.Choice) choosing {
	return choosing{greedy: how.Temperature == 0, topK: how.TopK > 0, rounds: roundsOf(how.TopP)}
}

// roundsOf is so many races that all of them are lost to tokens outside of the nucleus once in 10¹⁰ choices.
//
// What is outside weighs q = 1 − p of all at most. A winner from there is one by weight, so what is left outside
// after it is excluded, with all that is less probable, is a share of q that is uniform in (0, 1); and clocks have no
// memory, so that the next race is a fresh one. R races are all lost with probability q^R/R! at most.
func roundsOf(topP float64) int {
	if !(topP > 0 && topP < 1) {
		return 0
	}
	lost, n := 1-topP, 1
	for lost > 1e-10 {
		n++
		lost *= (1 - topP) / float64(n)
	}
	return n
}

// How the cut of top-k is found: by halving the range of logits that are counted this many times. The last range
// is some 10⁻⁶, the rounding of a logit.
const (
	halvings   = 25
	negligible = -40 // tokens whose weight is below e⁻⁴⁰ of the largest are drawn by nobody
)

// choose picks a token for every row of logits [B, V]: tokens [B], the distance from the largest logit to the
// second if the choice is greedy, and the largest logit, which tells whether all are numbers.
//
// With a temperature it is a race of exponential clocks: token i of the nucleus, of weight w and with a standard
// exponential variable E of its own, rings at E/w, and the first one is chosen, with a probability of w over
// the sum. Sampler gumbel/1 of package gpu is the same to rounding; where logits at the cut of top-k are equal, all
// of them can be drawn here.
//
//	noise [2, B] words of each row   knobs [3]: 1/temperature, top-p, top-k
func (o choosing) choose(logits, noise, knobs *node) (tokens, margins, tops *node) {
	g, d := logits.Graph(), logits.Shape().Dimensions
	id := graph.Iota(g, shapes.Make(i32, d...), 1)
	top := graph.ReduceAndKeep(logits, graph.ReduceMax, 1)
	tops = graph.Reshape(top, d[0])
	if o.greedy {
		tokens = graph.ArgMax(logits, 1, i32)
		others := graph.Where(graph.Equal(id, graph.Reshape(tokens, d[0], 1)), graph.Scalar(g, f32, math.Inf(-1)), logits)
		return tokens, graph.Sub(tops, graph.ReduceMax(others, 1)), tops
	}
	knob := func(i int) *node { return graph.Reshape(graph.Slice(knobs, graph.AxisRange(i, i+1)), 1, 1) }
	z := graph.Mul(graph.Sub(logits, top), knob(0))
	weights := graph.Exp(z)
	if o.topK {
		weights = graph.Where(graph.GreaterOrEqual(z, cutOf(z, knob(2))), weights, graph.ZerosLike(weights))
	}
	// A token without weight never rings: E/0 is infinite.
	clocks := graph.Div(exponential(noise, d[0], d[1]), weights)
	if o.rounds == 0 {
		return graph.ArgMin(clocks, 1, i32), nil, tops
	}
	// A token is in the nucleus if those before it, which are more probable or as probable with a smaller number,
	// do not reach p. If the winner is not, neither is what comes after it: the others race again.
	enough := graph.Mul(knob(1), graph.ReduceAndKeep(weights, graph.ReduceSum, 1))
	never, none := graph.Scalar(g, f32, math.Inf(1)), graph.ZerosLike(weights)
	for range o.rounds {
		tokens = graph.ArgMin(clocks, 1, i32)
		winner := graph.Reshape(tokens, d[0], 1)
		height := graph.Reshape(graph.Gather(z, graph.Concatenate([]*node{graph.Iota(g, shapes.Make(i32, d[0], 1), 0), winner}, 1)), d[0], 1)
		before := graph.Or(graph.GreaterThan(z, height), graph.And(graph.Equal(z, height), graph.LessThan(id, winner)))
		mass := graph.ReduceAndKeep(graph.Where(before, weights, none), graph.ReduceSum, 1)
		clocks = graph.Where(graph.Or(before, graph.LessThan(mass, enough)), clocks, never)
	}
	return tokens, nil, tops
}

// cutOf is the largest z, about, that at least k [1, 1] tokens of each row reach, [B, 1].
func cutOf(z, k *node) *node {
	high := graph.ZerosLike(graph.Slice(z, graph.AxisRange(), graph.AxisRange(0, 1)))
	low := graph.AddScalar(high, negligible)
	for range halvings {
		middle := graph.MulScalar(graph.Add(low, high), 0.5)
		count := graph.ReduceAndKeep(wide(graph.GreaterOrEqual(z, middle)), graph.ReduceSum, 1)
		reaches := graph.GreaterOrEqual(count, k)
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
