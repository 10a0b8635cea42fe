package artifacts

import (
	"bufio"
	"bytes"
	"encoding/json"
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
