package jinja

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A method is a method of a value.
type method func(r *run, of value, a args) (value, error)

var textMethods, listMethods, tupleMethods, dictMethods map[string]method

// The tables are set here, because methods lead back to them.
func init() {
	listMethods = map[string]method{"copy": copyList, "count": countItems, "index": indexItem}
	tupleMethods = map[string]method{"count": countItems, "index": indexItem}
	dictMethods = map[string]method{
		"get": getItem, "items": dictView("items"), "keys": dictView("keys"), "values": dictView("values"),
		"copy": copyDict, "fromkeys": fromKeys,
	}
	textMethods = map[string]method{
		"strip": stripper(true, true), "lstrip": stripper(true, false), "rstrip": stripper(false, true),
		"split": split, "rsplit": rsplit, "splitlines": textLines, "partition": partition, "rpartition": rpartition,
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"removeprefix": remove(strings.TrimPrefix), "removesuffix": remove(strings.TrimSuffix),
		"replace": replaceText, "join": joinText, "format": formatText, "format_map": formatMap,
		"find": finder(strings.Index, false), "rfind": finder(strings.LastIndex, false),
		"index": finder(strings.Index, true), "rindex": finder(strings.LastIndex, true), "count": countText,
		"upper": mapped(upper), "lower": mapped(lower), "title": mapped(title), "capitalize": mapped(capitalize),
		"swapcase": mapped(swapCase), "casefold": foldCase, "expandtabs": expandTabs,
		"center": padder(1), "ljust": padder(0), "rjust": padder(2), "zfill": zeroFill,
		"isspace": all(isSpace), "isdigit": all(isDigit), "isdecimal": all(func(c rune) bool { return unicode.Is(unicode.Nd, c) }),
		"isalpha": all(unicode.IsLetter), "isalnum": isAlnum, "isnumeric": isNumeric,
		"isascii": is(isASCII), "isprintable": is(isPrintable), "isidentifier": isIdentifier,
		"isupper": is(func(s string) bool { return oneCase(s, isUpper) }), "islower": is(func(s string) bool { return oneCase(s, isLower) }),
		"istitle": is(isTitle),
	}
}

// subject returns the text a method belongs to and its arguments, and pays for looking at it.
func subject(r *run, of value, a args, name string, required int, params ...string) (string, []value, error) {
	s, _ := asText(of)
	p, err := a.bindPositional(name, params...)
	if err == nil {
		err = need(name, p, required)
	}
	if err == nil {
		err = r.scan(len(s))
	}
	return s, p, err
}

// made pays for a text that a method returns and gives it the type of the text it was made of.
func (r *run) made(of value, s string) (value, error) {
	return like(of, s), r.take(len(s) + elementSize)
}

func stripper(left, right bool) method {
	return func(r *run, of value, a args) (value, error) {
		s, p, err := subject(r, of, a, "strip", 0, "chars")
		if err != nil {
			return nil, err
		}
		cut := isSpace
		if chars := or(p[0], nil); chars != nil {
			set, err := textArg("strip", chars)
			if err != nil {
				return nil, err
			}
			if err := r.takeTimes(len(s)/scanned+1, len(set)); err != nil {
				return nil, err
			}
			cut = func(c rune) bool { return strings.ContainsRune(set, c) }
		}
		if left {
			s = strings.TrimLeftFunc(s, cut)
		}
		if right {
			s = strings.TrimRightFunc(s, cut)
		}
		return like(of, s), r.take(elementSize)
	}
}

// mapped makes a method without arguments of a function of texts.
func mapped(f func(string) string) method {
	return func(r *run, of value, a args) (value, error) {
		s, _, err := subject(r, of, a, "method", 0)
		if err != nil {
			return nil, err
		}
		if err := r.takeTimes(len(s), 3); err != nil { // a letter may become three
			return nil, err
		}
		return like(of, f(s)), nil
	}
}

func is(f func(string) bool) method {
	return func(r *run, of value, a args) (value, error) {
		s, _, err := subject(r, of, a, "method", 0)
		return f(s), err
	}
}

// all makes a method that tells whether a text is not empty and has only such characters.
func all(f func(rune) bool) method {
	return is(func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(c rune) bool { return !f(c) }) < 0
	})
}

func isPrintable(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}

func isIdentifier(r *run, of value, a args) (value, error) {
	s, _, err := subject(r, of, a, "isidentifier", 0)
	if !isASCII(s) {
		return nil, unsupported("isidentifier of letters that are not ASCII")
	}
	for i, c := range s {
		if c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
			return false, err
		}
	}
	return s != "", err
}

// oneCase reports whether a text has letters with cases, and all of them in this case.
func oneCase(s string, f func(rune) bool) bool {
	found := false
	for _, c := range s {
		if isCased(c) {
			if !f(c) {
				return false
			}
			found = true
		}
	}
	return found
}

func isTitle(s string) bool {
	found, inside := false, false
	for _, c := range s {
		switch {
		case isUpper(c) || unicode.IsTitle(c):
			if inside {
				return false
			}
			found, inside = true, true
		case isLower(c):
			if !inside {
				return false
			}
		default:
			inside = false
		}
	}
	return found
}

// numeric reports whether a character is a number for Python, and whether that is known here: letters of
// some scripts are numbers as well.
func numeric(c rune) (is, known bool) {
	if unicode.IsNumber(c) {
		return true, true
	}
	return false, !unicode.In(c, unicode.Lo)
}

func isNumeric(r *run, of value, a args) (value, error) {
	s, _, err := subject(r, of, a, "isnumeric", 0)
	for _, c := range s {
		switch is, known := numeric(c); {
		case !known:
			return nil, unsupported("isnumeric of %q", c)
		case !is:
			return false, err
		}
	}
	return s != "", err
}

func isAlnum(r *run, of value, a args) (value, error) {
	s, _, err := subject(r, of, a, "isalnum", 0)
	for _, c := range s {
		if is, _ := numeric(c); !is && !unicode.IsLetter(c) {
			return false, err
		}
	}
	return s != "", err
}

func affix(f func(s, part string) bool) method {
	return func(r *run, of value, a args) (value, error) {
		s, p, err := subject(r, of, a, "startswith", 1, "prefix", "start", "end")
		if err != nil {
			return nil, err
		}
		if s, err = part(s, p[1], p[2]); err != nil {
			return nil, err
		}
		parts := []value{p[0]}
		if t, ok := p[0].(*tuple); ok {
			parts = t.items
		}
		for _, v := range parts {
			part, err := textArg("startswith", v)
			if err != nil {
				return nil, err
			}
			if err := r.scan(len(part)); err != nil {
				return nil, err
			}
			if f(s, part) {
				return true, nil
			}
		}
		return false, nil
	}
}

// part returns the part of s between two positions, which may be missing.
func part(s string, start, end value) (string, error) {
	start, end = or(start, nil), or(end, nil)
	if start == nil && end == nil {
		return s, nil
	}
	from, count, _, err := sliceBounds(utf8.RuneCountInString(s), start, end, nil)
	return sliceText(s, from, count, 1), err
}

func remove(f func(s, part string) string) method {
	return func(r *run, of value, a args) (value, error) {
		s, p, err := subject(r, of, a, "removeprefix", 1, "prefix")
		if err != nil {
			return nil, err
		}
		part, err := textArg("removeprefix", p[0])
		if err != nil {
			return nil, err
		}
		return r.made(of, f(s, part))
	}
}

func replaceText(r *run, of value, a args) (value, error) {
	s, p, err := subject(r, of, a, "replace", 2, "old", "new", "count")
	if err != nil {
		return nil, err
	}
	count, err := integerArg("replace", or(p[2], int64(-1)))
	if err != nil {
		return nil, err
	}
	old, err := textArg("replace", p[0])
	if err != nil {
		return nil, err
	}
	if _, safe := of.(markup); safe { // what goes into a safe text is escaped, whatever it is
		if p[1], err = escapeFilter(r, p[1], args{}); err != nil {
			return nil, err
		}
	}
	fresh, err := textArg("replace", p[1])
	if err != nil {
		return nil, err
	}
	s, err = r.replace(s, old, fresh, count)
	return like(of, s), err
}

// replace replaces the first count places of old in s, all if count is negative, and pays for the result.
func (r *run) replace(s, old, fresh string, count int) (string, error) {
	if err := r.scan(len(s)); err != nil {
		return "", err
	}
	times := strings.Count(s, old)
	if count >= 0 {
		times = min(times, count)
	}
	if err := r.takeTimes(times, len(fresh)); err != nil {
		return "", err
	}
	if err := r.take(len(s)); err != nil {
		return "", err
	}
	return strings.Replace(s, old, fresh, count), nil
}

func joinText(r *run, of value, a args) (value, error) {
	s, p, err := subject(r, of, a, "join", 1, "iterable")
	if err != nil {
		return nil, err
	}
	i := -1
	return r.joined(s, p[0], func(v value) (string, error) {
		i++
		text, ok := v.(string)
		if !ok {
			if isText(v) {
				return "", unsupported("join of a text that was made safe")
			}
			return "", fmt.Errorf("sequence item %d: expected str instance, %s found", i, typeName(v))
		}
		return text, nil
	})
}

// joined returns the texts of the elements of v with s between, paid for.
func (r *run) joined(s string, v value, text func(value) (string, error)) (value, error) {
	var b strings.Builder
	first := true
	err := r.each(v, func(e value) error {
		t, err := text(e)
		if err != nil {
			return err
		}
		if !first {
			if err := r.take(len(s)); err != nil {
				return err
			}
			b.WriteString(s)
		}
		first = false
		if err := r.take(len(t)); err != nil {
			return err
		}
		b.WriteString(t)
		return nil
	})
	return b.String(), err
}

func finder(find func(s, part string) int, must bool) method {
	return func(r *run, of value, a args) (value, error) {
		s, p, err := subject(r, of, a, "find", 1, "sub", "start", "end")
		if err != nil {
			return nil, err
		}
		sub, err := textArg("find", p[0])
		if err != nil {
			return nil, err
		}
		start := int64(0)
		n := int64(utf8.RuneCountInString(s))
		if k, ok := asInt(or(p[1], nil)); ok {
			if start = k; start < 0 {
				start = max(start+n, 0)
			}
		}
		k := -1
		if start <= n {
			if s, err = part(s, p[1], p[2]); err != nil {
				return nil, err
			}
			k = find(s, sub)
		}
		if k < 0 {
			if must {
				return nil, errors.New("substring not found")
			}
			return int64(-1), nil
		}
		return start + int64(utf8.RuneCountInString(s[:k])), nil
	}
}

func countText(r *run, of value, a args) (value, error) {
	s, p, err := subject(r, of, a, "count", 1, "sub", "start", "end")
	if err != nil {
		return nil, err
	}
	sub, err := textArg("count", p[0])
	if err != nil {
		return nil, err
	}
	if s, err = part(s, p[1], p[2]); err != nil {
		return nil, err
	}
	if start, ok := asInt(or(p[1], nil)); ok && sub == "" && s == "" && start > 0 {
		return nil, unsupported("count of an empty text behind a text's start")
	}
	return int64(strings.Count(s, sub)), nil
}

// padder fills a text up to a width: side 0 behind it, 1 around it, 2 before it.
func padder(side int) method {
	return func(r *run, of value, a args) (value, error) {
		s, p, err := subject(r, of, a, "center", 1, "width", "fillchar")
		if err != nil {
			return nil, err
		}
		width, err := integerArg("center", p[0])
		if err != nil {
			return nil, err
		}
		fill, err := textArg("center", or(p[1], " "))
		if err != nil {
			return nil, err
		}
		if _, ok := of.(markup); ok {
			fill = escapeHTML(fill)
		}
		if utf8.RuneCountInString(fill) != 1 {
			return nil, errors.New("the fill character must be exactly one character long")
		}
		s, err = r.pad(s, width, fill, side)
		return like(of, s), err
	}
}

// pad fills s up to a width with side as in padder, paid for.
func (r *run) pad(s string, width int, fill string, side int) (string, error) {
	space := width - utf8.RuneCountInString(s)
	if space <= 0 {
		return s, r.take(elementSize)
	}
	if err := r.takeTimes(space, len(fill)); err != nil {
		return "", err
	}
	if err := r.take(len(s)); err != nil {
		return "", err
	}
	left := 0
	switch side {
	case 1:
		left = space/2 + space&width&1
	case 2:
		left = space
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, space-left), nil
}

func zeroFill(r *run, of value, a args) (value, error) {
	s, p, err := subject(r, of, a, "zfill", 1, "width")
	if err != nil {
		return nil, err
	}
	width, err := integerArg("zfill", p[0])
	if err != nil {
		return nil, err
	}
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	s, err = r.pad(s, width-len(sign), "0", 2)
	return like(of, sign+s), err
}

func expandTabs(r *run, of value, a args) (value, error) {
	s, _ := asText(of)
	p, err := a.bind("expandtabs", "tabsize")
	if err != nil {
		return nil, err
	}
	size, err := integerArg("expandtabs", or(p[0], int64(8)))
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	column := 0
	for _, c := range s {
		switch {
		case c == '\t':
			n := 0
			if size > 0 {
				n = size - column%size
			}
			if err := r.takeTimes(n, 1); err != nil {
				return nil, err
			}
			b.WriteString(strings.Repeat(" ", n))
			column += n
			continue
		case c == '\n' || c == '\r':
			column = -1
		}
		b.WriteRune(c)
		column++
	}
	return r.made(of, b.String())
}

func foldCase(r *run, of value, a args) (value, error) {
	if s, _ := asText(of); !isASCII(s) {
		return nil, unsupported("casefold of letters that are not ASCII")
	}
	return mapped(lower)(r, of, a)
}
