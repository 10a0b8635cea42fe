package checkpoint

import (
	"fmt"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// A Layout is how values of one stored type lie in a file: in blocks along a row, each of Block values in
// Bytes bytes. Decode makes float32 of len(dst)/Block whole blocks of src.
type Layout struct {
	DType  string
	Block  int
	Bytes  int
	Decode func(dst []float32, src []byte)
}

// Stored is the layout of a tensor's rows, for whoever keeps them as they are: what Decode makes of the
// bytes of [Checkpoint.StoredRows] is what [Checkpoint.ReadRows] returns. It is false for a tensor that
// has no layout of its own: one that is missing, holds integers, is changed while it is read, or whose
// rows do not begin with a block.
func (c *Checkpoint) Stored(name string) (Layout, bool) {
	t, ok := c.tensors[name]
	if !ok || t.blob == nil || t.foreign() || t.add != 0 {
		return Layout{}, false
	}
	if _, width := t.rows(); width%t.codec.block != 0 {
		return Layout{}, false
	}
	return Layout{t.DType, t.codec.block, t.codec.bytes, t.codec.decode}, true
}

// StoredRows copies rows [from, from+n) of a tensor that has a layout to dst, which must have exactly
// their length.
func (c *Checkpoint) StoredRows(name string, from, n int, dst []byte) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	err := errClosed
	if !c.closed {
		if l, ok := c.Stored(name); ok {
			err = c.tensors[name].storedRows(l, from, n, dst)
		} else {
			err = fmt.Errorf("it has no layout of its own: %w", ErrFormat)
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: tensor %q: %w", c.name, name, err)
	}
	return nil
}

func (t *tensor) storedRows(l Layout, from, n int, dst []byte) (err error) {
	rows, width := t.rows()
	size := width / l.Block * l.Bytes
	if from < 0 || n < 0 || n > rows || from > rows-n {
		return fmt.Errorf("rows [%d, %d+%d) of %d", from, from, n, rows)
	}
	if len(dst) != n*size {
		return fmt.Errorf("%d rows of %d bytes do not fit a slice of %d", n, size, len(dst))
	}
	defer recoverFault(t.blob.name, &err)()
	var buf []byte
	for i := range n {
		row := from + i
		if t.row != nil {
			row = t.row(row)
		}
		src, err := t.blob.view(t.offset+int64(row)*int64(size), int64(size), &buf)
		if err != nil {
			return err
		}
		copy(dst[i*size:], src)
	}
	return nil
}

// LayoutOf is the layout of a type by its name in a GGUF or safetensors file; false if it is not decoded.
func LayoutOf(dtype string) (Layout, bool) {
	c := plainCodec(dtype)
	for t := range gguf.Type(maxType) {
		if c.decode == nil && t.String() == dtype {
			c = ggufCodec(t)
		}
	}
	return Layout{dtype, c.block, c.bytes, c.decode}, c.decode != nil
}
