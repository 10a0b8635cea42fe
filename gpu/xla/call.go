package xla

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A call gathers the arguments of one run of a program. The first error sticks and is
// returned by run.
type call struct {
	dev  *device
	args []any
	own  []*tensors.Tensor // freed after the run
	err  error
}

// floats adds a float32 tensor that fill writes; it starts as zeros.
func (c *call) floats(fill func([]float32), dims ...int) {
	c.add(newTensor(c.dev, dtypes.Float32, fill, dims...))
}

// ints adds an int32 tensor.
func (c *call) ints(fill func([]int32), dims ...int) {
	c.add(newTensor(c.dev, dtypes.Int32, fill, dims...))
}

func (c *call) add(t *tensors.Tensor, err error) {
	if err != nil {
		c.err = firstError(c.err, err)
		return
	}
	c.own = append(c.own, t)
	c.args = append(c.args, t)
}

// keep adds tensors that outlive the run.
func (c *call) keep(ts ...*tensors.Tensor) {
	for _, t := range ts {
		c.args = append(c.args, t)
	}
}

// donate adds tensors whose memory the program may write over; they are gone afterwards.
func (c *call) donate(ts ...*tensors.Tensor) {
	for _, t := range ts {
		buffer, err := graph.DonateTensorBuffer(t, c.dev.backend, 0)
		c.err = firstError(c.err, err)
		c.args = append(c.args, buffer)
	}
}

// run runs the program and frees the arguments that the call made.
func (c *call) run(p *program) ([]*tensors.Tensor, error) {
	defer free(c.own)
	if c.err != nil {
		return nil, c.err
	}
	return p.call(c.args)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// free releases tensors now rather than when they are collected. An error would only mean
// that they were released before.
func free(ts []*tensors.Tensor) {
	for _, t := range ts {
		if t != nil {
			_ = t.FinalizeAll()
		}
	}
}

// newTensor makes a tensor in the device's memory where that is shared, and lets fill write it.
func newTensor[T float32 | int32](dev *device, dtype dtypes.DType, fill func([]T), dims ...int) (*tensors.Tensor, error) {
	t, err := tensors.FromShapeForBackend(dev.backend, 0, shapes.Make(dtype, dims...))
	if err != nil {
		return nil, err
	}
	return t, t.MutableFlatData(func(flat any) { fill(flat.([]T)) })
}

// read lets f see a tensor's values, which are only valid during f.
func read(t *tensors.Tensor, f func([]float32)) error {
	return t.ConstFlatData(func(flat any) { f(flat.([]float32)) })
}
