package jinja

import (
	"fmt"
	"unicode/utf8"
)

// An iterator is a generator of Python: it gives its elements once. next returns false at the end.
type iterator struct {
	next func() (value, bool, error)
}

// newIterator pays for an iterator.
func (r *run) newIterator(next func() (value, bool, error)) (value, error) {
	if err := r.take(objectSize); err != nil {
		return nil, err
	}
	return &iterator{func() (value, bool, error) {
		// Generators of generators take a stack as deep as they are.
		if err := r.enter(); err != nil {
			return nil, false, err
		}
		v, ok, err := next()
		r.depth--
		return v, ok, err
	}}, nil
}

// onDemand pays for an iterator that next makes of the one over a value, at which nothing looks before the
// first element is asked for.
func (r *run) onDemand(of value, next func(*iterator) (value, bool, error)) (value, error) {
	var it *iterator
	return r.newIterator(func() (value, bool, error) {
		if it == nil {
			var err error
			if it, err = r.iterate(of); err != nil {
				return nil, false, err
			}
		}
		return next(it)
	})
}

// at returns element i of a sequence whose elements have places, and false for other values.
func at(v value, i int) (value, bool) {
	switch v := v.(type) {
	case *list:
		return v.items[i], true
	case *tuple:
		return v.items[i], true
	case *dict:
		return v.keys[i], true
	case *view:
		return v.at(i), true
	case span:
		return v.at(i), true
	}
	return nil, false
}

// iterate returns the iterator over v, as Python's iter does.
func (r *run) iterate(v value) (*iterator, error) {
	if s, ok := asText(v); ok {
		return &iterator{func() (value, bool, error) {
			if s == "" {
				return nil, false, nil
			}
			_, n := utf8.DecodeRuneInString(s)
			c := s[:n]
			s = s[n:]
			return c, true, r.step(1) // a plain text also if v was made safe
		}}, nil
	}
	switch v := v.(type) {
	case *iterator:
		return v, nil
	case *undefined:
		return &iterator{func() (value, bool, error) { return nil, false, nil }}, nil
	case *loop:
		return nil, unsupported("a loop over the variable loop")
	case *list, *tuple, *dict, *view, span:
		n, _, err := r.length(v)
		i := 0
		return &iterator{func() (value, bool, error) {
			if i >= n {
				return nil, false, nil
			}
			e, _ := at(v, i)
			i++
			return e, true, r.step(1)
		}}, err
	}
	return nil, fmt.Errorf("'%s' object is not iterable", typeName(v))
}

// backwards returns the iterator over v from its end, as Python's reversed does.
func (r *run) backwards(v value) (*iterator, error) {
	if s, ok := asText(v); ok {
		return &iterator{func() (value, bool, error) {
			if s == "" {
				return nil, false, nil
			}
			_, n := utf8.DecodeLastRuneInString(s)
			c := s[len(s)-n:]
			s = s[:len(s)-n]
			return like(v, c), true, r.step(1)
		}}, nil
	}
	switch v := v.(type) {
	case *undefined:
		return r.iterate(v)
	case *list, *tuple, *dict, *view, span:
		i, _, err := r.length(v)
		return &iterator{func() (value, bool, error) {
			if i == 0 {
				return nil, false, nil
			}
			i--
			e, _ := at(v, i)
			return e, true, r.step(1)
		}}, err
	}
	return nil, fmt.Errorf("'%s' object is not reversible", typeName(v))
}

// each calls f with every element of v.
func (r *run) each(v value, f func(value) error) error {
	it, err := r.iterate(v)
	if err != nil {
		return err
	}
	for {
		if err := r.step(1); err != nil {
			return err
		}
		e, ok, err := it.next()
		if err != nil || !ok {
			return err
		}
		if err := f(e); err != nil {
			return err
		}
	}
}

// collect returns the elements of v, paid for.
func (r *run) collect(v value) ([]value, error) {
	var items []value
	err := r.each(v, func(e value) error {
		items = append(items, e)
		return r.take(elementSize)
	})
	return items, err
}
