package jinja

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filter applies the filter n of "| n".
func (r *run) filter(n string, of value, a args) (value, error) {
	if err := r.scan(len(n)); err != nil {
		return nil, err
	}
	f, ok := filters[n]
	if !ok {
		return nil, fmt.Errorf("no filter named %q", brief(n))
	}
	if f == nil {
		return nil, unsupported("the filter %s", n)
	}
	if err := r.step(1); err != nil {
		return nil, err
	}
	v, err := f(r, of, a)
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", n, err)
	}
	return v, nil
}

type filterFunc func(r *run, of value, a args) (value, error)

// filters has nil for those of Jinja that are refused.
var filters map[string]filterFunc

// The table is set here, because filters lead back to it.
func init() {
	filters = map[string]filterFunc{
		// texts
		"trim": trim, "upper": softly("upper"), "lower": softly("lower"), "capitalize": softly("capitalize"),
		"title": titleFilter, "string": stringFilter, "replace": replaceFilter, "indent": indent, "center": center,
		"truncate": truncate, "wordcount": wordCount, "format": formatFilter,
		"e": escapeFilter, "escape": escapeFilter, "forceescape": forceEscape, "safe": safe, "urlencode": urlEncode,
		"tojson": toJSON,
		// numbers
		"int": toInt, "float": toFloat, "abs": absolute, "round": round,
		// sequences
		"length": lengthFilter, "count": lengthFilter, "first": first, "last": last, "list": listFilter,
		"reverse": reverse, "join": joinFilter, "batch": batch, "slice": sliceFilter, "sort": sortFilter,
		"unique": unique, "groupby": groupBy, "min": extreme(-1), "max": extreme(1), "sum": sum, "map": mapFilter,
		"select": selector(true, false), "reject": selector(false, false),
		"selectattr": selector(true, true), "rejectattr": selector(false, true),
		// dicts and others
		"items": items, "dictsort": dictSort, "attr": attr, "default": defaultFilter, "d": defaultFilter,
		// for web pages, debugging, or random
		"filesizeformat": nil, "pprint": nil, "random": nil, "striptags": nil, "urlize": nil, "wordwrap": nil, "xmlattr": nil,
	}
}

// softly makes a filter of a string method: other values are converted to strings first.
func softly(n string) filterFunc {
	return func(r *run, of value, a args) (value, error) {
		if _, err := a.bind(n); err != nil {
			return nil, err
		}
		of, err := r.soft(of)
		if err != nil {
			return nil, err
		}
		return textMethods[n](r, of, a)
	}
}

// soft returns v as a text, unchanged if it is one.
func (r *run) soft(v value) (value, error) {
	if isText(v) {
		return v, nil
	}
	return r.str(v)
}

func stringFilter(r *run, of value, a args) (value, error) {
	if _, err := a.bind("string"); err != nil {
		return nil, err
	}
	return r.soft(of)
}

func trim(r *run, of value, a args) (value, error) {
	p, err := a.bind("trim", "chars")
	if err != nil {
		return nil, err
	}
	if of, err = r.soft(of); err != nil {
		return nil, err
	}
	return textMethods["strip"](r, of, args{positional: []value{or(p[0], nil)}})
}

func titleFilter(r *run, of value, a args) (value, error) {
	if _, err := a.bind("title"); err != nil {
		return nil, err
	}
	s, err := r.str(of)
	if err == nil {
		err = r.takeTimes(len(s), 3)
	}
	if err != nil {
		return nil, err
	}
	return titleWords(s), nil
}

func replaceFilter(r *run, of value, a args) (value, error) {
	p, err := a.bind("replace", "old", "new", "count")
	if err == nil {
		err = need("replace", p, 2)
	}
	if err != nil {
		return nil, err
	}
	var s [3]string
	for i, v := range []value{of, p[0], p[1]} {
		if s[i], err = r.str(v); err != nil {
			return nil, err
		}
	}
	count := -1
	if v := or(p[2], nil); v != nil {
		if count, err = integerArg("replace", v); err != nil {
			return nil, err
		}
	}
	return r.replace(s[0], s[1], s[2], count)
}

func indent(r *run, of value, a args) (value, error) {
	p, err := a.bind("indent", "width", "first", "blank")
	if err != nil {
		return nil, err
	}
	s, err := textArg("indent", of)
	if err != nil {
		return nil, err
	}
	if _, ok := of.(markup); ok {
		return nil, unsupported("indenting a text that was made safe")
	}
	width := or(p[0], int64(4))
	by, ok := asText(width)
	if !ok {
		n, err := integerArg("indent", width)
		if err != nil {
			return nil, err
		}
		if err := r.takeTimes(n, 1); err != nil {
			return nil, err
		}
		by = strings.Repeat(" ", max(n, 0))
	}
	first, err := r.truth(or(p[1], false))
	if err != nil {
		return nil, err
	}
	blank, err := r.truth(or(p[2], false))
	if err != nil {
		return nil, err
	}
	lines, err := r.lines(s+"\n", false)
	if err != nil {
		return nil, err
	}
	if err := r.takeTimes(len(lines), len(by)+1); err != nil {
		return nil, err
	}
	if err := r.take(len(s)); err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && first || i > 0 && (blank || line != "") {
			b.WriteString(by)
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func center(r *run, of value, a args) (value, error) {
	p, err := a.bind("center", "width")
	if err != nil {
		return nil, err
	}
	if of, err = r.soft(of); err != nil {
		return nil, err
	}
	return textMethods["center"](r, of, args{positional: []value{or(p[0], int64(80))}})
}

func truncate(r *run, of value, a args) (value, error) {
	p, err := a.bind("truncate", "length", "killwords", "end", "leeway")
	if err != nil {
		return nil, err
	}
	end, err := textArg("truncate", or(p[2], "..."))
	if err != nil {
		return nil, err
	}
	most, err := integerArg("truncate", or(p[0], int64(255)))
	if err != nil {
		return nil, err
	}
	leeway := 5
	if v := or(p[3], nil); v != nil {
		if leeway, err = integerArg("truncate", v); err != nil {
			return nil, err
		}
	}
	n, sized, err := r.length(of)
	if err != nil {
		return nil, err
	}
	keep := most - utf8.RuneCountInString(end)
	switch {
	case keep < 0:
		return nil, fmt.Errorf("expected a length of at least %d", utf8.RuneCountInString(end))
	case leeway < 0:
		return nil, errors.New("expected a leeway of at least 0")
	case !sized:
		return nil, fmt.Errorf("object of type '%s' has no len()", typeName(of))
	case n <= most+leeway || most+leeway < most:
		return of, nil
	}
	s, ok := of.(string)
	if !ok {
		return nil, unsupported("cutting a %s", typeName(of))
	}
	s = sliceText(s, 0, min(keep, n), 1)
	kill, err := r.truth(or(p[1], false))
	if err != nil {
		return nil, err
	}
	if k := strings.LastIndex(s, " "); !kill && k >= 0 {
		s = s[:k]
	}
	return s + end, r.take(len(s) + len(end))
}

func wordCount(r *run, of value, a args) (value, error) {
	if _, err := a.bind("wordcount"); err != nil {
		return nil, err
	}
	s, err := r.str(of)
	if err == nil {
		err = r.scan(len(s))
	}
	n, inside := int64(0), false
	for _, c := range s {
		word := c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c)
		if word && !inside {
			n++
		}
		inside = word
	}
	return n, err
}

func formatFilter(r *run, of value, a args) (value, error) {
	of, err := r.soft(of)
	if err != nil {
		return nil, err
	}
	s, ok := of.(string)
	if !ok {
		return nil, unsupported("%% of a text that was made safe")
	}
	if len(a.names) == 0 {
		return r.percent(s, &tuple{items: a.positional})
	}
	if len(a.positional) > 0 {
		return nil, errors.New("positional and keyword arguments at the same time")
	}
	d, err := r.newDictOf(a)
	if err != nil {
		return nil, err
	}
	return r.percent(s, d)
}

func escapeFilter(r *run, of value, a args) (value, error) {
	if _, err := a.bind("escape"); err != nil {
		return nil, err
	}
	if _, ok := of.(markup); ok {
		return of, nil
	}
	return forceEscape(r, of, a)
}

func forceEscape(r *run, of value, a args) (value, error) {
	if _, err := a.bind("forceescape"); err != nil {
		return nil, err
	}
	s, err := r.str(of)
	if err != nil {
		return nil, err
	}
	if err := r.takeTimes(len(s), 5); err != nil {
		return nil, err
	}
	return markup(escapeHTML(s)), nil
}

func safe(r *run, of value, a args) (value, error) {
	if _, err := a.bind("safe"); err != nil {
		return nil, err
	}
	s, err := r.str(of)
	return markup(s), err
}

func urlEncode(r *run, of value, a args) (value, error) {
	if _, err := a.bind("urlencode"); err != nil {
		return nil, err
	}
	if isText(of) || !isIterable(of) {
		return r.urlQuote(of, "/")
	}
	if d, ok := of.(*dict); ok {
		of = &view{d, "items"}
	}
	var parts []string
	err := r.each(of, func(e value) error {
		pair, err := r.collect(e)
		if err == nil && len(pair) != 2 {
			err = fmt.Errorf("an element has %d parts, not 2", len(pair))
		}
		if err != nil {
			return err
		}
		var texts [2]string
		for i := range texts {
			if texts[i], err = r.urlQuote(pair[i], ""); err != nil {
				return err
			}
			texts[i] = strings.ReplaceAll(texts[i], "%20", "+")
		}
		parts = append(parts, texts[0]+"="+texts[1])
		return r.take(len(texts[0]) + len(texts[1]) + elementSize)
	})
	return strings.Join(parts, "&"), err
}

func (r *run) urlQuote(v value, safe string) (string, error) {
	s, err := r.str(v)
	if err != nil {
		return "", err
	}
	if err := r.takeTimes(len(s), 3); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < utf8.RuneSelf && (unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c))) || strings.IndexByte("_.-~"+safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		}
	}
	return b.String(), nil
}

func defaultFilter(r *run, of value, a args) (value, error) {
	p, err := a.bind("default", "default_value", "boolean")
	if err != nil {
		return nil, err
	}
	_, use := of.(*undefined)
	if !use {
		falsy, err := r.truth(or(p[1], false))
		if err != nil {
			return nil, err
		}
		if falsy {
			t, err := r.truth(of)
			if err != nil {
				return nil, err
			}
			use = !t
		}
	}
	if use {
		return or(p[0], ""), nil
	}
	return of, nil
}

func attr(r *run, of value, a args) (value, error) {
	p, err := a.bind("attr", "name")
	if err == nil {
		err = need("attr", p, 1)
	}
	if err != nil {
		return nil, err
	}
	n, err := textArg("attr", p[0])
	if err != nil {
		return nil, err
	}
	v, ok, err := r.ownAttribute(of, n)
	if !ok && err == nil {
		return noAttribute(of, n), nil
	}
	return v, err
}
