package jinja

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var errNumber = errors.New("not a number")

// floatSyntax is what Python's float reads.
var floatSyntax = regexp.MustCompile(`^(?i:[+-]?(?:[0-9](?:_?[0-9])*\.?(?:[0-9](?:_?[0-9])*)?|\.[0-9](?:_?[0-9])*)(?:e[+-]?[0-9](?:_?[0-9])*)?|[+-]?(?:inf|infinity|nan))$`)

// parseFloat is Python's float of a text.
func parseFloat(s string) (float64, error) {
	s = strings.TrimFunc(s, isSpace)
	if !isASCII(s) {
		return 0, unsupported("reading digits that are not ASCII")
	}
	if !floatSyntax.MatchString(s) {
		return 0, errNumber
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil
	}
	return f, err
}

// parseInt is Python's int of a text.
func parseInt(s string, base int) (int64, error) {
	s = strings.TrimFunc(s, isSpace)
	if !isASCII(s) {
		return 0, unsupported("reading digits that are not ASCII")
	}
	sign, digits := "", s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, digits = s[:1], s[1:]
	}
	prefix := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]
	if prefix != "" && len(digits) > 2 && strings.EqualFold(digits[:2], prefix) {
		digits = strings.TrimPrefix(digits[2:], "_")
	}
	if digits == "" || strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") ||
		strings.ContainsAny(digits, "+-") {
		return 0, errNumber
	}
	n, err := strconv.ParseInt(sign+strings.ReplaceAll(digits, "_", ""), base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errInteger
	case err != nil:
		return 0, errNumber
	}
	return n, nil
}

// toFloatValue is Python's float(v); errNumber if v is no number.
func toFloatValue(v value) (float64, error) {
	if f, ok := asFloat(v); ok {
		return f, nil
	}
	if s, ok := asText(v); ok {
		return parseFloat(s)
	}
	if u, ok := v.(*undefined); ok {
		return 0, u.failure()
	}
	return 0, errNumber
}

func truncated(f float64) (int64, error) {
	if math.Abs(f) >= 1<<63 {
		return 0, errInteger
	}
	return int64(f), nil
}

func toInt(r *run, of value, a args) (value, error) {
	p, err := a.bind("int", "default", "base")
	if err != nil {
		return nil, err
	}
	base, err := integerArg("int", or(p[1], int64(10)))
	if err != nil {
		return nil, err
	}
	if base < 2 || base > 36 {
		return nil, unsupported("the base %d", base)
	}
	s, isString := asText(of)
	if err := r.scan(scanned * len(s)); err != nil {
		return nil, err
	}
	if isString {
		n, err := parseInt(s, base)
		if !errors.Is(err, errNumber) {
			return n, err
		}
	} else if n, ok := asInt(of); ok {
		return n, nil
	}
	f, err := toFloatValue(of)
	switch {
	case err == nil && math.IsInf(f, 0) && !isString:
		return nil, errors.New("cannot convert float infinity to integer")
	case errors.Is(err, errNumber) || err == nil && (math.IsNaN(f) || math.IsInf(f, 0)):
		return or(p[0], int64(0)), nil
	case err != nil:
		return nil, err
	}
	return truncated(f)
}

func toFloat(r *run, of value, a args) (value, error) {
	p, err := a.bind("float", "default")
	if err != nil {
		return nil, err
	}
	if s, ok := asText(of); ok {
		if err := r.scan(scanned * len(s)); err != nil {
			return nil, err
		}
	}
	f, err := toFloatValue(of)
	if errors.Is(err, errNumber) {
		return or(p[0], 0.0), nil
	}
	return f, err
}

func absolute(_ *run, of value, a args) (value, error) {
	if _, err := a.bind("abs"); err != nil {
		return nil, err
	}
	if f, ok := of.(float64); ok {
		return math.Abs(f), nil
	}
	n, ok := asInt(of)
	if !ok {
		return nil, fmt.Errorf("bad operand type for abs(): '%s'", typeName(of))
	}
	if n < 0 {
		return negate("-", n)
	}
	return n, nil
}

func round(r *run, of value, a args) (value, error) {
	p, err := a.bind("round", "precision", "method")
	if err != nil {
		return nil, err
	}
	method, _ := asText(or(p[1], "common"))
	if method != "common" && method != "ceil" && method != "floor" {
		return nil, errors.New("method must be common, ceil or floor")
	}
	if method == "common" {
		return roundCommon(of, or(p[0], int64(0)))
	}
	scale, err := r.binary("**", int64(10), or(p[0], int64(0)))
	if err != nil {
		return nil, err
	}
	scaled, err := r.binary("*", of, scale)
	if err != nil {
		return nil, err
	}
	f, ok := asFloat(scaled)
	if !ok {
		return nil, fmt.Errorf("must be real number, not %s", typeName(of))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("cannot convert float %s to integer", floatText(f))
	}
	if _, ok := scaled.(float64); ok {
		if method == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		if scaled, err = truncated(f); err != nil {
			return nil, err
		}
	}
	return r.binary("/", scaled, scale)
}

// roundCommon is Python's round: to the nearest decimal, halves of the exact value to the even digit.
func roundCommon(of, precision value) (value, error) {
	if precision == nil {
		return nil, unsupported("rounding to None digits")
	}
	digits, err := integerArg("round", precision)
	if err != nil {
		return nil, err
	}
	if digits < 0 {
		return nil, unsupported("rounding to %d digits", digits)
	}
	if n, ok := asInt(of); ok {
		return n, nil
	}
	f, ok := of.(float64)
	if !ok {
		return nil, fmt.Errorf("type %s doesn't define __round__ method", typeName(of))
	}
	if digits > 323 || math.IsNaN(f) || math.IsInf(f, 0) {
		return f, nil
	}
	return strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
}
