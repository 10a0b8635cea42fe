package artifacts

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// encodeRows writes a kind whose content is rows of one struct. more adds facts.
func encodeRows[T any](w io.Writer, kind string, notes map[string]string, more func(facts) error, rows []T) error {
	f := newFacts(kind)
	f.setNotes(notes)
	columns, _ := rowColumns(&rows)
	var err error
	if more != nil {
		err = more(f)
	}
	if err == nil {
		err = encodeTable(w, f, columns)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", kind, err)
	}
	return nil
}

// decodeRows reads what encodeRows wrote; more takes the facts that its counterpart added.
func decodeRows[T any](r io.Reader, kind string, notes *map[string]string, more func(facts) error, rows *[]T) error {
	columns, fill := rowColumns(rows)
	err := decodeTable(r, kind, func(f facts) ([]column, error) {
		*notes = f.notes()
		if more == nil {
			return columns, nil
		}
		return columns, more(f)
	}, nil)
	if err == nil {
		fill()
	}
	return err
}

// rowColumns joins a slice of structs to a table with one column per field, two for a [Further], under the
// field's json name and in the fields' order. A float64 tagged `missing:"ok"` may be NaN.
//
// fill copies the columns that a reader loaded back into the slice. Field types are those
// of the kinds in this package; another type panics, at the first use of its kind.
func rowColumns[T any](rows *[]T) (columns []column, fill func()) {
	var fillers []func(v reflect.Value, i int)
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Type == reflect.TypeFor[Further]() {
			two, filler := furtherColumns(*rows, i, name)
			columns, fillers = append(columns, two...), append(fillers, filler)
			continue
		}
		c, filler := rowColumn(*rows, i, name, field)
		columns = append(columns, c)
		fillers = append(fillers, filler)
	}
	fill = func() {
		*rows = make([]T, columns[0].rows())
		all := reflect.ValueOf(*rows)
		for r := range *rows {
			for i, filler := range fillers {
				filler(all.Index(r).Field(i), r)
			}
		}
	}
	return columns, fill
}

func rowColumn[T any](rows []T, field int, name string, f reflect.StructField) (column, func(reflect.Value, int)) {
	switch reflect.New(f.Type).Interface().(type) {
	case *string:
		v, filler := gather[T, string](rows, field)
		return texts{name, v}, filler
	case *bool:
		v, filler := gather[T, bool](rows, field)
		return bools{name, v}, filler
	case *int32:
		v, filler := gather[T, int32](rows, field)
		return numbers[int32]{name, v, false}, filler
	case *int64:
		v, filler := gather[T, int64](rows, field)
		return numbers[int64]{name, v, false}, filler
	case *uint64:
		v, filler := gather[T, uint64](rows, field)
		return numbers[uint64]{name, v, false}, filler
	case *float64:
		v, filler := gather[T, float64](rows, field)
		return numbers[float64]{name, v, f.Tag.Get("missing") == "ok"}, filler
	case *[]int32:
		v, filler := gather[T, []int32](rows, field)
		return lists[int32]{name, v}, filler
	case *[]float32:
		v, filler := gather[T, []float32](rows, field)
		return lists[float32]{name, v}, filler
	case *[]string:
		v, filler := gather[T, []string](rows, field)
		return textLists{name, v}, filler
	}
	panic(fmt.Sprintf("artifacts: %s has no column type for %s", f.Name, f.Type))
}

// gather copies one field of all rows, and returns how to put a value back into a row.
// Empty lists come back as nil, so that a value equals its copy.
func gather[T, V any](rows []T, field int) (*[]V, func(reflect.Value, int)) {
	values := make([]V, len(rows))
	for i := range rows {
		values[i] = reflect.ValueOf(&rows[i]).Elem().Field(field).Interface().(V)
	}
	return &values, func(to reflect.Value, i int) {
		if v := reflect.ValueOf(values[i]); v.Kind() != reflect.Slice || v.Len() > 0 {
			to.Set(v)
		}
	}
}
