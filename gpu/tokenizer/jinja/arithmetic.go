package jinja

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strings"
)

var (
	errZero    = errors.New("division by zero")
	errInteger = unsupported("an integer beyond 64 bits")
)

// binary computes left op right for an operator of arithmetic.
func (r *run) binary(op string, left, right value) (value, error) {
	if op == "-" && (isKeys(left) || isKeys(right)) {
		return nil, unsupported("the difference of keys or items")
	}
	for _, v := range []value{left, right} {
		if u, ok := v.(*undefined); ok && !(op == "%" && isText(left)) {
			return nil, u.failure()
		}
	}
	a, aInt := asInt(left)
	b, bInt := asInt(right)
	if aInt && bInt {
		return r.integers(op, a, b)
	}
	if x, ok := asFloat(left); ok {
		if y, ok := asFloat(right); ok {
			return floats(op, x, y)
		}
	}
	switch op {
	case "+":
		if v, ok, err := r.join(left, right); ok || err != nil {
			return v, err
		}
	case "*":
		if bInt {
			if v, ok, err := r.repeat(left, b); ok || err != nil {
				return v, err
			}
		}
		if aInt {
			if v, ok, err := r.repeat(right, a); ok || err != nil {
				return v, err
			}
		}
	case "%":
		switch s := left.(type) {
		case string:
			return r.percent(s, right)
		case markup:
			return nil, unsupported("%% of a text that was made safe")
		}
	}
	return nil, fmt.Errorf("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(left), typeName(right))
}

func isText(v value) bool { _, ok := asText(v); return ok }

func isKeys(v value) bool { k, ok := v.(*view); return ok && k.what != "values" }

// asFloat returns the number that v is.
func asFloat(v value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	n, ok := asInt(v)
	return float64(n), ok
}

func (r *run) integers(op string, a, b int64) (value, error) {
	var n int64
	ok := true
	switch op {
	case "+":
		n = a + b
		ok = (n > a) == (b > 0)
	case "-":
		n = a - b
		ok = (n < a) == (b > 0)
	case "*":
		n, ok = multiply(a, b)
	case "/":
		if b == 0 {
			return nil, errZero
		}
		if max(a, -a, b, -b) < 1<<53 && min(a, b) > math.MinInt64 {
			return float64(a) / float64(b), nil
		}
		f, _ := new(big.Rat).SetFrac(big.NewInt(a), big.NewInt(b)).Float64()
		return f, nil
	case "//", "%":
		if b == 0 {
			return nil, errZero
		}
		if b == -1 { // the one division that may overflow
			if op == "%" {
				return int64(0), nil
			}
			n, ok = -a, a != math.MinInt64
			break
		}
		q, rest := a/b, a%b
		if rest != 0 && (rest < 0) != (b < 0) {
			q, rest = q-1, rest+b
		}
		if op == "%" {
			q = rest
		}
		return q, nil
	case "**":
		return power(a, b)
	}
	if !ok {
		return nil, errInteger
	}
	return n, nil
}

// multiply returns a·b and whether it fits.
func multiply(a, b int64) (int64, bool) {
	magnitude := func(n int64) uint64 {
		if n < 0 {
			return -uint64(n)
		}
		return uint64(n)
	}
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	return a * b, high == 0 && (low <= math.MaxInt64 || low == 1<<63 && (a < 0) != (b < 0))
}

// power returns base to the power of exponent.
func power(base, exponent int64) (value, error) {
	if exponent < 0 {
		return floats("**", float64(base), float64(exponent))
	}
	n, ok := int64(1), true
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 == 1 {
			if n, ok = multiply(n, base); !ok {
				return nil, errInteger
			}
		}
		if exponent > 1 {
			if base, ok = multiply(base, base); !ok {
				return nil, errInteger
			}
		}
	}
	return n, nil
}

func floats(op string, x, y float64) (value, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		// Python's result is the C library's, whose last bit is its own.
		return nil, unsupported("a power of floats")
	}
	if y == 0 {
		return nil, errZero
	}
	if op == "/" {
		return x / y, nil
	}
	rest := math.Mod(x, y)
	quotient := (x - rest) / y
	if rest != 0 && (rest < 0) != (y < 0) {
		rest += y
		quotient--
	} else if rest == 0 {
		rest = math.Copysign(0, y)
	}
	if op == "%" {
		return rest, nil
	}
	if quotient == 0 {
		return math.Copysign(0, x/y), nil
	}
	floor := math.Floor(quotient)
	if quotient-floor > 0.5 {
		floor++
	}
	return floor, nil
}

// join is + of texts, lists and tuples. It returns false for other values.
func (r *run) join(left, right value) (value, bool, error) {
	if a, ok := asText(left); ok {
		b, ok := asText(right)
		if !ok {
			return nil, false, nil
		}
		_, leftSafe := left.(markup)
		_, rightSafe := right.(markup)
		if leftSafe != rightSafe {
			if err := r.takeTimes(len(a)+len(b), 5); err != nil {
				return nil, false, err
			}
		}
		switch {
		case leftSafe && !rightSafe:
			b = escapeHTML(b)
		case rightSafe && !leftSafe:
			a = escapeHTML(a)
		}
		if err := r.take(len(a) + len(b) + elementSize); err != nil {
			return nil, false, err
		}
		if leftSafe || rightSafe {
			return markup(a + b), true, nil
		}
		return a + b, true, nil
	}
	var a, b []value
	switch l := left.(type) {
	case *list:
		m, ok := right.(*list)
		if !ok {
			return nil, false, nil
		}
		a, b = l.items, m.items
	case *tuple:
		m, ok := right.(*tuple)
		if !ok {
			return nil, false, nil
		}
		a, b = l.items, m.items
	default:
		return nil, false, nil
	}
	if err := r.takeTimes(len(a)+len(b), elementSize); err != nil {
		return nil, false, err
	}
	items := append(append(make([]value, 0, len(a)+len(b)), a...), b...)
	if _, ok := left.(*list); ok {
		return &list{items}, true, nil
	}
	return &tuple{items: items}, true, nil
}

// repeat is * of a text, list or tuple and a number. It returns false for other values.
func (r *run) repeat(of value, n int64) (value, bool, error) {
	times := int(max(n, 0))
	if s, ok := asText(of); ok {
		if s == "" {
			return of, true, nil
		}
		if err := r.takeTimes(times, len(s)); err != nil {
			return nil, false, err
		}
		return like(of, strings.Repeat(s, times)), true, nil
	}
	var items []value
	switch of := of.(type) {
	case *list:
		items = of.items
	case *tuple:
		items = of.items
	default:
		return nil, false, nil
	}
	var all []value
	if len(items) > 0 {
		if err := r.takeTimes(times, elementSize*len(items)); err != nil {
			return nil, false, err
		}
		all = make([]value, 0, times*len(items))
		for range times {
			all = append(all, items...)
		}
	}
	if _, ok := of.(*list); ok {
		return &list{all}, true, nil
	}
	return &tuple{items: all}, true, nil
}

// negate is the sign op before v.
func negate(op string, v value) (value, error) {
	if u, ok := v.(*undefined); ok {
		return nil, u.failure()
	}
	if n, ok := asInt(v); ok {
		if op == "+" {
			return n, nil
		}
		if n == math.MinInt64 {
			return nil, errInteger
		}
		return -n, nil
	}
	if f, ok := v.(float64); ok {
		if op == "+" {
			return f, nil
		}
		return -f, nil
	}
	return nil, fmt.Errorf("bad operand type for unary %s: '%s'", op, typeName(v))
}
