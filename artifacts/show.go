package artifacts

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
)

// shownItems is how many items of a list, and shownText how many bytes of a text, are
// enough to recognise it.
const (
	shownItems = 6
	shownText  = 200
)

// Show writes any table of this package as text for people: kind, facts in order, and
// its first rows, at most limit of them (all, if limit is negative). Long lists and texts
// are cut. The whole artifact is read, so that a store can vouch for it.
func Show(w io.Writer, r io.Reader, kind string, limit int) error {
	out := bufio.NewWriter(w)
	t, err := openTable(r, kind)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.show(out, kind, limit); err != nil {
		return t.explain(kind, err)
	}
	return out.Flush()
}

func (t *table) show(out io.Writer, kind string, limit int) error {
	fmt.Fprintf(out, "kind %s\n", kind)
	for _, key := range slices.Sorted(maps.Keys(t.facts)) {
		fmt.Fprintf(out, "%s %s\n", key, cutText(t.facts[key]))
	}
	for row := 0; ; {
		columns, err := schemaColumns(t.reader.Schema())
		if err != nil {
			return err
		}
		if row == 0 {
			if err := t.expect(columns); err != nil {
				return err
			}
		}
		more, err := t.next(columns)
		if err != nil || !more {
			fmt.Fprintf(out, "rows %d\n", row)
			return err
		}
		for i := range columns[0].rows() {
			if limit < 0 || row < limit {
				fmt.Fprintf(out, "row %d\n", row)
				for _, c := range columns {
					fmt.Fprintf(out, "  %s %s\n", c.field().Name, c.cell(i))
				}
			}
			row++
		}
	}
}

// schemaColumns returns empty columns for whatever the schema says.
func schemaColumns(schema *arrow.Schema) ([]column, error) {
	var columns []column
	for _, f := range schema.Fields() {
		c, err := columnOf(f)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	if columns == nil {
		return nil, fmt.Errorf("it has no columns")
	}
	return columns, nil
}

// columnOf returns an empty column for each type that this package writes.
func columnOf(f arrow.Field) (column, error) {
	switch t := f.Type.(type) {
	case *arrow.StringType:
		return texts{f.Name, new([]string)}, nil
	case *arrow.BooleanType:
		return bools{f.Name, new([]bool)}, nil
	case *arrow.FixedSizeListType:
		return vectors{f.Name, int(t.Len()), new([]float32)}, nil
	case *arrow.Int32Type:
		return numbers[int32]{f.Name, new([]int32), false}, nil
	case *arrow.Int64Type:
		return numbers[int64]{f.Name, new([]int64), false}, nil
	case *arrow.Uint64Type:
		return numbers[uint64]{f.Name, new([]uint64), false}, nil
	case *arrow.Float64Type:
		return numbers[float64]{f.Name, new([]float64), true}, nil
	case *arrow.ListType:
		switch t.Elem().(type) {
		case *arrow.StringType:
			return textLists{f.Name, new([][]string)}, nil
		case *arrow.Int32Type:
			return lists[int32]{f.Name, new([][]int32)}, nil
		case *arrow.Float32Type:
			return lists[float32]{f.Name, new([][]float32)}, nil
		case *arrow.Float64Type:
			return lists[float64]{f.Name, new([][]float64)}, nil
		}
	}
	return nil, fmt.Errorf("column %.40q is %s", f.Name, f.Type)
}

// cutText quotes a text for one line and cuts what is long.
func cutText(s string) string {
	if len(s) <= shownText {
		return strconv.Quote(s)
	}
	end := shownText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(s[:end]), len(s))
}

// cutList shows the first items of a list.
func cutList[T any](items []T) string {
	if len(items) <= shownItems {
		return fmt.Sprint(items)
	}
	first := fmt.Sprint(items[:shownItems])
	return fmt.Sprintf("%s …] (%d)", first[:len(first)-1], len(items))
}
