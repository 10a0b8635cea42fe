package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

func batch(r *run, of value, a args) (value, error) {
	p, err := a.bind("batch", "linecount", "fill_with")
	if err == nil {
		err = need("batch", p, 1)
	}
	if err != nil {
		return nil, err
	}
	fill := or(p[1], nil)
	var it *iterator
	var held []value
	over := false
	return r.newIterator(func() (value, bool, error) {
		if over {
			return nil, false, nil
		}
		if it == nil {
			if it, err = r.iterate(of); err != nil {
				return nil, false, err
			}
		}
		for {
			e, ok, err := it.next()
			if err != nil {
				return nil, false, err
			}
			if !ok {
				break
			}
			full, err := r.equal(int64(len(held)), p[0])
			if err != nil {
				return nil, false, err
			}
			if err := r.take(elementSize); err != nil {
				return nil, false, err
			}
			if full {
				row := held
				held = []value{e}
				return &list{row}, true, nil
			}
			held = append(held, e)
		}
		over = true
		if len(held) == 0 {
			return nil, false, nil
		}
		if fill != nil {
			n, err := integerArg("batch", p[0])
			if err != nil {
				return nil, false, err
			}
			if err := r.takeTimes(n-len(held), elementSize); err != nil {
				return nil, false, err
			}
			for len(held) < n {
				held = append(held, fill)
			}
		}
		return &list{held}, true, nil
	})
}

func sliceFilter(r *run, of value, a args) (value, error) {
	p, err := a.bind("slice", "slices", "fill_with")
	if err == nil {
		err = need("slice", p, 1)
	}
	if err != nil {
		return nil, err
	}
	n, err := integerArg("slice", p[0])
	if err != nil {
		return nil, err
	}
	fill := or(p[1], nil)
	var items []value
	k, at := -1, 0
	return r.newIterator(func() (value, bool, error) {
		if k++; k == 0 {
			if items, err = r.collect(of); err != nil {
				return nil, false, err
			}
			if n == 0 {
				return nil, false, errZero
			}
		}
		if k >= n {
			return nil, false, nil
		}
		size := len(items) / n
		extra := k < len(items)%n
		if extra {
			size++
		}
		row := slices.Clone(items[at : at+size])
		at += size
		if fill != nil && !extra {
			row = append(row, fill)
		}
		return &list{row}, true, r.takeTimes(len(row)+2, elementSize)
	})
}

// getter returns the function that looks up an attribute such as "a.b.0" of an element (the element
// itself for none), takes a default for what is undefined, and makes texts small if fold is true.
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

// folded returns a text in small letters, and other values as they are.
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

// falsy reports whether an argument is missing or false.
func (r *run) falsy(v value) (bool, error) {
	t, err := r.truth(or(v, false))
	return !t, err
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
	p, err := a.bind("unique", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	fold, err := r.falsy(p[0])
	if err != nil {
		return nil, err
	}
	get, err := r.getter(or(p[1], nil), nil, fold)
	if err != nil {
		return nil, err
	}
	seen := newDict(0)
	var it *iterator
	return r.newIterator(func() (value, bool, error) {
		if it == nil {
			if it, err = r.iterate(of); err != nil {
				return nil, false, err
			}
		}
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

func groupBy(r *run, of value, a args) (value, error) {
	p, err := a.bind("groupby", "attribute", "default", "case_sensitive")
	if err == nil {
		err = need("groupby", p, 1)
	}
	if err != nil {
		return nil, err
	}
	fold, err := r.falsy(p[2])
	if err != nil {
		return nil, err
	}
	get, err := r.getter(p[0], or(p[1], nil), fold)
	if err != nil {
		return nil, err
	}
	name, err := r.getter(p[0], or(p[1], nil), false)
	if err != nil {
		return nil, err
	}
	all, err := r.keyed(of, get)
	if err != nil {
		return nil, err
	}
	if _, err := r.sorted(all, false); err != nil {
		return nil, err
	}
	groups := &list{}
	var lastKey value
	var members *list
	for i, k := range all {
		same := false
		if i > 0 {
			if same, err = r.equal(lastKey, k.key); err != nil {
				return nil, err
			}
		}
		if !same {
			lastKey, members = k.key, &list{}
			n, err := name(k.of)
			if err != nil {
				return nil, err
			}
			groups.items = append(groups.items, &tuple{[]value{n, members}, []string{"grouper", "list"}})
			if err := r.take(objectSize); err != nil {
				return nil, err
			}
		}
		members.items = append(members.items, k.of)
	}
	return groups, nil
}

// extreme makes the filters min (sign -1) and max (sign 1).
func extreme(sign int) filterFunc {
	return func(r *run, of value, a args) (value, error) {
		p, err := a.bind("min", "case_sensitive", "attribute")
		if err != nil {
			return nil, err
		}
		fold, err := r.falsy(p[0])
		if err != nil {
			return nil, err
		}
		get, err := r.getter(or(p[1], nil), nil, fold)
		if err != nil {
			return nil, err
		}
		var best, bestKey value
		found := false
		err = r.each(of, func(e value) error {
			key, err := get(e)
			if err != nil {
				return err
			}
			if found {
				op := map[int]string{-1: "<", 1: ">"}[sign]
				c, err := r.order(op, key, bestKey)
				if err != nil || c != sign {
					return err
				}
			}
			best, bestKey, found = e, key, true
			return nil
		})
		if err == nil && !found {
			return &undefined{why: "No aggregated item, sequence was empty."}, nil
		}
		return best, err
	}
}

func sum(r *run, of value, a args) (value, error) {
	p, err := a.bind("sum", "attribute", "start")
	if err != nil {
		return nil, err
	}
	get, err := r.getter(or(p[0], nil), nil, false)
	if err != nil {
		return nil, err
	}
	total := or(p[1], int64(0))
	if isText(total) {
		return nil, errors.New("texts cannot be summed, use join")
	}
	err = r.each(of, func(e value) error {
		v, err := get(e)
		if err != nil {
			return err
		}
		total, err = r.binary("+", total, v)
		return err
	})
	return total, err
}

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
