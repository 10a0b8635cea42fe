package jinja

import (
	"errors"
	"strings"
)

// splitArgs returns the text, the separator ("" for spaces) and the number of splits (-1: all).
func splitArgs(r *run, of value, a args) (s, separator string, most int, err error) {
	s, _ = asText(of)
	p, err := a.bind("split", "sep", "maxsplit")
	if err != nil {
		return "", "", 0, err
	}
	if most, err = integerArg("split", or(p[1], int64(-1))); err != nil {
		return "", "", 0, err
	}
	if v := or(p[0], nil); v != nil {
		if separator, err = textArg("split", v); err != nil {
			return "", "", 0, err
		}
		if separator == "" {
			return "", "", 0, errors.New("empty separator")
		}
		// What the parts take besides the text, which they share.
		return s, separator, most, r.takeTimes(strings.Count(s, separator)+1, elementSize)
	}
	return s, "", most, r.takeTimes(len(s)/2+1, elementSize)
}

// texts returns a list of texts of the type of the text they were taken from.
func texts(of value, parts []string) *list {
	items := make([]value, len(parts))
	for i, part := range parts {
		items[i] = like(of, part)
	}
	return &list{items}
}

func split(r *run, of value, a args) (value, error) {
	s, separator, most, err := splitArgs(r, of, a)
	if err != nil {
		return nil, err
	}
	if separator != "" {
		if most < 0 {
			return texts(of, strings.Split(s, separator)), nil
		}
		return texts(of, strings.SplitN(s, separator, most+1)), nil
	}
	var parts []string
	for s = strings.TrimLeftFunc(s, isSpace); s != ""; s = strings.TrimLeftFunc(s, isSpace) {
		end := strings.IndexFunc(s, isSpace)
		if end < 0 || len(parts) == most {
			end = len(s)
		}
		parts, s = append(parts, s[:end]), s[end:]
	}
	return texts(of, parts), nil
}

func rsplit(r *run, of value, a args) (value, error) {
	s, separator, most, err := splitArgs(r, of, a)
	if err != nil {
		return nil, err
	}
	var parts []string // from the end
	if separator != "" {
		for most < 0 || len(parts) < most {
			k := strings.LastIndex(s, separator)
			if k < 0 {
				break
			}
			parts, s = append(parts, s[k+len(separator):]), s[:k]
		}
		parts = append(parts, s)
	} else {
		for s = strings.TrimRightFunc(s, isSpace); s != ""; s = strings.TrimRightFunc(s, isSpace) {
			start := strings.LastIndexFunc(s, isSpace)
			if start < 0 || len(parts) == most {
				parts = append(parts, s)
				break
			}
			word := strings.TrimLeftFunc(s[start:], isSpace)
			parts, s = append(parts, word), s[:len(s)-len(word)]
		}
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return texts(of, parts), nil
}

func textLines(r *run, of value, a args) (value, error) {
	s, _ := asText(of)
	p, err := a.bind("splitlines", "keepends")
	if err != nil {
		return nil, err
	}
	keep, err := r.truth(or(p[0], false))
	if err != nil {
		return nil, err
	}
	lines, err := r.lines(s, keep)
	return texts(of, lines), err
}

// lines returns the lines of s, paid for.
func (r *run) lines(s string, keep bool) ([]string, error) {
	if err := r.scan(4 * len(s)); err != nil { // it is looked through for every kind of break
		return nil, err
	}
	breaks := strings.Count(s, "\n") + 1
	for _, c := range "\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029" {
		breaks += strings.Count(s, string(c))
	}
	if err := r.takeTimes(breaks, elementSize); err != nil {
		return nil, err
	}
	return splitLines(s, keep), nil
}

// parted returns a tuple of three texts.
func parted(of value, a, b, c string) value {
	return &tuple{items: []value{like(of, a), like(of, b), like(of, c)}}
}

func partition(r *run, of value, a args) (value, error) {
	s, p, err := subject(r, of, a, "partition", 1, "sep")
	if err != nil {
		return nil, err
	}
	separator, err := textArg("partition", p[0])
	if err == nil && separator == "" {
		err = errors.New("empty separator")
	}
	before, after, found := strings.Cut(s, separator)
	if !found {
		separator = ""
	}
	return parted(of, before, separator, after), err
}

func rpartition(r *run, of value, a args) (value, error) {
	s, p, err := subject(r, of, a, "rpartition", 1, "sep")
	if err != nil {
		return nil, err
	}
	separator, err := textArg("rpartition", p[0])
	if err == nil && separator == "" {
		err = errors.New("empty separator")
	}
	if k := strings.LastIndex(s, separator); k >= 0 {
		return parted(of, s[:k], separator, s[k+len(separator):]), err
	}
	return parted(of, "", "", s), err
}
