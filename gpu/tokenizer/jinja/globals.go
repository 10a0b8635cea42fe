package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// globals returns the names that every template has.
func globals() map[string]value {
	names := map[string]value{}
	for n, f := range map[string]func(*run, args) (value, error){
		"range": newRange, "dict": newDictValue, "namespace": newNamespace, "cycler": newCycler, "joiner": newJoiner,
		"raise_exception": raise,
	} {
		names[n] = &function{n, f}
	}
	return names
}

// maxMessage bounds the message of raise_exception, in characters.
const maxMessage = 2000

// A Raised is the error of a template that calls raise_exception, with the beginning of its message.
type Raised struct{ Message string }

func (e *Raised) Error() string { return e.Message }

func raise(r *run, a args) (value, error) {
	p, err := a.bind("raise_exception", "message")
	if err == nil {
		err = need("raise_exception", p, 1)
	}
	if err != nil {
		return nil, err
	}
	message, err := r.str(p[0])
	if err != nil {
		return nil, err
	}
	return nil, &Raised{strings.Clone(message[:byteOffset(message, maxMessage)])}
}

func newRange(_ *run, a args) (value, error) {
	p, err := a.bindPositional("range", "start", "stop", "step")
	if err == nil {
		err = need("range", p, 1)
	}
	if err != nil {
		return nil, err
	}
	var bounds [3]int64
	for i, v := range []value{p[0], or(p[1], int64(0)), or(p[2], int64(1))} {
		n, err := integerArg("range", v)
		if err != nil {
			return nil, err
		}
		bounds[i] = int64(n)
	}
	s := span{bounds[0], bounds[1], bounds[2]}
	if _, ok := p[1].(missing); ok {
		s.start, s.stop = 0, s.start
	}
	const far = 1 << 60 // so that differences fit
	switch {
	case s.step == 0:
		return nil, errors.New("range: the step must not be zero")
	case max(s.start, s.stop, s.step) > far || min(s.start, s.stop, s.step) < -far:
		return nil, errInteger
	case s.len() > maxRange:
		return nil, fmt.Errorf("range of more than %d numbers", maxRange)
	}
	return s, nil
}

func newDictValue(r *run, a args) (value, error) { return r.newDictOf(a) }

func newNamespace(r *run, a args) (value, error) {
	d, err := r.newDictOf(a)
	if err != nil {
		return nil, err
	}
	for _, key := range d.keys {
		if s, ok := asText(key); ok {
			if err := namespaceName(s); err != nil {
				return nil, err
			}
		}
	}
	return &namespace{d}, r.take(objectSize)
}

// A cycler gives its items in turn.
type cycler struct {
	items []value
	at    int
}

func newCycler(r *run, a args) (value, error) {
	if len(a.names) > 0 || len(a.positional) == 0 {
		return nil, errors.New("cycler: at least one item has to be provided")
	}
	return &cycler{items: a.positional}, r.take(objectSize)
}

func (c *cycler) attribute(n string) (value, bool, error) {
	switch n {
	case "items":
		return &tuple{items: c.items}, true, nil
	case "pos":
		return int64(c.at), true, nil
	case "current":
		return c.items[c.at], true, nil
	case "next":
		return &function{n, func(_ *run, a args) (value, error) {
			v := c.items[c.at]
			c.at = (c.at + 1) % len(c.items)
			_, err := a.bind("next")
			return v, err
		}}, true, nil
	case "reset":
		return &function{n, func(_ *run, a args) (value, error) {
			c.at = 0
			_, err := a.bind("reset")
			return nil, err
		}}, true, nil
	}
	return nil, false, nil
}

// A joiner gives nothing when it is called first, then its separator.
type joiner struct {
	separator value
	used      bool
}

func newJoiner(r *run, a args) (value, error) {
	p, err := a.bind("joiner", "sep")
	if err != nil {
		return nil, err
	}
	return &joiner{separator: or(p[0], ", ")}, r.take(objectSize)
}

func (j *joiner) attribute(n string) (value, bool, error) {
	switch n {
	case "sep":
		return j.separator, true, nil
	case "used":
		return j.used, true, nil
	}
	return nil, false, nil
}
