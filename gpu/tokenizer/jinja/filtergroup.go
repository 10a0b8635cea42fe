package jinja

import "slices"

func batch(r *run, of value, a args) (value, error) {
	p, err := a.bind("batch", "linecount", "fill_with")
	if err == nil {
		err = need("batch", p, 1)
	}
	if err != nil {
		return nil, err
	}
	fill := or(p[1], nil)
	var held []value
	over := false
	return r.onDemand(of, func(it *iterator) (value, bool, error) {
		if over {
			return nil, false, nil
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
