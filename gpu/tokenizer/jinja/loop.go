package jinja

import "fmt"

// A loop is the variable loop inside a for.
type loop struct {
	over    value // what is looped over, for its length
	it      *iterator
	index0  int
	depth0  int
	size    int     // -1: not known yet
	after   []value // the next element, if it was looked at
	ended   bool
	current value
	before  value
	changed value                                      // *tuple of the arguments of changed(), nil before its first call
	recurse func(over value, depth int) (value, error) // nil if the loop is not recursive
}

// advance moves to the next element and returns false at the end.
func (l *loop) advance() (bool, error) {
	v, ok, err := l.peek()
	if err != nil || !ok {
		return false, err
	}
	l.after = nil
	l.index0++
	l.before, l.current = l.current, v
	return true, nil
}

// peek returns the next element.
func (l *loop) peek() (value, bool, error) {
	if len(l.after) > 0 {
		return l.after[0], true, nil
	}
	if l.ended {
		return nil, false, nil
	}
	v, ok, err := l.it.next()
	if err != nil || !ok {
		l.ended = true
		return nil, false, err
	}
	l.after = []value{v}
	return v, true, nil
}

// length returns the number of elements, for which it collects those of a generator.
func (l *loop) length(r *run) (int, error) {
	if l.size >= 0 {
		return l.size, nil
	}
	n, ok, err := r.length(l.over)
	if err != nil {
		return 0, err
	}
	if !ok {
		rest, err := r.collect(l.it)
		if err != nil {
			return 0, err
		}
		if l.it, err = r.iterate(&list{rest}); err != nil {
			return 0, err
		}
		n = len(rest) + l.index0 + 1 + len(l.after)
	}
	l.size = n
	return n, nil
}

func (l *loop) attribute(r *run, n string) (value, bool, error) {
	switch n {
	case "index":
		return int64(l.index0 + 1), true, nil
	case "index0":
		return int64(l.index0), true, nil
	case "depth":
		return int64(l.depth0 + 1), true, nil
	case "depth0":
		return int64(l.depth0), true, nil
	case "first":
		return l.index0 == 0, true, nil
	case "last":
		_, more, err := l.peek()
		return !more, true, err
	case "length", "revindex", "revindex0":
		n0, err := l.length(r)
		switch n {
		case "revindex":
			n0 -= l.index0
		case "revindex0":
			n0 -= l.index0 + 1
		}
		return int64(n0), true, err
	case "previtem":
		if l.index0 == 0 {
			return &undefined{why: "there is no previous item"}, true, nil
		}
		return l.before, true, nil
	case "nextitem":
		v, more, err := l.peek()
		if !more {
			return &undefined{why: "there is no next item"}, true, err
		}
		return v, true, err
	case "cycle":
		return &function{n, l.cycle}, true, nil
	case "changed":
		return &function{n, l.hasChanged}, true, nil
	}
	return nil, false, nil
}

func (l *loop) cycle(_ *run, a args) (value, error) {
	if len(a.names) > 0 || len(a.positional) == 0 {
		return nil, fmt.Errorf("no items for cycling given")
	}
	return a.positional[l.index0%len(a.positional)], nil
}

func (l *loop) hasChanged(r *run, a args) (value, error) {
	if len(a.names) > 0 {
		return nil, fmt.Errorf("changed takes no keyword arguments")
	}
	now := &tuple{items: a.positional}
	if l.changed != nil {
		if same, err := r.equal(l.changed, now); err != nil || same {
			return false, err
		}
	}
	l.changed = now
	return true, nil
}

func (s forStmt) exec(r *run) (signal, error) {
	over, err := r.eval(s.over)
	if err != nil {
		return proceed, err
	}
	if !s.recursive {
		return s.loop(r, over, 0, nil)
	}
	around := r.scope
	var recurse func(value, int) (value, error)
	recurse = func(over value, depth int) (value, error) {
		if r.calls++; r.calls > maxCalls {
			return nil, fmt.Errorf("a recursive loop is nested more than %d deep", maxCalls)
		}
		defer func() { r.calls-- }()
		outer := r.scope
		r.scope = around
		text, err := r.capture(func() error {
			_, err := s.loop(r, over, depth, recurse)
			return err
		})
		r.scope = outer
		return text, err
	}
	v, err := recurse(over, 0)
	if err != nil {
		return proceed, err
	}
	return proceed, r.writeText("for", v)
}

// loop runs the loop over a value.
func (s forStmt) loop(r *run, over value, depth int, recurse func(value, int) (value, error)) (signal, error) {
	it, err := r.iterate(over)
	if err != nil {
		return proceed, err
	}
	l := &loop{over: over, it: it, index0: -1, depth0: depth, size: -1, recurse: recurse}
	if s.test != nil {
		l.it = s.filtered(r, it)
		l.over = l.it
	}
	around := r.scope
	ran := false // whether an iteration came to its end
	for {
		more, err := l.advance()
		if err != nil {
			return proceed, err
		}
		if !more {
			break
		}
		var sig signal
		err = r.inside(around, func() (err error) {
			if err = r.assign(s.target, l.current); err != nil {
				return err
			}
			r.scope.set("loop", l)
			sig, err = r.execBlock(s.body)
			return err
		})
		if err != nil {
			return proceed, err
		}
		if sig == breakLoop {
			break
		}
		ran = ran || sig == proceed
	}
	if ran {
		return proceed, nil
	}
	// As in Jinja2, a loop whose iterations all end with break or continue counts as one without any.
	var sig signal
	err = r.inside(around, func() (err error) {
		sig, err = r.execBlock(s.other)
		return err
	})
	return sig, err
}

// filtered gives the elements of which the loop's condition holds.
func (s forStmt) filtered(r *run, it *iterator) *iterator {
	around := r.scope
	return &iterator{func() (value, bool, error) {
		for {
			v, ok, err := it.next()
			if err != nil || !ok {
				return nil, false, err
			}
			outer, holds := r.scope, false
			err = r.inside(around, func() error {
				if err := r.assign(s.target, v); err != nil {
					return err
				}
				t, err := r.eval(s.test)
				if err != nil {
					return err
				}
				holds, err = r.truth(t)
				return err
			})
			r.scope = outer
			if err != nil || holds {
				return v, holds, err
			}
		}
	}}
}
