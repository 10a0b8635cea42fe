package artifacts

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

func typeOf[T number]() arrow.DataType {
	var zero T
	switch any(zero).(type) {
	case int32:
		return arrow.PrimitiveTypes.Int32
	case int64:
		return arrow.PrimitiveTypes.Int64
	case uint64:
		return arrow.PrimitiveTypes.Uint64
	case float32:
		return arrow.PrimitiveTypes.Float32
	}
	return arrow.PrimitiveTypes.Float64
}

// finite refuses infinities, and NaN unless it stands for a missing number. Integers pass.
func finite[T number](name string, values []T, missing bool) error {
	var zero T
	switch any(zero).(type) {
	case float32, float64:
	default:
		return nil
	}
	for i, v := range values {
		// v-v is 0 for finite numbers and NaN for the rest.
		if v-v != 0 && !(missing && v != v) {
			return fmt.Errorf("%s: value %d is %v", name, i, v)
		}
	}
	return nil
}

func newData(t arrow.DataType, n int, buffers ...[]byte) arrow.ArrayData {
	all := []*memory.Buffer{nil}
	for _, b := range buffers {
		all = append(all, memory.NewBufferBytes(b))
	}
	return array.NewData(t, n, all, nil, 0, 0)
}

func fixedData[T number](t arrow.DataType, values []T) arrow.ArrayData {
	return newData(t, len(values), arrow.GetBytes(values))
}

func newList(t arrow.DataType, offsets []int32, items arrow.ArrayData) arrow.ArrayData {
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(offsets))}
	return array.NewData(t, len(offsets)-1, buffers, []arrow.ArrayData{items}, 0, 0)
}

// offsetsOf returns the n+1 running sums of size; Arrow keeps them as int32.
func offsetsOf(name string, n int, size func(int) int) (offsets []int32, total int, err error) {
	offsets = make([]int32, n+1)
	for i := range n {
		if total += size(i); total > math.MaxInt32 {
			return nil, 0, fmt.Errorf("%s: %d rows hold more than 2 GiB", name, n)
		}
		offsets[i+1] = int32(total)
	}
	return offsets, total, nil
}

func textData(name string, values []string) (arrow.ArrayData, error) {
	offsets, _, err := offsetsOf(name, len(values), func(i int) int { return len(values[i]) })
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("%s: text %d is not UTF-8", name, i)
		}
	}
	return newData(arrow.BinaryTypes.String, len(values), arrow.GetBytes(offsets), []byte(strings.Join(values, ""))), nil
}

// buffer returns the first size bytes of a column's i-th buffer.
func buffer(d arrow.ArrayData, i int, size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	buffers := d.Buffers()
	if size < 0 || d.Offset() != 0 || i >= len(buffers) || buffers[i] == nil || int64(buffers[i].Len()) < size {
		return nil, fmt.Errorf("buffer %d is smaller than its %d rows need", i, d.Len())
	}
	return buffers[i].Bytes()[:size], nil
}

func fixed[T number](d arrow.ArrayData) ([]T, error) {
	size := int64(typeOf[T]().(arrow.FixedWidthDataType).Bytes())
	b, err := buffer(d, 1, size*int64(d.Len()))
	return arrow.GetData[T](b), err
}

func child(d arrow.ArrayData) (arrow.ArrayData, error) {
	if len(d.Children()) != 1 {
		return nil, fmt.Errorf("a list has %d columns of items", len(d.Children()))
	}
	return d.Children()[0], nil
}

// ranges calls visit with the half-open range of items of each row. The ranges must follow
// each other without gaps and use up all items.
func ranges(d arrow.ArrayData, items int, visit func(from, to int)) error {
	if d.Len() == 0 {
		return nil
	}
	b, err := buffer(d, 1, 4*(int64(d.Len())+1))
	if err != nil {
		return err
	}
	offsets := arrow.GetData[int32](b)
	if offsets[0] != 0 || int(offsets[d.Len()]) != items {
		return fmt.Errorf("offsets run from %d to %d, want 0 to %d", offsets[0], offsets[d.Len()], items)
	}
	for i := range d.Len() {
		if offsets[i] > offsets[i+1] || int(offsets[i+1]) > items {
			return fmt.Errorf("row %d runs from %d to %d", i, offsets[i], offsets[i+1])
		}
		visit(int(offsets[i]), int(offsets[i+1]))
	}
	return nil
}

// appendTexts copies the texts out of Arrow's memory.
func appendTexts(to []string, d arrow.ArrayData) ([]string, error) {
	if d.Len() == 0 {
		return to, nil
	}
	offsets, err := buffer(d, 1, 4*(int64(d.Len())+1))
	if err != nil {
		return to, err
	}
	last := arrow.GetData[int32](offsets)[d.Len()] // what follows it in the buffer is padding
	content, err := buffer(d, 2, int64(last))
	if err != nil || last < 0 {
		return to, fmt.Errorf("texts end at byte %d, which is not there", last)
	}
	all := string(content)
	invalid := -1
	err = ranges(d, len(all), func(from, end int) {
		if !utf8.ValidString(all[from:end]) {
			invalid = len(to)
		}
		to = append(to, all[from:end])
	})
	if err == nil && invalid >= 0 {
		err = fmt.Errorf("text %d is not UTF-8", invalid)
	}
	return to, err
}
