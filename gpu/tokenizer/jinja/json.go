package jinja

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// toJSON is Hugging Face's filter tojson: Python's json.dumps.
func toJSON(r *run, in value, a args) (value, error) {
	p, err := a.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	w := jsonWriter{run: r, item: ", ", key: ": "}
	if w.ascii, err = r.truth(or(p[0], false)); err != nil {
		return nil, err
	}
	if w.sorted, err = r.truth(or(p[3], false)); err != nil {
		return nil, err
	}
	if indent := or(p[1], nil); indent != nil {
		w.lines, w.item = true, ","
		if n, ok := asInt(indent); ok {
			if err := r.takeTimes(int(max(n, 0)), 1); err != nil {
				return nil, err
			}
			w.indent = strings.Repeat(" ", int(max(n, 0)))
		} else if w.indent, ok = asText(indent); !ok {
			return nil, fmt.Errorf("tojson: indent is a %s", typeName(indent))
		}
	}
	if separators := or(p[2], nil); separators != nil {
		pair, err := r.collect(separators)
		if err != nil || len(pair) != 2 || !isText(pair[0]) || !isText(pair[1]) {
			return nil, fmt.Errorf("tojson: separators must be two texts")
		}
		w.item, _ = asText(pair[0])
		w.key, _ = asText(pair[1])
	}
	if err := w.value(in, 0); err != nil {
		return nil, fmt.Errorf("tojson: %w", err)
	}
	return w.String(), nil
}

// A jsonWriter writes a value as JSON, paid for.
type jsonWriter struct {
	*run
	strings.Builder
	ascii, sorted, lines bool
	indent, item, key    string
}

func (w *jsonWriter) write(s string) error {
	w.WriteString(s)
	return w.take(len(s))
}

// line begins a line inside depth brackets, if lines are wanted.
func (w *jsonWriter) line(depth int) error {
	if !w.lines {
		return nil
	}
	if err := w.takeTimes(depth, len(w.indent)); err != nil {
		return err
	}
	w.WriteByte('\n')
	for range depth {
		w.WriteString(w.indent)
	}
	return nil
}

func (w *jsonWriter) value(v value, depth int) error {
	if err := w.nest(); err != nil {
		return err
	}
	defer w.unnest()
	if s, ok := asText(v); ok {
		return w.text(s)
	}
	switch v := v.(type) {
	case nil:
		return w.write("null")
	case bool:
		return w.write(strconv.FormatBool(v))
	case int64:
		return w.write(strconv.FormatInt(v, 10))
	case float64:
		return w.write(jsonFloat(v))
	case *list:
		return w.list(v.items, depth)
	case *tuple:
		return w.list(v.items, depth)
	case *dict:
		return w.dict(v, depth)
	}
	return fmt.Errorf("object of type %s is not JSON serializable", typeName(v))
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

func (w *jsonWriter) list(items []value, depth int) error {
	return w.brackets("[", "]", len(items), depth, func(i int) error { return w.value(items[i], depth+1) })
}

// brackets writes n elements between brackets.
func (w *jsonWriter) brackets(open, closing string, n, depth int, element func(i int) error) error {
	if err := w.write(open); err != nil {
		return err
	}
	for i := range n {
		if i > 0 {
			if err := w.write(w.item); err != nil {
				return err
			}
		}
		if err := w.line(depth + 1); err != nil {
			return err
		}
		if err := element(i); err != nil {
			return err
		}
	}
	if n > 0 {
		if err := w.line(depth); err != nil {
			return err
		}
	}
	return w.write(closing)
}

func (w *jsonWriter) dict(d *dict, depth int) error {
	if err := w.takeTimes(len(d.keys), 8); err != nil {
		return err
	}
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	if w.sorted {
		var failed error
		slices.SortStableFunc(order, func(i, j int) int {
			if failed != nil {
				return 0
			}
			c, err := w.order("<", d.keys[i], d.keys[j])
			failed = err
			return c
		})
		if failed != nil {
			return failed
		}
	}
	return w.brackets("{", "}", len(order), depth, func(i int) error {
		k := order[i]
		key, err := jsonKey(d.keys[k])
		if err != nil {
			return err
		}
		if err := w.text(key); err != nil {
			return err
		}
		if err := w.write(w.key); err != nil {
			return err
		}
		return w.value(d.values[k], depth+1)
	})
}

// jsonKey returns a key of a dict as a text.
func jsonKey(key value) (string, error) {
	if s, ok := asText(key); ok {
		return s, nil
	}
	switch key := key.(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(key), nil
	case int64:
		return strconv.FormatInt(key, 10), nil
	case float64:
		return jsonFloat(key), nil
	}
	return "", fmt.Errorf("keys must be str, int, float, bool or None, not %s", typeName(key))
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

// text writes a text in quotes.
func (w *jsonWriter) text(s string) error {
	if err := w.take(len(s) + 2); err != nil {
		return err
	}
	w.WriteByte('"')
	for _, c := range s {
		if c < ' ' || w.ascii {
			if err := w.take(12); err != nil { // the longest escape
				return err
			}
		}
		switch escape, ok := jsonEscapes[c]; {
		case ok:
			w.WriteString(escape)
		case c < ' ' || w.ascii && c >= 0x7f && c < 0x10000 && c != 0x7f:
			fmt.Fprintf(w, `\u%04x`, c)
		case w.ascii && c >= 0x10000:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(w, `\u%04x\u%04x`, high, low)
		case c < utf8.RuneSelf:
			w.WriteByte(byte(c))
		default:
			w.WriteRune(c)
		}
	}
	w.WriteByte('"')
	return nil
}
