package xla

import (
	"unsafe"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A call gathers the arguments of one run of a program. The first error sticks and is
// returned by run.
type call struct {
	dev  *Device
	args []any
	own  []*tensors.Tensor // freed after the run
	err  error
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
func bytesOf[T float32 | int32 | uint32 | uint16](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*int(unsafe.Sizeof(x[0])))
}

// floatsOf is memory as float32 values.
func floatsOf(data []byte) []float32 {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&data[0])), len(data)/4)
}
