package xla

import (
	"unsafe"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"
)

// A call gathers the arguments of one run of a program. The first error sticks and is
// returned by run.
type call struct {
	dev     *Device
	program *program
	args    []any
	shapes  []shapes.Shape    // of args
	own     []*tensors.Tensor // freed after the run
	err     error
}

// floats adds a float32 tensor that fill writes; it starts as zeros.
func (c *call) floats(fill func([]float32), dims ...int) {
	c.add(newTensor(c.dev, f32, fill, dims...))
}

// ints adds an int32 tensor.
func (c *call) ints(fill func([]int32), dims ...int) {
	c.add(newTensor(c.dev, i32, fill, dims...))
}

// intRows adds rows of one length, [len(rows), len(rows[0])].
func (c *call) intRows(rows [][]int32) {
	c.ints(func(x []int32) {
		for i, row := range rows {
			copy(x[i*len(row):], row)
		}
	}, len(rows), len(rows[0]))
}

// words adds a uint32 tensor.
func (c *call) words(fill func([]uint32), dims ...int) {
	c.add(newTensor(c.dev, u32, fill, dims...))
}

func (c *call) add(t *tensors.Tensor, err error) {
	if err != nil {
		c.err = firstError(c.err, err)
		return
	}
	c.own = append(c.own, t)
	c.keep(t)
}

// keep adds tensors that outlive the run.
func (c *call) keep(ts ...*tensors.Tensor) {
	for _, t := range ts {
		c.args, c.shapes = append(c.args, t), append(c.shapes, t.Shape())
	}
}

// donate adds tensors whose memory the program may write over; they are gone afterwards.
func (c *call) donate(ts ...*tensors.Tensor) {
	for _, t := range ts {
		c.shapes = append(c.shapes, t.Shape())
		buffer, err := graph.DonateTensorBuffer(t, c.dev.backend, 0)
		c.err = firstError(c.err, err)
		c.args = append(c.args, buffer)
	}
}

// run runs the program and frees the arguments that the call made.
func (c *call) run() ([]*tensors.Tensor, error) {
	defer c.drop()
	if c.err != nil {
		return nil, c.err
	}
	return c.program.call(c.args)
}

// drop frees the arguments that the call made.
func (c *call) drop() {
	free(c.own)
	c.own = nil
}

// compileAll compiles the programs of calls for their arguments, those that are not yet, side by side: a compiler
// spends seconds on one, and does not keep many processors busy.
func compileAll(calls ...*call) error {
	var group errgroup.Group
	for _, c := range calls {
		group.Go(func() error {
			if c.err != nil {
				return c.err
			}
			return guard("compile "+c.program.name, func() error {
				_, err := c.program.exec.Compile(c.shapes...)
				return err
			})
		})
	}
	return group.Wait()
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
func newTensor[T float32 | int32 | uint32](dev *Device, dtype dtypes.DType, fill func([]T), dims ...int) (*tensors.Tensor, error) {
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

// upload makes a tensor that rests on the device. The bytes may be used again afterwards.
func (v *Device) upload(dtype dtypes.DType, data []byte, dims ...int) (t *tensors.Tensor, err error) {
	err = guard("move values to the device", func() error {
		t, err = tensors.FromRaw(v.backend, 0, shapes.Make(dtype, dims...), data)
		return err
	})
	return t, err
}

// bytesOf is the memory of values.
func bytesOf(x []float32) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}

// floatsOf is memory as float32 values.
func floatsOf(data []byte) []float32 {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&data[0])), len(data)/4)
}
