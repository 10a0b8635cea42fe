package jinja

import (
	"fmt"
	"strings"
)

func (e *literal) eval(*run) (value, error) { return e.value, nil }

func (e *nameExpr) eval(r *run) (value, error) { return r.lookup(e.name) }

// evalAll returns the values of expressions, paid for as elements.
func (r *run) evalAll(list []expr) ([]value, error) {
	if err := r.takeTimes(len(list), elementSize); err != nil {
		return nil, err
	}
	values := make([]value, len(list))
	for i, e := range list {
		var err error
		if values[i], err = r.eval(e); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (e *listExpr) eval(r *run) (value, error) {
	items, err := r.evalAll(e.items)
	return &list{items}, err
}

func (e *tupleExpr) eval(r *run) (value, error) {
	items, err := r.evalAll(e.items)
	return &tuple{items: items}, err
}

func (e *dictExpr) eval(r *run) (value, error) {
	d := newDict(0)
	for i := range e.keys {
		key, err := r.eval(e.keys[i])
		if err != nil {
			return nil, err
		}
		v, err := r.eval(e.values[i])
		if err != nil {
			return nil, err
		}
		if err := r.put(d, key, v); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (e *unaryExpr) eval(r *run) (value, error) {
	v, err := r.eval(e.of)
	if err != nil {
		return nil, err
	}
	if e.op == "not" {
		t, err := r.truth(v)
		return !t, err
	}
	return negate(e.op, v)
}

func (e *binaryExpr) eval(r *run) (value, error) {
	left, err := r.eval(e.left)
	if err != nil {
		return nil, err
	}
	if e.op == "and" || e.op == "or" {
		if t, err := r.truth(left); err != nil || t == (e.op == "or") {
			return left, err
		}
		return r.eval(e.right)
	}
	right, err := r.eval(e.right)
	if err != nil {
		return nil, err
	}
	return r.binary(e.op, left, right)
}

func (e *concatExpr) eval(r *run) (value, error) {
	parts, err := r.evalAll(e.parts)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		if texts[i], err = r.str(p); err != nil {
			return nil, err
		}
		if err := r.take(len(texts[i])); err != nil {
			return nil, err
		}
	}
	return strings.Join(texts, ""), nil
}

func (e *compareExpr) eval(r *run) (value, error) {
	left, err := r.eval(e.first)
	if err != nil {
		return nil, err
	}
	for i, op := range e.ops {
		right, err := r.eval(e.rest[i])
		if err != nil {
			return nil, err
		}
		if holds, err := r.compare(op, left, right); err != nil || !holds {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (e *condExpr) eval(r *run) (value, error) {
	test, err := r.eval(e.test)
	if err != nil {
		return nil, err
	}
	holds, err := r.truth(test)
	switch {
	case err != nil:
		return nil, err
	case holds:
		return r.eval(e.then)
	case e.otherwise == nil:
		return &undefined{"the inline if-expression on line %d evaluated to false and no else section was defined.", []any{e.line}}, nil
	}
	return r.eval(e.otherwise)
}

func (e *attrExpr) eval(r *run) (value, error) {
	of, err := r.eval(e.of)
	if err != nil {
		return nil, err
	}
	return r.attribute(of, e.name)
}

func (e *itemExpr) eval(r *run) (value, error) {
	of, err := r.eval(e.of)
	if err != nil {
		return nil, err
	}
	key, err := r.eval(e.key)
	if err != nil {
		return nil, err
	}
	return r.item(of, key)
}

func (e *sliceExpr) eval(r *run) (value, error) {
	of, err := r.eval(e.of)
	if err != nil {
		return nil, err
	}
	var bounds [3]value
	for i, b := range []expr{e.start, e.stop, e.step} {
		if b == nil {
			continue
		}
		if bounds[i], err = r.eval(b); err != nil {
			return nil, err
		}
	}
	return r.slice(of, bounds[0], bounds[1], bounds[2])
}

// args returns the values of arguments.
func (r *run) args(of arguments) (args, error) {
	var a args
	var err error
	if a.positional, err = r.evalAll(of.positional); err != nil {
		return a, err
	}
	if a.named, err = r.evalAll(of.named); err != nil {
		return a, err
	}
	a.names = of.names
	if of.rest != nil {
		v, err := r.eval(of.rest)
		if err != nil {
			return a, err
		}
		more, err := r.collect(v)
		if err != nil {
			return a, err
		}
		a.positional = append(a.positional, more...)
	}
	if of.other != nil {
		v, err := r.eval(of.other)
		if err != nil {
			return a, err
		}
		d, ok := v.(*dict)
		if !ok {
			return a, fmt.Errorf("argument after ** must be a mapping, not %s", typeName(v))
		}
		if err := r.takeTimes(len(d.keys), 2*elementSize); err != nil {
			return a, err
		}
		a.names = a.names[:len(a.names):len(a.names)]
		for i, key := range d.keys {
			n, ok := asText(key)
			if !ok {
				return a, fmt.Errorf("keywords must be strings")
			}
			a.names, a.named = append(a.names, n), append(a.named, d.values[i])
		}
	}
	return a, nil
}

// withArgs returns the values of an expression and of the arguments behind it.
func (r *run) withArgs(of expr, list arguments) (value, args, error) {
	v, err := r.eval(of)
	if err != nil {
		return nil, args{}, err
	}
	a, err := r.args(list)
	return v, a, err
}

func (e *callExpr) eval(r *run) (value, error) {
	of, a, err := r.withArgs(e.of, e.args)
	if err != nil {
		return nil, err
	}
	return r.call(of, a)
}

func (e *filterExpr) eval(r *run) (value, error) {
	if e.of == nil {
		return nil, fmt.Errorf("a filter without a value")
	}
	of, a, err := r.withArgs(e.of, e.args)
	if err != nil {
		return nil, err
	}
	return r.filter(e.name, of, a)
}

func (e *testExpr) eval(r *run) (value, error) {
	of, a, err := r.withArgs(e.of, e.args)
	if err != nil {
		return nil, err
	}
	return r.test(e.name, of, a)
}
