package jinja

import (
	"errors"
	"fmt"
	"slices"
)

func lengthFilter(r *run, of value, a args) (value, error) {
	if _, err := a.bind("length"); err != nil {
		return nil, err
	}
	n, ok, err := r.length(of)
	if err == nil && !ok {
		err = fmt.Errorf("object of type '%s' has no len()", typeName(of))
	}
	return int64(n), err
}

func first(r *run, of value, a args) (value, error) {
	if _, err := a.bind("first"); err != nil {
		return nil, err
	}
	it, err := r.iterate(of)
	if err != nil {
		return nil, err
	}
	v, ok, err := it.next()
	if !ok {
		return &undefined{why: "No first item, sequence was empty."}, err
	}
	return v, err
}

func last(r *run, of value, a args) (value, error) {
	if _, err := a.bind("last"); err != nil {
		return nil, err
	}
	it, err := r.backwards(of)
	if err != nil {
		return nil, err
	}
	v, ok, err := it.next()
	if !ok {
		return &undefined{why: "No last item, sequence was empty."}, err
	}
	return v, err
}

func listFilter(r *run, of value, a args) (value, error) {
	if _, err := a.bind("list"); err != nil {
		return nil, err
	}
	items, err := r.collect(of)
	return &list{items}, err
}

func reverse(r *run, of value, a args) (value, error) {
	if _, err := a.bind("reverse"); err != nil {
		return nil, err
	}
	if isText(of) {
		return r.slice(of, nil, nil, int64(-1))
	}
	if _, ok := of.(*iterator); ok {
		items, err := r.collect(of)
		slices.Reverse(items)
		return &list{items}, err
	}
	it, err := r.backwards(of)
	if err != nil {
		return nil, errors.New("argument must be iterable")
	}
	return r.newIterator(it.next)
}

func joinFilter(r *run, of value, a args) (value, error) {
	p, err := a.bind("join", "d", "attribute")
	if err != nil {
		return nil, err
	}
	separator, err := r.str(or(p[0], ""))
	if err != nil {
		return nil, err
	}
	get, err := r.getter(or(p[1], nil), nil, false)
	if err != nil {
		return nil, err
	}
	return r.joined(separator, of, func(e value) (string, error) {
		v, err := get(e)
		if err != nil {
			return "", err
		}
		return r.str(v)
	})
}
