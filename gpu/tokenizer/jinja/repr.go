package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str(v).
func (r *run) str(v value) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case markup:
		return string(v), nil
	case *undefined:
		return "", nil
	}
	return r.repr(v)
}

// repr is Python's repr(v).
func (r *run) repr(v value) (string, error) {
	p := printer{run: r}
	err := p.print(v)
	return p.String(), err
}

// A printer writes the repr of values, paid for.
type printer struct {
	*run
	strings.Builder
	inside []*namespace
}

func (p *printer) write(s string) error {
	p.WriteString(s)
	return p.take(len(s))
}

func (p *printer) print(v value) error {
	if err := p.nest(); err != nil {
		return err
	}
	defer p.unnest()
	switch v := v.(type) {
	case nil:
		return p.write("None")
	case bool:
		if v {
			return p.write("True")
		}
		return p.write("False")
	case int64:
		return p.write(strconv.FormatInt(v, 10))
	case float64:
		return p.write(floatText(v))
	case string:
		return p.quote(v)
	case markup:
		return p.around("Markup(", ")", func() error { return p.quote(string(v)) })
	case *undefined:
		return p.write("Undefined")
	case *list:
		return p.around("[", "]", func() error { return p.items(v.items) })
	case *tuple:
		if len(v.items) == 1 {
			return p.around("(", ",)", func() error { return p.items(v.items) })
		}
		return p.around("(", ")", func() error { return p.items(v.items) })
	case *dict:
		return p.dict(v)
	case *view:
		return p.around("dict_"+v.what+"([", "])", func() error {
			for i := range v.of.keys {
				if err := p.item(i, v.at(i)); err != nil {
					return err
				}
			}
			return nil
		})
	case span:
		if v.step == 1 {
			return p.write(fmt.Sprintf("range(%d, %d)", v.start, v.stop))
		}
		return p.write(fmt.Sprintf("range(%d, %d, %d)", v.start, v.stop, v.step))
	case *namespace:
		for _, n := range p.inside {
			if n == v {
				return p.write("<Namespace {...}>")
			}
		}
		p.inside = append(p.inside, v)
		defer func() { p.inside = p.inside[:len(p.inside)-1] }()
		return p.around("<Namespace ", ">", func() error { return p.dict(v.attrs) })
	case *macro:
		if v.name == "" {
			return p.write("<Macro anonymous>")
		}
		return p.around("<Macro ", ">", func() error { return p.quote(v.name) })
	case *loop:
		n, err := v.length(p.run)
		if err != nil {
			return err
		}
		return p.write(fmt.Sprintf("<LoopContext %d/%d>", v.index0+1, n))
	}
	return unsupported("printing a %s, which Jinja2 prints with its address,", typeName(v))
}

func (p *printer) around(before, after string, f func() error) error {
	if err := p.write(before); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return p.write(after)
}

// item writes element i of a list.
func (p *printer) item(i int, v value) error {
	if i > 0 {
		if err := p.write(", "); err != nil {
			return err
		}
	}
	return p.print(v)
}

func (p *printer) items(items []value) error {
	for i, v := range items {
		if err := p.item(i, v); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) dict(d *dict) error {
	return p.around("{", "}", func() error {
		for i, key := range d.keys {
			if err := p.item(i, key); err != nil {
				return err
			}
			if err := p.write(": "); err != nil {
				return err
			}
			if err := p.print(d.values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// quote writes a text in quotes: single ones unless the text has single quotes and no double ones.
func (p *printer) quote(s string) error {
	if err := p.take(2*len(s) + 2); err != nil {
		return err
	}
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	var b strings.Builder
	b.WriteByte(mark)
	for _, c := range s {
		if c < ' ' || c > '~' {
			if err := p.take(10); err != nil { // the longest escape
				return err
			}
		}
		switch {
		case c == rune(mark) || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	b.WriteByte(mark)
	p.WriteString(b.String())
	return nil
}

// floatText is Python's repr of a float: the shortest decimal that reads back as the same, with an
// exponent below 1e-4 and from 1e16 on.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		if f > 0 {
			return "inf"
		}
		return "-inf"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// ascii replaces what is not ASCII in a repr by escapes, as Python's ascii does.
func (r *run) ascii(s string) (string, error) {
	if err := r.takeTimes(len(s), 5); err != nil { // two bytes may become six
		return "", err
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case c < utf8.RuneSelf:
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	return b.String(), nil
}
