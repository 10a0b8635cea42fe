package gpu

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A Speed is how fast a device computes, in seconds.
type Speed struct {
	Weight  float64 // for each weight that a product reads, whatever the number of rows
	Product float64 // for each multiplication and addition of a product
	Element float64 // for each value of an operation by elements, on one core
	Cores   int
}

const (
	speedRows    = 128                   // of the wide product that is measured: near the top speed
	speedWeights = 1 << 21               // of one matrix at most, so that the wide product takes tens of milliseconds
	speedCycle   = 1 << 24               // weights in all: more than a cache holds, as in a model
	speedTime    = 50 * time.Millisecond // for each measurement, at least two runs
)

// MeasureSpeed times the products of a model of the given widths, and an operation by elements, in about
// a third of a second. Measuring the device as it is, with the kernels of this program, gives the right
// order on any machine, with and without vector instructions; numbers that were measured elsewhere would
// be ten times wrong.
func MeasureSpeed(ctx context.Context, deviceName string, in, out int) (Speed, error) {
	wrap := func(err error) (Speed, error) { return Speed{}, fmt.Errorf("measure the device's speed: %w", err) }
	dev, err := openDevice(deviceName)
	if err != nil {
		return wrap(err)
	}
	release, err := dev.take(ctx)
	if err != nil {
		return wrap(err)
	}
	defer release()
	for in*out > speedWeights {
		in, out = (in+1)/2, (out+1)/2
	}
	matrices := make([]*tensors.Tensor, max(1, speedCycle/(in*out)))
	defer free(matrices)
	for i := range matrices {
		if matrices[i], err = noiseTensor(dev, in, out); err != nil {
			return wrap(err)
		}
	}
	product, err := dev.newProgram("product", func(in []*node) []*node { return []*node{matmul(in[0], in[1])} })
	if err != nil {
		return wrap(err)
	}
	defer product.exec.Finalize()
	elements, err := dev.newProgram("elements", func(in []*node) []*node { return []*node{graph.Mul(in[0], in[1])} })
	if err != nil {
		return wrap(err)
	}
	defer elements.exec.Finalize()
	one, err := timed(dev, product, 1, in, matrices)
	if err != nil {
		return wrap(err)
	}
	wide, err := timed(dev, product, speedRows, in, matrices)
	if err != nil {
		return wrap(err)
	}
	by, err := timed(dev, elements, in, out, matrices)
	if err != nil {
		return wrap(err)
	}
	weights := float64(in * out)
	each := max(0, wide-one) / (speedRows - 1)
	return Speed{Weight: max(0, one-each) / weights, Product: each / weights, Element: by / weights, Cores: runtime.GOMAXPROCS(0)}, ctx.Err()
}

// timed is what a run of a program takes on x [rows, columns] and one matrix after the other: the least of
// several, since the first ones also find memory and wake the cores, which a long run does once.
func timed(dev *device, p *program, rows, columns int, matrices []*tensors.Tensor) (float64, error) {
	x, err := noiseTensor(dev, rows, columns)
	if err != nil {
		return 0, err
	}
	defer free([]*tensors.Tensor{x})
	var took []float64
	for begun := time.Now(); len(took) < 2 || time.Since(begun) < speedTime; {
		at := time.Now()
		out, err := p.call([]any{x, matrices[len(took)%len(matrices)]})
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(at).Seconds())
		free(out)
	}
	took = took[1:] // the first run compiles
	return slices.Min(took), nil
}

// noiseTensor is a matrix of small numbers.
func noiseTensor(dev *device, rows, columns int) (*tensors.Tensor, error) {
	t, err := tensors.FromShapeForBackend(dev.backend, 0, shapes.Make(f32, rows, columns))
	if err != nil {
		return nil, err
	}
	return t, t.MutableFlatData(func(flat any) {
		for i := range flat.([]float32) {
			flat.([]float32)[i] = float32(i%7) * .01
		}
	})
}
