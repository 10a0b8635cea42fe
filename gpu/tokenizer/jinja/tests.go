package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// test applies the test n of "is n".
func (r *run) test(n string, of value, a args) (bool, error) {
	if err := r.scan(len(n)); err != nil {
		return false, err
	}
	f, ok := tests[n]
	if !ok {
		return false, fmt.Errorf("no test named %q", brief(n))
	}
	if err := r.step(1); err != nil {
		return false, err
	}
	holds, err := f(r, of, a)
	if err != nil {
		return false, fmt.Errorf("test %s: %w", n, err)
	}
	return holds, nil
}

type testFunc func(r *run, of value, a args) (bool, error)

var tests map[string]testFunc

// The table is set here, because tests lead back to it.
func init() {
	tests = map[string]testFunc{
		"defined":   plainTest(func(v value) bool { _, ok := v.(*undefined); return !ok }),
		"undefined": plainTest(func(v value) bool { _, ok := v.(*undefined); return ok }),
		"none":      plainTest(func(v value) bool { return v == nil }),
		"boolean":   plainTest(func(v value) bool { _, ok := v.(bool); return ok }),
		"true":      plainTest(func(v value) bool { return v == true }),
		"false":     plainTest(func(v value) bool { return v == false }),
		"integer":   plainTest(func(v value) bool { _, ok := v.(int64); return ok }),
		"float":     plainTest(func(v value) bool { _, ok := v.(float64); return ok }),
		"number":    plainTest(func(v value) bool { _, ok := asFloat(v); return ok }),
		"string":    plainTest(isText),
		"escaped":   plainTest(func(v value) bool { _, ok := v.(markup); return ok }),
		"mapping":   plainTest(func(v value) bool { _, ok := v.(*dict); return ok }),
		"callable":  plainTest(callable),
		"sequence":  plainTest(isSequence),
		"iterable":  plainTest(isIterable),
		"odd":       remainder(1, 2),
		"even":      remainder(0, 2),
		"divisibleby": func(r *run, of value, a args) (bool, error) {
			p, err := a.bind("divisibleby", "num")
			if err == nil {
				err = need("divisibleby", p, 1)
			}
			if err != nil {
				return false, err
			}
			return r.leaves(of, p[0], int64(0))
		},
		"lower": textTest(isLower), "upper": textTest(isUpper),
		"filter": known(func(n string) bool { _, ok := filters[n]; return ok }),
		"test":   known(func(n string) bool { return tests[n] != nil }),
		"sameas": sameAs,
		"in":     compareTest("in"),
	}
	for op, names := range map[string][]string{
		"==": {"==", "eq", "equalto"}, "!=": {"!=", "ne"}, ">": {">", "gt", "greaterthan"}, ">=": {">=", "ge"},
		"<": {"<", "lt", "lessthan"}, "<=": {"<=", "le"},
	} {
		for _, n := range names {
			tests[n] = compareTest(op)
		}
	}
}

// plainTest makes a test without arguments.
func plainTest(f func(value) bool) testFunc {
	return func(_ *run, of value, a args) (bool, error) {
		_, err := a.bind("it")
		return f(of), err
	}
}

func isSequence(v value) bool {
	switch v.(type) {
	case string, markup, *list, *tuple, *dict, span, *undefined:
		return true
	}
	return false
}

func isIterable(v value) bool {
	switch v.(type) {
	case *view, *iterator, *loop:
		return true
	}
	return isSequence(v)
}

// leaves reports whether v % by == rest.
func (r *run) leaves(v, by, rest value) (bool, error) {
	left, err := r.binary("%", v, by)
	if err != nil {
		return false, err
	}
	return r.equal(left, rest)
}

func remainder(rest, by int64) testFunc {
	return func(r *run, of value, a args) (bool, error) {
		if _, err := a.bind("it"); err != nil {
			return false, err
		}
		return r.leaves(of, by, rest)
	}
}

func textTest(f func(rune) bool) testFunc {
	return func(r *run, of value, a args) (bool, error) {
		if _, err := a.bind("it"); err != nil {
			return false, err
		}
		s, err := r.str(of)
		if err == nil {
			err = r.scan(len(s))
		}
		return oneCase(s, f), err
	}
}

// known makes the tests for filters and tests that there are.
func known(f func(string) bool) testFunc {
	return func(r *run, of value, a args) (bool, error) {
		if _, err := a.bind("it"); err != nil {
			return false, err
		}
		if _, err := r.hash(of); err != nil {
			return false, err
		}
		n, _ := asText(of)
		return f(n), nil
	}
}

func compareTest(op string) testFunc {
	return func(r *run, of value, a args) (bool, error) {
		p, err := a.bind(op, "seq")
		if err == nil {
			err = need(op, p, 1)
		}
		if err == nil && op != "in" && len(a.names) > 0 {
			err = errors.New("it takes no keyword arguments")
		}
		if err != nil {
			return false, err
		}
		return r.compare(op, of, p[0])
	}
}

// sameAs is Python's "is". Whether two equal numbers or texts are one object is Python's affair.
func sameAs(_ *run, of value, a args) (bool, error) {
	p, err := a.bind("sameas", "other")
	if err == nil {
		err = need("sameas", p, 1)
	}
	if err != nil || typeName(of) != typeName(p[0]) {
		return false, err
	}
	switch v := of.(type) {
	case nil, bool, *list, *dict, *undefined, *namespace, *macro, *iterator, *loop, *cycler, *joiner:
		return of == p[0], nil
	case string:
		if v != p[0] {
			return false, nil
		}
	case int64:
		if v != p[0] {
			return false, nil
		}
	}
	return false, unsupported("sameas of two equal values of the type %s", strings.ToLower(typeName(of)))
}
