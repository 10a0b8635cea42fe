package gputest

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// Model makes a reference with random weights for a configuration. Gains scatter around one
// (or zero where an offset is added), everything else around zero so that residuals keep a
// size of about one.
func Model(config *arch.Config, seed uint64) *Reference {
	r := &Reference{Config: config, Weights: map[string][]float32{}}
	shapes := config.Tensors()
	var names []string
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	for _, name := range names {
		n := 1
		for _, d := range shapes[name] {
			n *= d
		}
		mean, spread := float32(0), float32(0.15)
		if strings.Contains(name, "norm") || strings.Contains(name, "ln_") {
			mean = 1 - config.NormOffset
		}
		w := make([]float32, n)
		for i := range w {
			w[i] = mean + spread*float32(rng.NormFloat64())
		}
		r.Weights[name] = w
	}
	return r
}

// Tensors, with ReadRows, makes a Reference a place to read weights from, like a checkpoint.
func (r *Reference) Tensors() []checkpoint.TensorInfo { return r.Config.Float32Tensors() }

// ReadRows reads rows [from, from+n) of a tensor.
func (r *Reference) ReadRows(name string, from, n int, dst []float32) error {
	w := r.Weights[name]
	width := len(w) / r.Config.Tensors()[name][0]
	copy(dst, w[from*width:(from+n)*width])
	return nil
}

// Text makes n random tokens.
func (r *Reference) Text(n int, seed uint64) []int32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(rng.IntN(r.Config.Vocab))
	}
	return out
}

// Vector makes a random vector of the given length.
func (r *Reference) Vector(length float64, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	x := make([]float64, r.Config.Hidden)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v * length / norm(x))
	}
	return out
}
