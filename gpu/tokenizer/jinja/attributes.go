package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// attribute is what a.name gives: the attribute, else the item under that name, else undefined.
func (r *run) attribute(of value, n string) (value, error) {
	v, ok, err := r.ownAttribute(of, n)
	if ok || err != nil {
		return v, err
	}
	if d, ok := of.(*dict); ok {
		if v, ok := d.text(n); ok {
			return v, nil
		}
	}
	return noAttribute(of, n), nil
}

func noAttribute(of value, n string) *undefined {
	return &undefined{"'%s' object has no attribute '%s'", []any{typeName(of), n}}
}

// item is what a[key] gives: the item, else the attribute of that name, else undefined.
func (r *run) item(of, key value) (value, error) {
	if u, ok := of.(*undefined); ok {
		return nil, u.failure()
	}
	v, ok, err := r.ownItem(of, key)
	if ok || err != nil {
		return v, err
	}
	n, isName := asText(key)
	if !isName {
		return &undefined{"%s object has no such element", []any{typeName(of)}}, nil
	}
	if v, ok, err = r.ownAttribute(of, n); ok || err != nil {
		return v, err
	}
	return noAttribute(of, n), nil
}

// ownItem looks an item up, and returns false if there is none.
func (r *run) ownItem(of, key value) (value, bool, error) {
	if d, ok := of.(*dict); ok {
		switch key.(type) {
		case *list, *dict, *view:
			return nil, false, nil // cannot be a key
		}
		return r.get(d, key)
	}
	i, ok := asInt(key)
	if !ok {
		return nil, false, nil
	}
	if s, ok := asText(of); ok {
		c, ok, err := r.character(s, i)
		return like(of, c), ok, err
	}
	switch of.(type) {
	case *list, *tuple, span:
	default:
		return nil, false, nil
	}
	n, _, err := r.length(of)
	if i < 0 {
		i += int64(n)
	}
	if err != nil || i < 0 || i >= int64(n) {
		return nil, false, err
	}
	v, _ := at(of, int(i))
	return v, true, nil
}

// character returns character i of a text, counted from its end if i is negative.
func (r *run) character(s string, i int64) (string, bool, error) {
	if err := r.scan(len(s)); err != nil {
		return "", false, err
	}
	if i < 0 {
		i += int64(utf8.RuneCountInString(s))
	}
	for ; i >= 0 && s != ""; i-- {
		_, n := utf8.DecodeRuneInString(s)
		if i == 0 {
			return s[:n], true, nil
		}
		s = s[n:]
	}
	return "", false, nil
}

// unsafeAttributes are methods that the sandbox knows to change what they belong to.
var unsafeAttributes = map[string][]string{
	"list": {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"},
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
}

// foreignAttributes are those that Python's types have and this package does not.
var foreignAttributes = map[string][]string{
	"str":       {"encode", "maketrans", "translate"},
	"Markup":    {"encode", "maketrans", "translate", "escape", "unescape", "striptags", "format", "format_map", "join"},
	"int":       {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag", "numerator", "real", "to_bytes"},
	"bool":      {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag", "numerator", "real", "to_bytes"},
	"float":     {"as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"},
	"generator": {"close", "gi_code", "gi_frame", "gi_running", "gi_suspended", "gi_yieldfrom", "send", "throw"},
	"dict_keys": {"isdisjoint", "mapping"}, "dict_items": {"isdisjoint", "mapping"}, "dict_values": {"mapping"},
	"range": {"count", "index"},
}

// ownAttribute looks an attribute up, and returns false if there is none.
func (r *run) ownAttribute(of value, n string) (value, bool, error) {
	kind := typeName(of)
	if err := r.scan(8 * len(n)); err != nil { // it is looked for in several tables
		return nil, false, err
	}
	if strings.HasPrefix(n, "__") && strings.HasSuffix(n, "__") {
		if _, ok := of.(*undefined); ok {
			return nil, false, unsupported("the attribute %s of what is undefined", n)
		}
		if d, ok := of.(*dict); ok {
			if _, ok := d.text(n); ok {
				return nil, false, unsupported("the attribute %s of a dict", n)
			}
		}
		return unsafe(kind, n), true, nil
	}
	if slices.Contains(unsafeAttributes[kind], n) {
		return unsafe(kind, n), true, nil
	}
	if slices.Contains(foreignAttributes[kind], n) {
		return nil, false, unsupported("the attribute %s of a %s", n, kind)
	}
	var methods map[string]method
	switch of := of.(type) {
	case *undefined:
		return nil, false, of.failure()
	case string, markup:
		methods = textMethods
	case *list:
		methods = listMethods
	case *tuple:
		if k := slices.Index(of.names, n); k >= 0 {
			return of.items[k], true, nil
		}
		methods = tupleMethods
	case *dict:
		methods = dictMethods
	case *namespace:
		v, ok := of.attrs.text(n)
		return v, ok, nil
	case span:
		switch n {
		case "start":
			return of.start, true, nil
		case "stop":
			return of.stop, true, nil
		case "step":
			return of.step, true, nil
		}
	case *loop:
		return of.attribute(r, n)
	case *macro:
		return of.attribute(n)
	case *cycler:
		return of.attribute(n)
	case *joiner:
		return of.attribute(n)
	case *function:
		if of.name == "dict" && n == "fromkeys" {
			methods = dictMethods
		}
	}
	m, ok := methods[n]
	if !ok {
		return nil, false, nil
	}
	return &function{n, func(r *run, a args) (value, error) {
		v, err := m(r, of, a)
		if err != nil {
			err = fmt.Errorf("%s: %w", n, err)
		}
		return v, err
	}}, true, r.step(1)
}

func unsafe(kind, n string) *undefined {
	return &undefined{"access to attribute '%s' of '%s' object is unsafe", []any{n, kind}}
}

// slice is of[start:stop:step] with bounds that may be nil.
func (r *run) slice(of, start, stop, step value) (value, error) {
	if u, ok := of.(*undefined); ok {
		return nil, u.failure()
	}
	n, sized, err := r.length(of)
	if err != nil {
		return nil, err
	}
	switch of.(type) {
	case string, markup, *list, *tuple, span:
	default:
		sized = false
	}
	if !sized { // an error in Jinja2, except for a constant
		return nil, unsupported("a slice of a %s", typeName(of))
	}
	from, count, by, err := sliceBounds(n, start, stop, step)
	if err != nil {
		return nil, err
	}
	if s, ok := asText(of); ok {
		size := len(s) + elementSize
		if by != 1 {
			size *= 5 // as runes
		}
		if err := r.take(size); err != nil {
			return nil, err
		}
		return like(of, sliceText(s, from, count, by)), nil
	}
	if s, ok := of.(span); ok {
		first := s.start + int64(from)*s.step
		if count == 0 {
			return nil, unsupported("an empty part of a range")
		}
		if by > 1<<32 || by < -1<<32 {
			return nil, errInteger
		}
		return span{first, first + int64(count)*s.step*int64(by), s.step * int64(by)}, nil
	}
	if err := r.takeTimes(count, elementSize); err != nil {
		return nil, err
	}
	items := make([]value, count)
	for i := range items {
		items[i], _ = at(of, from+i*by)
	}
	if _, ok := of.(*list); ok {
		return &list{items}, nil
	}
	return &tuple{items: items}, nil
}

// sliceBounds returns where a slice of a sequence of length n begins, how many elements it has, and its step.
func sliceBounds(n int, start, stop, step value) (from, count, by int, err error) {
	bound := func(v value, otherwise int) int {
		if v == nil {
			return otherwise
		}
		i, ok := asInt(v)
		if !ok {
			err = fmt.Errorf("slice indices must be integers or None, not %s", typeName(v))
		}
		if i < 0 {
			i = max(i+int64(n), -1)
		}
		return int(min(i, int64(n)))
	}
	by = 1
	if step != nil {
		k, ok := asInt(step)
		if !ok || k == 0 {
			return 0, 0, 0, fmt.Errorf("slice step must be an integer other than zero")
		}
		by = int(min(max(k, -1<<40), 1<<40))
	}
	if by > 0 {
		from, stopAt := max(bound(start, 0), 0), max(bound(stop, n), 0)
		return from, max((stopAt-from+by-1)/by, 0), by, err
	}
	from = min(bound(start, n-1), n-1)
	stopAt := bound(stop, -1)
	return from, max((from-stopAt-by-1)/-by, 0), by, err
}

// byteOffset returns where character i of s begins.
func byteOffset(s string, i int) int {
	at := 0
	for ; i > 0 && at < len(s); i-- {
		_, n := utf8.DecodeRuneInString(s[at:])
		at += n
	}
	return at
}

// sliceText returns count characters of s, every by-th from the one at from.
func sliceText(s string, from, count, by int) string {
	if count == 0 {
		return ""
	}
	if by == 1 {
		s = s[byteOffset(s, from):]
		return s[:byteOffset(s, count)]
	}
	var b strings.Builder
	runes := []rune(s)
	for i := range count {
		b.WriteRune(runes[from+i*by])
	}
	return b.String()
}
