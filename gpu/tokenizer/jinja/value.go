package jinja

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A value is what a template computes with: nil (None), bool, int64, float64, string, markup, *list,
// *tuple, *dict, *view, span, *iterator, *undefined, *namespace, *macro, *function, *loop, *cycler or
// *joiner. Lists and dicts never change: the sandbox lets no template change them.
type value any

// markup is Jinja's Markup: a text that has been made safe for HTML. What is added to it is escaped.
type markup string

// A list is a list of Python.
type list struct{ items []value }

// A tuple is a tuple of Python. Elements of the filter groupby also have names.
type tuple struct {
	items []value
	names []string
}

// A span is a range of Python.
type span struct{ start, stop, step int64 }

func (s span) len() int {
	switch {
	case s.step > 0 && s.start < s.stop:
		return int((s.stop - s.start + s.step - 1) / s.step)
	case s.step < 0 && s.start > s.stop:
		return int((s.start - s.stop - s.step - 1) / -s.step)
	}
	return 0
}

func (s span) at(i int) value { return s.start + int64(i)*s.step }

// An undefined is the value of a name or an item that does not exist. It is false, empty and prints as
// nothing; any other use of it is an error.
type undefined struct {
	why   string // format of the error that using it gives
	names []any
}

// An Undefined is the error of a template that uses a variable which has no value.
type Undefined struct{ Name string }

func (e *Undefined) Error() string { return fmt.Sprintf(noValue, brief(e.Name)) }

const noValue = "'%s' is undefined"

// failure is the error of using it.
func (u *undefined) failure() error {
	if u.why == noValue {
		return &Undefined{u.names[0].(string)}
	}
	names := make([]any, len(u.names))
	for i, n := range u.names {
		if s, ok := n.(string); ok {
			n = brief(s)
		}
		names[i] = n
	}
	return fmt.Errorf(u.why, names...)
}

// brief returns the beginning of a text, for messages.
func brief(s string) string {
	const most = 100
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// A function is a function or method that is built in.
type function struct {
	name string
	call func(r *run, args args) (value, error)
}

// A namespace is what namespace() returns: the one thing whose attributes can be set.
type namespace struct{ attrs *dict }

// asText returns the text that v is.
func asText(v value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// like returns s as a value of the same type as the text v.
func like(v value, s string) value {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

// asInt returns the integer that v is, a bool included.
func asInt(v value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// typeName is the name of v's type in Python, for messages.
func typeName(v value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *dict:
		return "dict"
	case *view:
		return "dict_" + v.what
	case span:
		return "range"
	case *iterator:
		return "generator"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *macro:
		return "Macro"
	case *loop:
		return "LoopContext"
	case *cycler:
		return "Cycler"
	case *joiner:
		return "Joiner"
	}
	return "function"
}

// length returns len(v), and false if v has none.
func (r *run) length(v value) (int, bool, error) {
	if s, ok := asText(v); ok {
		return utf8.RuneCountInString(s), true, r.scan(len(s))
	}
	switch v := v.(type) {
	case *list:
		return len(v.items), true, nil
	case *tuple:
		return len(v.items), true, nil
	case *dict:
		return len(v.keys), true, nil
	case *view:
		return len(v.of.keys), true, nil
	case span:
		return v.len(), true, nil
	case *undefined:
		return 0, true, nil
	case *loop:
		n, err := v.length(r)
		return n, true, err
	}
	return 0, false, nil
}

// truth is Python's bool(v).
func (r *run) truth(v value) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case string:
		return v != "", nil
	case markup:
		return v != "", nil
	}
	n, ok, err := r.length(v)
	return !ok || n > 0, err
}

// A Pair is an entry of a dict that is handed to a template.
type Pair struct {
	Key   string
	Value any
}

// Pairs is a dict that is handed to a template, in its order.
type Pairs []Pair

// fromGo converts a value of the caller's, and returns its size in bytes.
func fromGo(v any) (value, int, error) {
	size := elementSize
	switch v := v.(type) {
	case nil, bool, int64, float64:
		return v, size, nil
	case int:
		return int64(v), size, nil
	case string:
		return v, size + len(v), nil
	case Now:
		return &function{"strftime_now", v.call}, size, nil
	case []any:
		l := &list{make([]value, len(v))}
		for i, item := range v {
			e, n, err := fromGo(item)
			if err != nil {
				return nil, 0, err
			}
			l.items[i], size = e, size+n
		}
		return l, size, nil
	case Pairs:
		d := newDict(len(v))
		for _, p := range v {
			e, n, err := fromGo(p.Value)
			if err != nil {
				return nil, 0, err
			}
			d.set(p.Key, p.Key, e)
			size += n + len(p.Key) + entrySize
		}
		return d, size, nil
	}
	return nil, 0, fmt.Errorf("a %T is not a value of a template", v)
}
