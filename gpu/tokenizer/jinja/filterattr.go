package jinja

import (
	"strconv"
	"strings"
)

// compared reads the arguments of a filter that compares elements: whether case counts, and an attribute.
func (r *run) compared(filter string, a args) (func(value) (value, error), error) {
	p, err := a.bind(filter, "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	fold, err := r.falsy(p[0])
	if err != nil {
		return nil, err
	}
	return r.getter(or(p[1], nil), nil, fold)
}

// getter returns the function that looks up an attribute such as "a.b.0" of an element (the element
// itself for none), takes a default for what is undefined, and lower-cases strings if fold is true.
func (r *run) getter(attribute, otherwise value, fold bool) (func(value) (value, error), error) {
	var path []value
	if s, ok := asText(attribute); ok {
		if err := r.takeTimes(strings.Count(s, ".")+1, elementSize); err != nil {
			return nil, err
		}
		for _, part := range strings.Split(s, ".") {
			path = append(path, pathPart(part))
		}
	} else if attribute != nil {
		path = []value{attribute}
	}
	return func(v value) (value, error) {
		for _, part := range path {
			var err error
			if v, err = r.item(v, part); err != nil {
				return nil, err
			}
			if _, ok := v.(*undefined); ok && otherwise != nil {
				v = otherwise
			}
		}
		if fold {
			return r.folded(v)
		}
		return v, r.step(1)
	}, nil
}

// pathPart returns a part of an attribute's path: a number if it is one.
func pathPart(part string) value {
	if n, err := strconv.ParseInt(part, 10, 64); err == nil && part[0] >= '0' && part[0] <= '9' {
		return n
	}
	return part
}

// folded returns a string in lower case, and other values as they are.
func (r *run) folded(v value) (value, error) {
	s, ok := asText(v)
	if !ok {
		return v, r.step(1)
	}
	if err := r.takeTimes(len(s), 3); err != nil {
		return nil, err
	}
	return like(v, lower(s)), nil
}

// falsy reports whether an argument is missing or false.
func (r *run) falsy(v value) (bool, error) {
	t, err := r.truth(or(v, false))
	return !t, err
}
