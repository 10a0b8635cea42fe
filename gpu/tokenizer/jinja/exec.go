package jinja

import (
	"fmt"
	"strings"
)

func (s textStmt) exec(r *run) (signal, error) { return proceed, r.write(s.text) }

func (s outputStmt) exec(r *run) (signal, error) {
	v, err := r.eval(s.of)
	if err != nil {
		return proceed, err
	}
	text, err := r.str(v)
	if err != nil {
		return proceed, err
	}
	return proceed, r.write(text)
}

func (s ifStmt) exec(r *run) (signal, error) {
	for i, test := range s.tests {
		v, err := r.eval(test)
		if err != nil {
			return proceed, err
		}
		holds, err := r.truth(v)
		if err != nil {
			return proceed, err
		}
		if holds {
			return r.execAll(s.bodies[i])
		}
	}
	return r.execAll(s.other)
}

func (s loopStmt) exec(*run) (signal, error) { return s.signal, nil }

// assign assigns v to a target.
func (r *run) assign(t target, v value) error {
	if !t.tuple {
		if t.attr != "" {
			return r.assignAttribute(t, v)
		}
		r.scope.set(t.name, v)
		return r.step(1)
	}
	it, err := r.iterate(v)
	if err != nil {
		return fmt.Errorf("cannot unpack: %w", err)
	}
	values := make([]value, 0, len(t.parts))
	for {
		e, ok, err := it.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if len(values) == len(t.parts) {
			return fmt.Errorf("too many values to unpack (expected %d)", len(t.parts))
		}
		values = append(values, e)
	}
	if len(values) < len(t.parts) {
		return fmt.Errorf("not enough values to unpack (expected %d, got %d)", len(t.parts), len(values))
	}
	for i, part := range t.parts {
		if err := r.assign(part, values[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) assignAttribute(t target, v value) error {
	of, err := r.lookup(t.name)
	if err != nil {
		return err
	}
	ns, ok := of.(*namespace)
	if !ok {
		return errNamespace
	}
	if err := namespaceName(t.attr); err != nil {
		return err
	}
	return r.put(ns.attrs, t.attr, v)
}

var errNamespace = fmt.Errorf("cannot assign attribute on non-namespace object")

// checkNamespaces returns an error if a target is an attribute of anything but a namespace.
func (r *run) checkNamespaces(t target) error {
	for _, part := range t.parts {
		if err := r.checkNamespaces(part); err != nil {
			return err
		}
	}
	if t.tuple || t.attr == "" {
		return nil
	}
	of, err := r.lookup(t.name)
	if _, ok := of.(*namespace); err == nil && !ok {
		err = errNamespace
	}
	return err
}

func (s setStmt) exec(r *run) (signal, error) {
	if err := r.checkNamespaces(s.target); err != nil {
		return proceed, err
	}
	v, err := r.eval(s.of)
	if err != nil {
		return proceed, err
	}
	return proceed, r.assign(s.target, v)
}

func (s setBlockStmt) exec(r *run) (signal, error) {
	v, sig, err := r.filtered(s.body, s.filter)
	if err != nil || sig != proceed {
		return sig, err
	}
	return proceed, r.assign(s.target, v)
}

// filtered returns what a block writes, in a scope of its own, with filters applied to it.
func (r *run) filtered(body *block, filter expr) (v value, sig signal, err error) {
	err = r.inside(r.scope, func() error {
		text, err := r.capture(func() (err error) {
			sig, err = r.execBlock(body)
			return err
		})
		if err != nil || sig != proceed {
			return err
		}
		v, err = r.applyFilters(filter, text)
		return err
	})
	return v, sig, err
}

// applyFilters applies the filters of a block to its text.
func (r *run) applyFilters(e expr, text string) (value, error) {
	f, ok := e.(*filterExpr)
	if !ok {
		return text, nil
	}
	v, err := r.applyFilters(f.of, text)
	if err != nil {
		return nil, err
	}
	a, err := r.args(f.args)
	if err != nil {
		return nil, err
	}
	return r.filter(f.name, v, a)
}

func (s filterStmt) exec(r *run) (signal, error) {
	v, sig, err := r.filtered(s.body, s.filter)
	if err != nil || sig != proceed {
		return sig, err
	}
	return proceed, r.writeText("filter", v)
}

// writeText writes what a block gives, which must be a text.
func (r *run) writeText(block string, v value) error {
	text, ok := asText(v)
	if !ok {
		return fmt.Errorf("the block %s gives a %s, not a text", block, typeName(v))
	}
	return r.write(text)
}

func (s withStmt) exec(r *run) (signal, error) {
	var sig signal
	outer := r.scope
	err := r.inside(outer, func() (err error) {
		inner := r.scope
		for i, t := range s.targets {
			r.scope = outer // values do not see the variables of the with
			v, err := r.eval(s.values[i])
			r.scope = inner
			if err != nil {
				return err
			}
			if err := r.assign(t, v); err != nil {
				return err
			}
		}
		sig, err = r.execBlock(s.body)
		return err
	})
	return sig, err
}

func (s *macroStmt) exec(r *run) (signal, error) {
	m, err := r.newMacro(s)
	if err != nil {
		return proceed, err
	}
	r.scope.set(s.name, m)
	return proceed, nil
}

func (s callStmt) exec(r *run) (signal, error) {
	caller, err := r.newMacro(s.macro)
	if err != nil {
		return proceed, err
	}
	of, a, err := r.withArgs(s.call.of, s.call.args)
	if err != nil {
		return proceed, err
	}
	a.names = append(a.names[:len(a.names):len(a.names)], "caller")
	a.named = append(a.named, caller)
	v, err := r.call(of, a)
	if err != nil {
		return proceed, err
	}
	return proceed, r.writeText("call", v)
}

func (s generationStmt) exec(r *run) (signal, error) {
	m, err := r.newMacro(s.macro)
	if err != nil {
		return proceed, err
	}
	v, err := m.call(r, args{})
	if err != nil {
		return proceed, err
	}
	return proceed, r.writeText("generation", v)
}

func namespaceName(n string) error {
	if strings.HasPrefix(n, "_") {
		return fmt.Errorf("the attribute %q of a namespace begins with an underscore", brief(n))
	}
	return nil
}
