package jinja

import (
	"fmt"
	"slices"
)

// A macro is a macro or the body of a call block, with the scope it was defined in.
type macro struct {
	*macroStmt
	around *scope
}

// newMacro pays for a macro.
func (r *run) newMacro(s *macroStmt) (*macro, error) {
	return &macro{s, r.scope}, r.take(objectSize)
}

func (m *macro) attribute(n string) (value, bool, error) {
	switch n {
	case "name":
		if m.name == "" {
			return nil, true, nil
		}
		return m.name, true, nil
	case "arguments":
		t := &tuple{}
		for _, p := range m.params {
			t.items = append(t.items, p)
		}
		return t, true, nil
	case "catch_kwargs":
		return m.usesKwargs, true, nil
	case "catch_varargs":
		return m.usesVarargs, true, nil
	case "caller":
		return m.usesCaller, true, nil
	case "explicit_caller":
		return slices.Contains(m.params, "caller"), true, nil
	}
	return nil, false, nil
}

// call returns what the macro's body writes with the arguments.
func (m *macro) call(r *run, a args) (value, error) {
	title := "a call block"
	if m.name != "" {
		title = "macro " + m.name
	}
	if r.calls++; r.calls > maxCalls {
		return nil, fmt.Errorf("%s: calls are nested more than %d deep", title, maxCalls)
	}
	defer func() { r.calls-- }()
	for s := m.around; s != nil; s = s.around {
		if s.left { // Jinja2 would see what the variables are now
			return nil, unsupported("calling %s after the block that defines it", title)
		}
	}
	var v value
	err := r.inside(m.around, func() error {
		if err := m.bind(r, title, a); err != nil {
			return err
		}
		text, err := r.capture(func() error {
			_, err := r.execBlock(m.body)
			return err
		})
		v = text
		return err
	})
	return v, err
}

// bind sets the parameters in the scope of the call.
func (m *macro) bind(r *run, title string, a args) error {
	named := newDict(0)
	for i, n := range a.names {
		if _, twice := named.text(n); twice {
			return fmt.Errorf("%s: the argument %q is given twice", title, brief(n))
		}
		if err := r.put(named, n, a.named[i]); err != nil {
			return err
		}
	}
	taken := map[string]bool{}
	take := func(n string) (value, bool) {
		v, ok := named.text(n)
		taken[n] = ok
		return v, ok
	}
	positional := min(len(a.positional), len(m.params))
	for i, n := range m.params {
		var v value = missing{}
		if i < positional {
			v = a.positional[i]
		} else if given, ok := take(n); ok {
			v = given
		}
		r.scope.set(n, v)
	}
	if m.usesCaller {
		caller, _ := take("caller")
		if caller == nil {
			caller = &undefined{why: "No caller defined"}
		}
		r.scope.set("caller", caller)
	}
	others := newDict(0)
	for i, key := range named.keys {
		n := key.(string)
		if taken[n] {
			continue
		}
		if !m.usesKwargs {
			return fmt.Errorf("%s takes no keyword argument %q", title, brief(n))
		}
		if err := r.put(others, n, named.values[i]); err != nil {
			return err
		}
	}
	if m.usesKwargs {
		r.scope.set("kwargs", others)
	}
	rest := a.positional[positional:]
	if m.usesVarargs {
		r.scope.set("varargs", &tuple{items: rest})
	} else if len(rest) > 0 {
		return fmt.Errorf("%s takes not more than %d arguments", title, len(m.params))
	}
	for i, n := range m.params {
		if _, ok := r.scope.values[r.scope.find(n)].(missing); !ok {
			continue
		}
		var v value = &undefined{"parameter '%s' was not provided", []any{n}}
		if k := i - (len(m.params) - len(m.defaults)); k >= 0 {
			var err error
			if v, err = r.eval(m.defaults[k]); err != nil {
				return err
			}
		}
		r.scope.set(n, v)
	}
	return nil
}
