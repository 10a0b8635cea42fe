package artifacts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
)

// writeJSONL writes one object per row and line. encoding/json alone would refuse NaN,
// which stands for a missing number, and write null for a list without elements.
func writeJSONL[T any](w io.Writer, rows []T) error {
	buffered := bufio.NewWriter(w)
	t := reflect.TypeFor[T]()
	var line bytes.Buffer
	values := json.NewEncoder(&line)
	values.SetEscapeHTML(false)
	for r := range rows {
		line.Reset()
		row := reflect.ValueOf(&rows[r]).Elem()
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			separator := ","
			if i == 0 {
				separator = "{"
			}
			fmt.Fprintf(&line, "%s%q:", separator, name)
			v := row.Field(i)
			switch {
			case v.Kind() == reflect.Float64 && math.IsNaN(v.Float()):
				line.WriteString("null")
			case v.Kind() == reflect.Slice && v.Len() == 0:
				line.WriteString("[]")
			default:
				if err := values.Encode(v.Interface()); err != nil {
					return fmt.Errorf("write row %d as JSON: %s: %w", r, name, err)
				}
				line.Truncate(line.Len() - 1) // the encoder's newline
			}
		}
		line.WriteString("}\n")
		if _, err := buffered.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// Bounds of a file of rows that anybody may have written.
const (
	maxJSONLine = 64 << 20
	maxJSONRows = 1 << 20
)

// readJSONL reads what writeJSONL wrote; numbers that are null or absent are missing, and keys that no
// field has are passed over. Errors wrap [ErrFormat] or are the reader's own.
func readJSONL[T any](r io.Reader) (rows []T, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), maxJSONLine)
	var blank T
	v := reflect.ValueOf(&blank).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("missing") == "ok" {
			v.Field(i).SetFloat(math.NaN())
		}
	}
	for lines.Scan() {
		if len(rows) == maxJSONRows {
			return nil, fmt.Errorf("more than %d rows: %w", maxJSONRows, ErrFormat)
		}
		row := blank
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("line %d is no row: %v: %w", len(rows)+1, err, ErrFormat)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d is longer than %d bytes: %w", len(rows)+1, maxJSONLine, ErrFormat)
	} else if err != nil {
		return nil, err
	}
	return rows, nil
}
