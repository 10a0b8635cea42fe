package checkpoint

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// A TensorInfo describes one tensor of a checkpoint.
type TensorInfo struct {
	Name  string // Hugging Face's name
	DType string // as stored: F64, F32, F16, BF16, I64 … I8, U8, BOOL or another type of safetensors, or a type of GGUF; "" when its shard is missing
	Shape []int  // Hugging Face's order, a linear weight is [out, in]; nil when its shard is missing
}

// A tensor is a TensorInfo with the place and the layout of its values.
type tensor struct {
	TensorInfo
	codec  codec
	blob   *blob // nil when the shard is missing
	offset int64

	// The two repairs that GGUF needs; see layout.
	row func(row int) int // stored row of a row; nil: the same
	add float32           // added to each value after decoding
}

// file names the tensor's weight file for messages.
func (t *tensor) file() string {
	if t.blob == nil {
		return "a missing file"
	}
	return t.blob.name
}

// foreign tells a tensor of integers or of another type that is not decoded, which no weight is: what
// looks like one is quantised in a way that this package does not know.
func (t *tensor) foreign() bool { return t.blob != nil && t.codec.decode == nil }

// rows returns the tensor's size seen as a matrix [Shape[0], rest]. A scalar is [1, 1].
func (t *tensor) rows() (rows, width int) {
	rows, width = 1, 1
	for i, n := range t.Shape {
		if i == 0 {
			rows = n
		} else {
			width *= n
		}
	}
	return rows, width
}

// readRows converts rows [from, from+n) into dst, which must hold exactly them.
func (t *tensor) readRows(from, n int, dst []float32) (err error) {
	if t.blob == nil {
		return fmt.Errorf("its shard is missing: %w", ErrNotFound)
	}
	rows, width := t.rows()
	if from < 0 || n < 0 || n > rows || from > rows-n {
		return fmt.Errorf("rows [%d, %d+%d) of %d", from, from, n, rows)
	}
	if len(dst) != n*width {
		return fmt.Errorf("%d rows of %d values do not fit a slice of %d", n, width, len(dst))
	}
	defer recoverFault(t.blob.name, &err)()

	var buf []byte
	if t.row == nil {
		err = t.readValues(from*width, dst, &buf)
	} else {
		for i := 0; i < n && err == nil; i++ {
			err = t.readValues(t.row(from+i)*width, dst[i*width:(i+1)*width], &buf)
		}
	}
	if t.add != 0 {
		for i := range dst {
			dst[i] += t.add
		}
	}
	return err
}

// chunk is the number of values converted at a time when a file is not mapped: a few
// hundred KiB, and a multiple of every block size.
const chunk = 1 << 16

// readValues decodes the values that start at index first of the stored order.
func (t *tensor) readValues(first int, dst []float32, buf *[]byte) error {
	var edge []float32
	for len(dst) > 0 {
		lead := first % t.codec.block
		n := min(len(dst), chunk) / t.codec.block * t.codec.block
		if lead != 0 || n == 0 { // a block that is only partly wanted
			if edge == nil {
				edge = make([]float32, t.codec.block)
			}
			if err := t.decode(first/t.codec.block, edge, buf); err != nil {
				return err
			}
			n = copy(dst, edge[lead:])
		} else if err := t.decode(first/t.codec.block, dst[:n], buf); err != nil {
			return err
		}
		dst, first = dst[n:], first+n
	}
	return nil
}

// decode fills dst with whole blocks, beginning with block number first.
func (t *tensor) decode(first int, dst []float32, buf *[]byte) error {
	size := int64(t.codec.bytes)
	src, err := t.blob.view(t.offset+int64(first)*size, int64(len(dst)/t.codec.block)*size, buf)
	if err != nil {
		return err
	}
	t.codec.decode(dst, src)
	return nil
}

// recoverFault makes the fault that follows when a mapped file is cut short by somebody
// else an error instead of the end of the process. Use: defer recoverFault(name, &err)().
func recoverFault(name string, err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		switch fault := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			*err = fmt.Errorf("%s changed while it was open: %w", name, ErrFormat)
		default:
			panic(fault)
		}
	}
}
