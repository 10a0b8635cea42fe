package jinja

import (
	"errors"
	"slices"
)

// lazily returns the iterator over what f makes of the elements of a value: f returns false for what is
// left out. Nothing is looked at before the first element is asked for.
func (r *run) lazily(of value, prepare func() (func(value) (value, bool, error), error)) (value, error) {
	var it *iterator
	var f func(value) (value, bool, error)
	return r.newIterator(func() (value, bool, error) {
		if it == nil {
			holds, err := r.truth(of)
			if err != nil {
				return nil, false, err
			}
			it = &iterator{func() (value, bool, error) { return nil, false, nil }}
			if holds {
				if f, err = prepare(); err != nil {
					return nil, false, err
				}
				if it, err = r.iterate(of); err != nil {
					return nil, false, err
				}
			}
		}
		for {
			e, ok, err := it.next()
			if err != nil || !ok {
				return nil, false, err
			}
			if err := r.step(1); err != nil {
				return nil, false, err
			}
			v, ok, err := f(e)
			if err != nil || ok {
				return v, ok, err
			}
		}
	})
}

func mapFilter(r *run, of value, a args) (value, error) {
	return r.lazily(of, func() (func(value) (value, bool, error), error) {
		if k := slices.Index(a.names, "attribute"); k >= 0 && len(a.positional) == 0 {
			p, err := a.bind("map", "attribute", "default")
			if err != nil {
				return nil, err
			}
			get, err := r.getter(p[0], or(p[1], nil), false)
			return func(e value) (value, bool, error) {
				v, err := get(e)
				return v, true, err
			}, err
		}
		if len(a.positional) == 0 {
			return nil, errors.New("a filter is missing")
		}
		n, _ := asText(a.positional[0])
		rest := args{a.positional[1:], a.names, a.named}
		return func(e value) (value, bool, error) {
			v, err := r.filter(n, e, rest)
			return v, true, err
		}, nil
	})
}

// selector makes the filters that keep elements by a test, of themselves or of an attribute.
func selector(keep, ofAttribute bool) filterFunc {
	return func(r *run, of value, a args) (value, error) {
		return r.lazily(of, func() (func(value) (value, bool, error), error) {
			rest := a.positional
			get := func(v value) (value, error) { return v, nil }
			if ofAttribute {
				if len(rest) == 0 {
					return nil, errors.New("the name of an attribute is missing")
				}
				var err error
				if get, err = r.getter(rest[0], nil, false); err != nil {
					return nil, err
				}
				rest = rest[1:]
			}
			holds := r.truth
			if len(rest) > 0 {
				n, _ := asText(rest[0])
				holds = func(v value) (bool, error) { return r.test(n, v, args{rest[1:], a.names, a.named}) }
			}
			return func(e value) (value, bool, error) {
				v, err := get(e)
				if err != nil {
					return nil, false, err
				}
				is, err := holds(v)
				return e, is == keep, err
			}, nil
		})
	}
}

func items(r *run, of value, a args) (value, error) {
	if _, err := a.bind("items"); err != nil {
		return nil, err
	}
	var it *iterator
	return r.newIterator(func() (value, bool, error) {
		if it == nil {
			var err error
			switch d := of.(type) {
			case *undefined:
				it, err = r.iterate(d)
			case *dict:
				it, err = r.iterate(&view{d, "items"})
			default:
				err = errors.New("can only get item pairs from a mapping")
			}
			if err != nil {
				return nil, false, err
			}
		}
		return it.next()
	})
}
