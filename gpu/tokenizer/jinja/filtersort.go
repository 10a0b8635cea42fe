package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A keyed is an element and what it is sorted by.
type keyed struct{ key, of value }

// keyed returns the elements of v with their keys.
func (r *run) keyed(v value, key func(value) (value, error)) ([]keyed, error) {
	var all []keyed
	err := r.each(v, func(e value) error {
		k, err := key(e)
		all = append(all, keyed{k, e})
		if err != nil {
			return err
		}
		return r.take(2 * elementSize)
	})
	return all, err
}

// sorted sorts elements by their keys, as Python's sorted does.
func (r *run) sorted(all []keyed, backwards bool) ([]value, error) {
	var failed error
	slices.SortStableFunc(all, func(a, b keyed) int {
		if failed != nil {
			return 0
		}
		c, err := r.order("<", a.key, b.key)
		if err == nil {
			err = r.step(1)
		}
		failed = err
		if backwards {
			return -c
		}
		return c
	})
	items := make([]value, len(all))
	for i, k := range all {
		items[i] = k.of
	}
	return items, failed
}

func sortFilter(r *run, of value, a args) (value, error) {
	p, err := a.bind("sort", "reverse", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	fold, err := r.falsy(p[1])
	if err != nil {
		return nil, err
	}
	paths := []value{or(p[2], nil)}
	if s, ok := asText(paths[0]); ok {
		paths = nil
		for _, path := range strings.Split(s, ",") {
			paths = append(paths, path)
		}
	}
	var getters []func(value) (value, error)
	for _, path := range paths {
		get, err := r.getter(path, nil, fold)
		if err != nil {
			return nil, err
		}
		getters = append(getters, get)
	}
	all, err := r.keyed(of, func(e value) (value, error) {
		key := &list{}
		for _, get := range getters {
			k, err := get(e)
			if err != nil {
				return nil, err
			}
			key.items = append(key.items, k)
		}
		return key, r.takeTimes(len(getters), elementSize)
	})
	if err != nil {
		return nil, err
	}
	backwards, err := r.truth(or(p[0], false))
	if err != nil {
		return nil, err
	}
	items, err := r.sorted(all, backwards)
	return &list{items}, err
}

func dictSort(r *run, of value, a args) (value, error) {
	p, err := a.bind("dictsort", "case_sensitive", "by", "reverse")
	if err != nil {
		return nil, err
	}
	place := 0
	switch by, _ := asText(or(p[1], "key")); by {
	case "key":
	case "value":
		place = 1
	default:
		return nil, errors.New(`by must be "key" or "value"`)
	}
	d, ok := of.(*dict)
	if !ok {
		if u, ok := of.(*undefined); ok {
			return nil, u.failure()
		}
		return nil, fmt.Errorf("'%s' object has no attribute 'items'", typeName(of))
	}
	fold, err := r.falsy(p[0])
	if err != nil {
		return nil, err
	}
	all, err := r.keyed(&view{d, "items"}, func(e value) (value, error) {
		k := e.(*tuple).items[place]
		if fold {
			return r.folded(k)
		}
		return k, nil
	})
	if err != nil {
		return nil, err
	}
	backwards, err := r.truth(or(p[2], false))
	if err != nil {
		return nil, err
	}
	items, err := r.sorted(all, backwards)
	return &list{items}, err
}

func unique(r *run, of value, a args) (value, error) {
	get, err := r.compared("unique", a)
	if err != nil {
		return nil, err
	}
	seen := newDict(0)
	return r.onDemand(of, func(it *iterator) (value, bool, error) {
		for {
			e, ok, err := it.next()
			if err != nil || !ok {
				return nil, false, err
			}
			key, err := get(e)
			if err != nil {
				return nil, false, err
			}
			before := len(seen.keys)
			if err := r.put(seen, key, nil); err != nil {
				return nil, false, err
			}
			if len(seen.keys) > before {
				return e, true, nil
			}
		}
	})
}
