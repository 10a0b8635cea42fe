package jinja

import (
	"fmt"
	"slices"
)

// args are the values of a call's arguments.
type args struct {
	positional []value
	names      []string // of named
	named      []value
}

// A missing stands for an argument that is not given, and for a variable without a value.
type missing struct{}

// bind returns the arguments in the order of the parameters, missing for those that are not given.
// function is for messages.
func (a args) bind(function string, params ...string) ([]value, error) {
	if len(a.positional) > len(params) {
		return nil, fmt.Errorf("%s takes at most %d arguments, not %d", function, len(params), len(a.positional))
	}
	bound := make([]value, len(params))
	for i := range bound {
		bound[i] = missing{}
	}
	copy(bound, a.positional)
	for i, n := range a.names {
		k := slices.Index(params, n)
		if k < 0 {
			return nil, fmt.Errorf("%s has no argument %q", function, brief(n))
		}
		if _, free := bound[k].(missing); !free {
			return nil, fmt.Errorf("%s: the argument %q is given twice", function, brief(n))
		}
		bound[k] = a.named[i]
	}
	return bound, nil
}

// bindPositional is bind for methods whose arguments have no names.
func (a args) bindPositional(function string, params ...string) ([]value, error) {
	if len(a.names) > 0 {
		return nil, fmt.Errorf("%s takes no keyword arguments", function)
	}
	return a.bind(function, params...)
}

// or returns v, or the default if it is missing.
func or(v, otherwise value) value {
	if _, ok := v.(missing); ok {
		return otherwise
	}
	return v
}

// need returns an error if the first n of bound are not all given.
func need(function string, bound []value, n int) error {
	for _, v := range bound[:n] {
		if _, ok := v.(missing); ok {
			return fmt.Errorf("%s misses an argument", function)
		}
	}
	return nil
}

// integerArg returns v as a whole number that is used as a size or a position.
func integerArg(function string, v value) (int, error) {
	n, ok := asInt(v)
	if !ok {
		if u, ok := v.(*undefined); ok {
			return 0, u.failure()
		}
		return 0, fmt.Errorf("%s: '%s' object cannot be interpreted as an integer", function, typeName(v))
	}
	return int(n), nil
}

// textArg returns v as a text.
func textArg(function string, v value) (string, error) {
	s, ok := asText(v)
	if !ok {
		return "", fmt.Errorf("%s: a text is needed, not %s", function, typeName(v))
	}
	return s, nil
}

// call calls a value.
func (r *run) call(of value, a args) (value, error) {
	switch f := of.(type) {
	case *function:
		if err := r.step(1); err != nil {
			return nil, err
		}
		return f.call(r, a)
	case *macro:
		return f.call(r, a)
	case *loop:
		p, err := a.bind("loop", "iterable")
		if err != nil {
			return nil, err
		}
		if err := need("loop", p, 1); err != nil {
			return nil, err
		}
		if f.recurse == nil {
			return nil, fmt.Errorf("the loop must have the 'recursive' marker to be called recursively")
		}
		return f.recurse(p[0], f.depth0+1)
	case *joiner:
		if _, err := a.bind("joiner"); err != nil {
			return nil, err
		}
		if !f.used {
			f.used = true
			return "", nil
		}
		return f.separator, nil
	case *undefined:
		return nil, f.failure()
	}
	return nil, fmt.Errorf("'%s' object is not callable", typeName(of))
}

// callable is Python's callable(v).
func callable(v value) bool {
	switch v.(type) {
	case *function, *macro, *loop, *joiner, *undefined:
		return true
	}
	return false
}
