package xla

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// TrainOptions say how a small model is trained from nothing.
type TrainOptions struct {
	Seed   uint64  // of the initial weights
	Steps  int     // optimiser steps
	Rows   int     // texts per step
	Length int     // tokens that are predicted in each; a row has Length+1
	Rate   float64 // peak learning rate
	WarmUp float64 // share of the steps in which the rate rises to its peak
	Final  float64 // rate at the end, relative to the peak; between, half a cosine
	Clip   float64 // largest norm of the gradient of all weights together
}

// DefaultTrain is what suits models of about a million parameters: a rate of 1e-2 diverges,
// 2e-3 is slow.
func DefaultTrain() TrainOptions {
	return TrainOptions{Rows: 16, Length: 128, Rate: 5e-3, WarmUp: 0.04, Final: 0.05, Clip: 1}
}

// initialStd is the spread of the initial weights; matrices that write to the residual
// stream get 1/√(2·Layers) of it, so that the stream does not grow with depth.
const initialStd = 0.02

// rate is the learning rate of a step: a straight rise, then half a cosine.
func (o TrainOptions) rate(step int) float64 {
	warm := o.WarmUp * float64(o.Steps)
	if float64(step) < warm {
		return o.Rate * float64(step+1) / math.Max(warm, 1)
	}
	done := (float64(step) - warm) / math.Max(1, float64(o.Steps)-warm)
	return o.Rate * (o.Final + (1-o.Final)*(1+math.Cos(math.Pi*done))/2)
}

// Train trains a decoder and returns its tensors under Hugging Face's names and in its
// layout, linear weights [out, in].
//
// batch returns the Rows·(Length+1) tokens of a step, row after row; progress, if not nil,
// sees the loss of each step in nats per token. The same arguments give the same bytes on
// the same kind of machine. Families with norms of heads, GELU or capped scores cannot be
// trained.
func Train(ctx context.Context, c *arch.Config, o TrainOptions, batch func(step int) []int32, progress func(step int, loss float64)) (map[string][]float32, error) {
	t, err := newTrainer(c, o)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	release, err := t.dev.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	defer func() { free(t.state) }()
	for step := range o.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss, err := t.step(batch(step), o.rate(step), step)
		if err != nil {
			return nil, fmt.Errorf("train: step %d: %w", step, err)
		}
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return nil, fmt.Errorf("train: step %d: the loss is %g", step, loss)
		}
		if progress != nil {
			progress(step, loss)
		}
	}
	return t.tensors()
}

// A trainer holds the weights and both moments of their gradients.
type trainer struct {
	c       *arch.Config
	o       TrainOptions
	dev     *Device
	params  []arch.Param
	state   []*tensors.Tensor // weights, first moments, second moments, each in the order of params
	program *program
}

func newTrainer(c *arch.Config, o TrainOptions) (*trainer, error) {
	if c.QKNorm || c.PostNorms || c.Activation != arch.SiLU || c.AttnCap > 0 || c.LogitCap > 0 || c.EmbedScale != 0 || c.LognBase > 0 {
		return nil, fmt.Errorf("models of type %s cannot be trained", c.ModelType)
	}
	if o.Steps < 1 || o.Rows < 1 || o.Length < 1 || !(o.Rate > 0) || !(o.Clip > 0) {
		return nil, fmt.Errorf("steps, rows, length, rate and clip must be positive: %+v", o)
	}
	dev, err := OpenGo()
	if err != nil {
		return nil, err
	}
	t := &trainer{c: c, o: o, dev: dev, params: c.Params()}
	if t.program, err = dev.newProgram("training step", t.build); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	for _, s := range t.params {
		w, err := newTensor(dev, f32, func(x []float32) { initial(c, rng, s, x) }, s.Dims...)
		if err != nil {
			return nil, err
		}
		t.state = append(t.state, w)
	}
	for range 2 {
		for _, s := range t.params {
			zero, err := newTensor(dev, f32, func([]float32) {}, s.Dims...)
			if err != nil {
				return nil, err
			}
			t.state = append(t.state, zero)
		}
	}
	return t, nil
}

// initial draws a weight: gains are one, biases zero, matrices normal.
func initial(c *arch.Config, rng *rand.Rand, s arch.Param, x []float32) {
	std := float64(initialStd)
	switch {
	case s.Kind == arch.Vector:
		if !strings.HasSuffix(s.Name, "_bias") {
			for i := range x {
				x[i] = 1
			}
		}
		return
	case s.Kind == arch.Matrix && s.Dims[1] == c.Hidden:
		std /= math.Sqrt(float64(2 * c.Layers))
	}
	for i := range x {
		x[i] = float32(std * rng.NormFloat64())
	}
}

// step runs one optimiser step and returns the loss before it.
func (t *trainer) step(tokens []int32, rate float64, step int) (loss float64, err error) {
	if want := t.o.Rows * (t.o.Length + 1); len(tokens) != want {
		return 0, fmt.Errorf("%d tokens, want %d", len(tokens), want)
	}
	for _, id := range tokens {
		if id < 0 || int(id) >= t.c.Vocab {
			return 0, fmt.Errorf("token %d, the vocabulary has %d", id, t.c.Vocab)
		}
	}
	c := &call{dev: t.dev, program: t.program}
	c.ints(func(x []int32) { copy(x, tokens) }, t.o.Rows, t.o.Length+1)
	c.floats(func(x []float32) {
		x[0] = float32(rate / (1 - math.Pow(beta1, float64(step+1))))
		x[1] = float32(1 / (1 - math.Pow(beta2, float64(step+1))))
	}, 2)
	c.donate(t.state...)
	t.state = nil
	out, err := c.run()
	if err != nil {
		return 0, err
	}
	t.state = out[1:]
	defer free(out[:1])
	err = read(out[0], func(x []float32) { loss = float64(x[0]) })
	return loss, err
}

// tensors returns the weights as they are stored.
func (t *trainer) tensors() (map[string][]float32, error) {
	out := map[string][]float32{}
	for i, s := range t.params {
		err := read(t.state[i], func(x []float32) {
			at := 0
			for _, p := range s.Parts {
				at += storePart(out, s, p, x, at)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("train: read weight %s: %w", s.Name, err)
		}
	}
	return out, nil
}

// storePart writes part p of param s, whose values are x, to its tensor: from column at in a
// matrix, from value at in a vector. It returns how far at moves.
func storePart(out map[string][]float32, s arch.Param, p arch.Part, x []float32, at int) int {
	width := 1
	for _, d := range p.Shape[1:] {
		width *= d
	}
	if out[p.Tensor] == nil {
		out[p.Tensor] = make([]float32, p.Shape[0]*width)
	}
	dst := out[p.Tensor][p.From*width : (p.From+p.N)*width]
	if s.Kind != arch.Matrix {
		copy(dst, x[at:])
		return len(dst)
	}
	for j := range p.N {
		for i := range width {
			dst[j*width+i] = x[i*s.Dims[1]+at+j]
		}
	}
	return p.N
}
