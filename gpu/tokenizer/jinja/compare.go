package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// equal is Python's ==.
func (r *run) equal(a, b value) (bool, error) {
	if x, ok := asText(a); ok {
		y, ok := asText(b)
		return ok && x == y, r.scan(min(len(x), len(y)))
	}
	if _, ok := asFloat(a); ok {
		if _, ok := asFloat(b); !ok {
			return false, nil
		}
		c, ordered := numbers(a, b)
		return ordered && c == 0, nil
	}
	if err := r.nest(); err != nil {
		return false, err
	}
	defer r.unnest()
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *list:
		b, ok := b.(*list)
		return r.equalItems(ok, func() ([]value, []value) { return a.items, b.items })
	case *tuple:
		b, ok := b.(*tuple)
		return r.equalItems(ok, func() ([]value, []value) { return a.items, b.items })
	case *dict:
		b, ok := b.(*dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false, nil
		}
		for i, key := range a.keys {
			other, ok, err := r.get(b, key)
			if err != nil || !ok {
				return false, err
			}
			if same, err := r.same(a.values[i], other); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case span:
		b, ok := b.(span)
		n := a.len()
		return ok && n == b.len() && (n == 0 || a.start == b.start && (n == 1 || a.step == b.step)), nil
	case *view:
		if isKeys(a) && isKeys(b) {
			return false, unsupported("comparing keys or items")
		}
	}
	return a == b, nil
}

func (r *run) equalItems(ok bool, items func() ([]value, []value)) (bool, error) {
	if !ok {
		return false, nil
	}
	a, b := items()
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if same, err := r.same(a[i], b[i]); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// same is Python's "is or ==", by which elements are compared.
func (r *run) same(a, b value) (bool, error) {
	if err := r.step(1); err != nil {
		return false, err
	}
	switch a.(type) {
	case *list, *tuple, *dict:
		if a == b {
			return true, nil
		}
	}
	return r.equal(a, b)
}

// numbers compares two numbers and reports whether they have an order.
func numbers(a, b value) (int, bool) {
	x, aFloat := a.(float64)
	y, bFloat := b.(float64)
	switch {
	case aFloat && bFloat:
		return cmp.Compare(x, y), x == x && y == y
	case aFloat:
		c, ok := numbers(b, a)
		return -c, ok
	case bFloat:
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return -cmp.Compare(y, 0), !math.IsNaN(y)
		}
		n, _ := asInt(a)
		return new(big.Float).SetInt64(n).Cmp(big.NewFloat(y)), true
	}
	m, _ := asInt(a)
	n, _ := asInt(b)
	return cmp.Compare(m, n), true
}

var errNaN = errors.New("nan has no order")

// order compares two values that have an order, as Python's < does.
func (r *run) order(op string, a, b value) (int, error) {
	for _, v := range []value{a, b} {
		if u, ok := v.(*undefined); ok {
			return 0, u.failure()
		}
	}
	if x, ok := asText(a); ok {
		if y, ok := asText(b); ok {
			return strings.Compare(x, y), r.scan(min(len(x), len(y)))
		}
	}
	if _, ok := asFloat(a); ok {
		if _, ok := asFloat(b); ok {
			c, ordered := numbers(a, b)
			if !ordered {
				return 0, errNaN
			}
			return c, nil
		}
	}
	switch x := a.(type) {
	case *list:
		if y, ok := b.(*list); ok {
			return r.orderItems(op, x.items, y.items)
		}
	case *tuple:
		if y, ok := b.(*tuple); ok {
			return r.orderItems(op, x.items, y.items)
		}
	case *view:
		if isKeys(a) {
			return 0, unsupported("comparing keys or items")
		}
	}
	return 0, fmt.Errorf("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
}

func (r *run) orderItems(op string, a, b []value) (int, error) {
	if err := r.nest(); err != nil {
		return 0, err
	}
	defer r.unnest()
	for i := range min(len(a), len(b)) {
		same, err := r.same(a[i], b[i])
		if err != nil {
			return 0, err
		}
		if !same {
			return r.order(op, a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b)), nil
}

// compare computes a op b for an operator of comparison.
func (r *run) compare(op string, a, b value) (bool, error) {
	switch op {
	case "==", "!=":
		same, err := r.equal(a, b)
		return same == (op == "=="), err
	case "in", "not in":
		found, err := r.contains(b, a)
		return found == (op == "in"), err
	}
	c, err := r.order(op, a, b)
	if errors.Is(err, errNaN) {
		return false, nil
	}
	switch op {
	case "<":
		return c < 0, err
	case "<=":
		return c <= 0, err
	case ">":
		return c > 0, err
	}
	return c >= 0, err
}

// contains is Python's "v in in".
func (r *run) contains(in, v value) (bool, error) {
	if s, ok := asText(in); ok {
		part, ok := asText(v)
		if !ok {
			return false, fmt.Errorf("'in <string>' requires string as left operand, not %s", typeName(v))
		}
		return strings.Contains(s, part), r.scan(len(s))
	}
	switch in := in.(type) {
	case *dict:
		_, ok, err := r.get(in, v)
		return ok, err
	case *view:
		if in.what == "keys" {
			_, ok, err := r.get(in.of, v)
			return ok, err
		}
	}
	if n, ok := asInt(v); ok {
		if s, ok := in.(span); ok {
			k := n - s.start
			return s.len() > 0 && k%s.step == 0 && k/s.step >= 0 && k/s.step < int64(s.len()), nil
		}
	}
	it, err := r.iterate(in)
	if err != nil {
		return false, fmt.Errorf("argument of type '%s' is not iterable", typeName(in))
	}
	for {
		e, ok, err := it.next()
		if err != nil || !ok {
			return false, err
		}
		if same, err := r.same(e, v); err != nil || same {
			return same, err
		}
	}
}
