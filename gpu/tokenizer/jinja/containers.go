package jinja

import (
	"fmt"
	"slices"
)

// elements returns the elements of a list or tuple.
func elements(of value) []value {
	switch of := of.(type) {
	case *list:
		return of.items
	case *tuple:
		return of.items
	}
	return nil
}

func copyList(r *run, of value, a args) (value, error) {
	if _, err := a.bindPositional("copy"); err != nil {
		return nil, err
	}
	items := elements(of)
	if err := r.takeTimes(len(items), elementSize); err != nil {
		return nil, err
	}
	return &list{slices.Clone(items)}, nil
}

func countItems(r *run, of value, a args) (value, error) {
	p, err := a.bindPositional("count", "value")
	if err == nil {
		err = need("count", p, 1)
	}
	if err != nil {
		return nil, err
	}
	n := int64(0)
	for _, e := range elements(of) {
		same, err := r.same(e, p[0])
		if err != nil {
			return nil, err
		}
		if same {
			n++
		}
	}
	return n, nil
}

func indexItem(r *run, of value, a args) (value, error) {
	p, err := a.bindPositional("index", "value", "start", "stop")
	if err == nil {
		err = need("index", p, 1)
	}
	if err != nil {
		return nil, err
	}
	items := elements(of)
	from, count, _, err := sliceBounds(len(items), or(p[1], nil), or(p[2], nil), nil)
	if err != nil {
		return nil, err
	}
	for i := from; i < from+count; i++ {
		if same, err := r.same(items[i], p[0]); err != nil || same {
			return int64(i), err
		}
	}
	return nil, fmt.Errorf("the value is not in the list")
}

func getItem(r *run, of value, a args) (value, error) {
	p, err := a.bindPositional("get", "key", "default")
	if err == nil {
		err = need("get", p, 1)
	}
	if err != nil {
		return nil, err
	}
	v, ok, err := r.get(of.(*dict), p[0])
	if !ok {
		v = or(p[1], nil)
	}
	return v, err
}

func dictView(what string) method {
	return func(r *run, of value, a args) (value, error) {
		_, err := a.bindPositional(what)
		return &view{of.(*dict), what}, err
	}
}

func copyDict(r *run, of value, a args) (value, error) {
	if _, err := a.bindPositional("copy"); err != nil {
		return nil, err
	}
	d := newDict(0)
	return d, r.update(d, of.(*dict))
}

// update puts the entries of other into d.
func (r *run) update(d, other *dict) error {
	for i, key := range other.keys {
		if err := r.put(d, key, other.values[i]); err != nil {
			return err
		}
	}
	return nil
}

func fromKeys(r *run, _ value, a args) (value, error) {
	p, err := a.bindPositional("fromkeys", "iterable", "value")
	if err == nil {
		err = need("fromkeys", p, 1)
	}
	if err != nil {
		return nil, err
	}
	d := newDict(0)
	return d, r.each(p[0], func(key value) error { return r.put(d, key, or(p[1], nil)) })
}

// newDictOf is Python's dict(…): a dict or pairs, and named entries.
func (r *run) newDictOf(a args) (*dict, error) {
	d := newDict(0)
	if len(a.positional) > 1 {
		return nil, fmt.Errorf("dict takes at most 1 argument, not %d", len(a.positional))
	}
	if len(a.positional) == 1 {
		if other, ok := a.positional[0].(*dict); ok {
			if err := r.update(d, other); err != nil {
				return nil, err
			}
		} else if err := r.each(a.positional[0], func(e value) error {
			pair, err := r.collect(e)
			if err == nil && len(pair) != 2 {
				err = fmt.Errorf("an element of a dict has %d parts, not 2", len(pair))
			}
			if err != nil {
				return err
			}
			return r.put(d, pair[0], pair[1])
		}); err != nil {
			return nil, err
		}
	}
	for i, n := range a.names {
		if err := r.put(d, n, a.named[i]); err != nil {
			return nil, err
		}
	}
	return d, nil
}
