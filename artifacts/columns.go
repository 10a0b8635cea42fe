package artifacts

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// A column joins a Go slice to a column of a table. No column holds nulls: an absent text
// is empty, an absent number that may be absent is NaN.
type column interface {
	field() arrow.Field
	rows() int
	width() int                                 // values per row, at most, to size batches
	data(from, to int) (arrow.ArrayData, error) // checks the rows' values
	load(arrow.ArrayData) error                 // appends; checks structure and values
	cell(row int) string                        // for people
}

type number interface {
	int32 | int64 | uint64 | float32 | float64
}

// numbers is a column of one number per row. Floats are finite, or NaN where missing.
type numbers[T number] struct {
	name    string
	values  *[]T
	missing bool
}

func (c numbers[T]) field() arrow.Field { return arrow.Field{Name: c.name, Type: typeOf[T]()} }
func (c numbers[T]) rows() int          { return len(*c.values) }
func (c numbers[T]) width() int         { return 1 }

func (c numbers[T]) data(from, to int) (arrow.ArrayData, error) {
	values := (*c.values)[from:to]
	return fixedData(typeOf[T](), values), finite(c.name, values, c.missing)
}

func (c numbers[T]) load(d arrow.ArrayData) error {
	values, err := fixed[T](d)
	*c.values = append(*c.values, values...)
	if err == nil {
		err = finite(c.name, values, c.missing)
	}
	return err
}

func (c numbers[T]) cell(row int) string { return fmt.Sprint((*c.values)[row]) }

// vectors is a column of dim float32 per row, kept flat and row-major. All are finite.
type vectors struct {
	name   string
	dim    int
	values *[]float32
}

func (c vectors) field() arrow.Field {
	return arrow.Field{Name: c.name, Type: arrow.FixedSizeListOfNonNullable(int32(c.dim), arrow.PrimitiveTypes.Float32)}
}
func (c vectors) rows() int  { return len(*c.values) / c.dim }
func (c vectors) width() int { return c.dim }

func (c vectors) data(from, to int) (arrow.ArrayData, error) {
	values := (*c.values)[from*c.dim : to*c.dim]
	items := fixedData(arrow.PrimitiveTypes.Float32, values)
	defer items.Release()
	return array.NewData(c.field().Type, to-from, []*memory.Buffer{nil}, []arrow.ArrayData{items}, 0, 0), finite(c.name, values, false)
}

func (c vectors) load(d arrow.ArrayData) error {
	items, err := child(d)
	if err != nil {
		return err
	}
	values, err := fixed[float32](items)
	if err != nil {
		return err
	}
	if len(values)/c.dim != d.Len() || len(values)%c.dim != 0 {
		return fmt.Errorf("%d values in %d rows of %d", len(values), d.Len(), c.dim)
	}
	*c.values = append(*c.values, values...)
	return finite(c.name, values, false)
}

func (c vectors) cell(row int) string {
	return cutList((*c.values)[row*c.dim : (row+1)*c.dim])
}

// texts is a column of one UTF-8 text per row.
type texts struct {
	name   string
	values *[]string
}

func (c texts) field() arrow.Field {
	return arrow.Field{Name: c.name, Type: arrow.BinaryTypes.String}
}
func (c texts) rows() int  { return len(*c.values) }
func (c texts) width() int { return 1 }

func (c texts) data(from, to int) (arrow.ArrayData, error) {
	return textData(c.name, (*c.values)[from:to])
}

func (c texts) load(d arrow.ArrayData) (err error) {
	*c.values, err = appendTexts(*c.values, d)
	return err
}

func (c texts) cell(row int) string { return cutText((*c.values)[row]) }

// bools is a column of one bit per row.
type bools struct {
	name   string
	values *[]bool
}

func (c bools) field() arrow.Field {
	return arrow.Field{Name: c.name, Type: arrow.FixedWidthTypes.Boolean}
}
func (c bools) rows() int  { return len(*c.values) }
func (c bools) width() int { return 1 }

func (c bools) data(from, to int) (arrow.ArrayData, error) {
	bits := make([]byte, (to-from+7)/8)
	for i, v := range (*c.values)[from:to] {
		if v {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return newData(c.field().Type, to-from, bits), nil
}

func (c bools) load(d arrow.ArrayData) error {
	bits, err := buffer(d, 1, (int64(d.Len())+7)/8)
	if err != nil {
		return err
	}
	for i := range d.Len() {
		*c.values = append(*c.values, bits[i/8]>>(i%8)&1 == 1)
	}
	return nil
}

func (c bools) cell(row int) string { return fmt.Sprint((*c.values)[row]) }

// lists is a column of any number of numbers per row.
type lists[T number] struct {
	name   string
	values *[][]T
}

func (c lists[T]) field() arrow.Field {
	return arrow.Field{Name: c.name, Type: arrow.ListOfNonNullable(typeOf[T]())}
}
func (c lists[T]) rows() int { return len(*c.values) }

func (c lists[T]) width() int {
	widest := 1
	for _, v := range *c.values {
		widest = max(widest, len(v))
	}
	return widest
}

func (c lists[T]) data(from, to int) (arrow.ArrayData, error) {
	rows := (*c.values)[from:to]
	offsets, total, err := offsetsOf(c.name, len(rows), func(i int) int { return len(rows[i]) })
	if err != nil {
		return nil, err
	}
	flat := make([]T, 0, total)
	for _, row := range rows {
		flat = append(flat, row...)
	}
	items := fixedData(typeOf[T](), flat)
	defer items.Release()
	return newList(c.field().Type, offsets, items), finite(c.name, flat, false)
}

func (c lists[T]) load(d arrow.ArrayData) error {
	items, err := child(d)
	if err != nil {
		return err
	}
	values, err := fixed[T](items)
	if err != nil {
		return err
	}
	values = append([]T(nil), values...)
	err = ranges(d, len(values), func(from, to int) { *c.values = append(*c.values, values[from:to:to]) })
	if err == nil {
		err = finite(c.name, values, false)
	}
	return err
}

func (c lists[T]) cell(row int) string { return cutList((*c.values)[row]) }

// textLists is a column of any number of texts per row.
type textLists struct {
	name   string
	values *[][]string
}

func (c textLists) field() arrow.Field {
	return arrow.Field{Name: c.name, Type: arrow.ListOfNonNullable(arrow.BinaryTypes.String)}
}
func (c textLists) rows() int  { return len(*c.values) }
func (c textLists) width() int { return 1 }

func (c textLists) data(from, to int) (arrow.ArrayData, error) {
	rows := (*c.values)[from:to]
	offsets, total, err := offsetsOf(c.name, len(rows), func(i int) int { return len(rows[i]) })
	if err != nil {
		return nil, err
	}
	flat := make([]string, 0, total)
	for _, row := range rows {
		flat = append(flat, row...)
	}
	items, err := textData(c.name, flat)
	if err != nil {
		return nil, err
	}
	defer items.Release()
	return newList(c.field().Type, offsets, items), nil
}

func (c textLists) load(d arrow.ArrayData) error {
	items, err := child(d)
	if err != nil {
		return err
	}
	values, err := appendTexts(nil, items)
	if err != nil {
		return err
	}
	return ranges(d, len(values), func(from, to int) { *c.values = append(*c.values, values[from:to:to]) })
}

func (c textLists) cell(row int) string { return fmt.Sprintf("%q", (*c.values)[row]) }
