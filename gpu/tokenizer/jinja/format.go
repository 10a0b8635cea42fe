package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

func formatText(r *run, of value, a args) (value, error) {
	f := &formatter{run: r, args: a}
	return f.format(of.(string), 2)
}

func formatMap(r *run, of value, a args) (value, error) {
	p, err := a.bindPositional("format_map", "mapping")
	if err == nil {
		err = need("format_map", p, 1)
	}
	if err != nil {
		return nil, err
	}
	d, ok := p[0].(*dict)
	if !ok {
		return nil, fmt.Errorf("format_map of a %s", typeName(p[0]))
	}
	named := args{}
	for i, key := range d.keys {
		if s, ok := asText(key); ok {
			named.names, named.named = append(named.names, s), append(named.named, d.values[i])
		}
	}
	if err := r.takeTimes(len(d.keys), 2*elementSize); err != nil {
		return nil, err
	}
	return formatText(r, of, named)
}

// A formatter is the state of a call of str.format.
type formatter struct {
	*run
	args args
	next int  // number of the next {}
	auto bool // {} was used
	own  bool // {0} was used
}

// format writes a format. Formats in formats may be depth deep.
func (f *formatter) format(s string, depth int) (string, error) {
	if depth == 0 {
		return "", errors.New("max string recursion exceeded")
	}
	var b strings.Builder
	add := func(s string) error {
		b.WriteString(s)
		return f.take(len(s))
	}
	for s != "" {
		k := strings.IndexAny(s, "{}")
		if k < 0 {
			k = len(s)
		}
		if err := add(s[:k]); err != nil {
			return "", err
		}
		if s = s[k:]; s == "" {
			break
		}
		if len(s) > 1 && s[1] == s[0] {
			if err := add(s[:1]); err != nil {
				return "", err
			}
			s = s[2:]
			continue
		}
		if s[0] == '}' {
			return "", errors.New("single '}' encountered in format string")
		}
		end := fieldEnd(s)
		if end < 0 {
			return "", errors.New("expected '}' before end of string")
		}
		text, err := f.field(s[1:end], depth)
		if err != nil {
			return "", err
		}
		if err := add(text); err != nil {
			return "", err
		}
		s = s[end+1:]
	}
	return b.String(), nil
}

// fieldEnd returns where the field that begins s ends, or -1. Brackets of an index hide others.
func fieldEnd(s string) int {
	depth, index := 0, false
	for i := range len(s) {
		switch s[i] {
		case '[':
			index = depth == 1
		case ']':
			index = false
		case '{':
			if !index {
				depth++
			}
		case '}':
			if index {
				continue
			}
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// field writes one field: name[!conversion][:spec].
func (f *formatter) field(field string, depth int) (string, error) {
	name, conversion, format := field, "", ""
	for i, bracket := 0, false; i < len(field); i++ {
		c := field[i]
		bracket = bracket && c != ']' || c == '['
		if !bracket && (c == ':' || c == '!') {
			name = field[:i]
			if c == '!' {
				conversion, format, _ = strings.Cut(field[i+1:], ":")
				if conversion == "" || len(field) > i+2 && field[i+2] != ':' {
					return "", fmt.Errorf("conversion of field %q", brief(field))
				}
			} else {
				format = field[i+1:]
			}
			break
		}
	}
	if strings.ContainsAny(name, "{}") {
		return "", fmt.Errorf("field name %q", brief(name))
	}
	v, err := f.value(name)
	if err != nil {
		return "", err
	}
	switch conversion {
	case "":
	case "s":
		v, err = f.str(v)
	case "r":
		v, err = f.repr(v)
	case "a":
		var text string
		if text, err = f.repr(v); err == nil {
			v, err = f.ascii(text)
		}
	default:
		err = fmt.Errorf("unknown conversion specifier %q", brief(conversion))
	}
	if err != nil {
		return "", err
	}
	if format != "" {
		if format, err = f.format(format, depth-1); err != nil {
			return "", err
		}
	}
	return f.formatValue(v, format)
}

// value looks up the value of a field: its argument, then .attributes and [items].
func (f *formatter) value(name string) (value, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	if end == 0 && name != "" {
		return nil, fmt.Errorf("no argument before %q", brief(name))
	}
	v, err := f.argument(name[:end])
	for rest := name[end:]; err == nil && rest != ""; {
		if rest[0] == '.' {
			rest = rest[1:]
			k := strings.IndexAny(rest, ".[")
			if k < 0 {
				k = len(rest)
			}
			if k == 0 {
				return nil, errors.New("empty attribute in format string")
			}
			v, err = f.attribute(v, rest[:k])
			rest = rest[k:]
			continue
		}
		k := strings.IndexByte(rest, ']')
		if rest[0] != '[' || k < 2 {
			return nil, fmt.Errorf("index in field %q", brief(name))
		}
		var key value = rest[1:k]
		if n, err := strconv.ParseInt(rest[1:k], 10, 64); err == nil && rest[1] >= '0' && rest[1] <= '9' {
			key = n
		}
		v, err = f.item(v, key)
		rest = rest[k+1:]
	}
	return v, err
}

func (f *formatter) argument(name string) (value, error) {
	n, err := strconv.Atoi(name)
	switch {
	case name == "":
		n = f.next
		f.next++
		f.auto = true
	case err == nil && n >= 0 && name[0] != '+':
		f.own = true
	default:
		if err := f.step(1 + len(f.args.names)); err != nil {
			return nil, err
		}
		for i, known := range f.args.names {
			if known == name {
				return f.args.named[i], nil
			}
		}
		return nil, fmt.Errorf("no argument %q", brief(name))
	}
	if f.auto && f.own {
		return nil, errors.New("cannot switch between manual field specification and automatic field numbering")
	}
	if n >= len(f.args.positional) {
		return nil, fmt.Errorf("replacement index %d out of range for positional args tuple", n)
	}
	return f.args.positional[n], nil
}

// formatValue is Python's format(v, format).
func (r *run) formatValue(v value, format string) (string, error) {
	if format == "" {
		return r.str(v)
	}
	s, err := parseSpec(format)
	if err != nil {
		return "", err
	}
	if _, isNumber := asFloat(v); isNumber && s.verb == 'n' {
		return "", unsupported("the format n")
	}
	switch v := v.(type) {
	case string:
		return r.formatString(s, v)
	case int64:
		return r.formatInt(s, v)
	case bool:
		if s.verb == 0 {
			return "", unsupported("a format of a bool")
		}
		n, _ := asInt(v)
		return r.formatInt(s, n)
	case float64:
		if strings.IndexByte("\x00eEfFgG%", s.verb) < 0 {
			return "", fmt.Errorf("unknown format code %q for object of type 'float'", s.verb)
		}
		return r.formatFloat(s.numeric(), v)
	case markup:
		return "", unsupported("a format of a text that was made safe")
	}
	return "", fmt.Errorf("unsupported format string passed to %s.__format__", typeName(v))
}

// numeric returns the spec with the alignment of numbers.
func (s spec) numeric() spec {
	if s.align == 0 {
		s.align = '>'
		if s.zero {
			s.align = '='
		}
	}
	if s.fill == "" {
		s.fill = " "
		if s.zero {
			s.fill = "0"
		}
	}
	return s
}

// parseSpec reads [[fill]align][sign][#][0][width][grouping][.precision][type].
func parseSpec(format string) (spec, error) {
	s := spec{precision: -1}
	_, n := utf8.DecodeRuneInString(format)
	if len(format) > n && strings.IndexByte("<>=^", format[n]) >= 0 {
		s.fill, s.align = format[:n], format[n]
		format = format[n+1:]
	} else if strings.IndexByte("<>=^", format[0]) >= 0 {
		s.align, format = format[0], format[1:]
	}
	skip := func(set string) byte {
		if format == "" || strings.IndexByte(set, format[0]) < 0 {
			return 0
		}
		c := format[0]
		format = format[1:]
		return c
	}
	s.sign = skip("+- ")
	if skip("z") != 0 {
		return s, unsupported("the option z of a format")
	}
	s.alternate = skip("#") != 0
	s.zero = skip("0") != 0
	number := func() (int, error) {
		k := 0
		for k < len(format) && '0' <= format[k] && format[k] <= '9' {
			k++
		}
		digits := format[:k]
		format = format[k:]
		if digits == "" {
			return 0, nil
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n > math.MaxInt32 {
			return 0, errBytes
		}
		return n, nil
	}
	var err error
	if s.width, err = number(); err != nil {
		return s, err
	}
	s.grouping = skip(",_")
	if skip(".") != 0 {
		before := format
		if s.precision, err = number(); err != nil {
			return s, err
		}
		if before == format {
			return s, errors.New("format specifier missing precision")
		}
	}
	if len(format) > 1 {
		return s, fmt.Errorf("invalid format specifier %q", brief(format))
	}
	if format != "" {
		s.verb = format[0]
	}
	return s, nil
}

func (r *run) formatString(s spec, v string) (string, error) {
	if s.verb != 0 && s.verb != 's' || s.sign != 0 || s.alternate || s.align == '=' || s.grouping != 0 {
		return "", errors.New("the format is not one for a text")
	}
	if s.precision >= 0 {
		v = sliceText(v, 0, min(s.precision, utf8.RuneCountInString(v)), 1)
	}
	if s.fill == "" {
		s.fill = " "
		if s.zero {
			s.fill = "0"
		}
	}
	return r.padSpec(v, s.width, s.fill, map[byte]int{0: 0, '<': 0, '^': 1, '>': 2}[s.align])
}

func (r *run) formatInt(s spec, n int64) (string, error) {
	switch s.verb {
	case 0, 'd', 'b', 'o', 'x', 'X':
		if s.precision >= 0 {
			return "", errors.New("precision not allowed in integer format specifier")
		}
		digits, prefix := digitsOf(s, n)
		return r.grouped(s.numeric(), prefix, digits)
	case 'c':
		return "", unsupported("the format c")
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return r.formatFloat(s.numeric(), float64(n))
	}
	return "", fmt.Errorf("unknown format code %q for object of type 'int'", s.verb)
}

// grouped writes a number with separators between its digits, if there are any, and pads it.
func (r *run) grouped(s spec, prefix, digits string) (string, error) {
	if s.grouping == 0 {
		return r.signed(s, prefix, digits)
	}
	if s.fill == "0" && s.align == '=' {
		return "", unsupported("zeros in a format with separators")
	}
	size := 3
	switch s.verb {
	case 'b', 'o', 'x', 'X':
		if s.grouping == ',' {
			return "", errors.New("cannot specify ',' with this format")
		}
		size = 4
	}
	whole := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || '9' < c && s.verb != 'x' && s.verb != 'X' })
	if whole < 0 {
		whole = len(digits)
	}
	var b strings.Builder
	for i := range whole {
		if i > 0 && (whole-i)%size == 0 {
			b.WriteByte(s.grouping)
		}
		b.WriteByte(digits[i])
	}
	return r.signed(s, prefix, b.String()+digits[whole:])
}
