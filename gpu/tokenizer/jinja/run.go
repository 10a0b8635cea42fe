package jinja

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A run is one render of a template.
type run struct {
	budget
	names  map[string]value // given to the template
	scope  *scope
	out    *strings.Builder
	depth  int // of expressions and statements that are evaluated
	calls  int // of macros and recursive loops that are running
	nested int // lists and dicts around the value that is looked at
}

// Render returns the template's text with the given variables: nil, bool, int, int64, float64, string,
// []any, Pairs and Now.
func (t *Template) Render(ctx context.Context, variables Pairs) (string, error) {
	r := &run{
		budget: budget{ctx: ctx, steps: baseSteps, bytes: baseBytes},
		names:  globals(),
		out:    &strings.Builder{},
	}
	for _, p := range variables {
		v, size, err := fromGo(p.Value)
		if err != nil {
			return "", fmt.Errorf("variable %s: %w", p.Key, err)
		}
		r.names[p.Key] = v
		r.steps += perByte * size
		r.bytes += perByte * size
	}
	r.scope = &scope{}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if _, err := r.execBlock(&t.body); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

// A scope holds the variables that are set in a part of a template: the template itself, one iteration of
// a loop, one call of a macro, a with. Other variables are looked up in the scopes around it.
type scope struct {
	names  []string
	values []value
	index  map[string]int // of names, where they are many
	around *scope
	left   bool // the part has ended
}

// fewNames is how many names are looked through without an index.
const fewNames = 8

// find returns the place of a variable, and -1 if it is not set.
func (s *scope) find(n string) int {
	if s.index != nil {
		if i, ok := s.index[n]; ok {
			return i
		}
		return -1
	}
	return slices.Index(s.names, n)
}

func (s *scope) set(n string, v value) {
	if i := s.find(n); i >= 0 {
		s.values[i] = v
		return
	}
	s.names, s.values = append(s.names, n), append(s.values, v)
	switch {
	case s.index != nil:
		s.index[n] = len(s.names) - 1
	case len(s.names) > fewNames:
		s.index = map[string]int{}
		for i, n := range s.names {
			s.index[n] = i
		}
	}
}

// lookup returns the value of a variable, undefined if it has none.
func (r *run) lookup(n string) (value, error) {
	for s := r.scope; s != nil; s = s.around {
		if i := s.find(n); i >= 0 {
			if _, ok := s.values[i].(missing); ok { // a parameter that has no value yet
				return undefinedName(n), nil
			}
			return s.values[i], nil
		}
		if err := r.step(1); err != nil {
			return nil, err
		}
	}
	if v, ok := r.names[n]; ok {
		return v, nil
	}
	switch n {
	case "lipsum", "self", "super":
		return nil, unsupported("%s", n)
	}
	return undefinedName(n), nil
}

func undefinedName(n string) *undefined { return &undefined{noValue, []any{n}} }

// inside runs f in a scope of its own inside around.
func (r *run) inside(around *scope, f func() error) error {
	outer := r.scope
	s := &scope{around: around}
	r.scope = s
	err := f()
	s.left = true
	r.scope = outer
	return err
}

// capture returns what f writes.
func (r *run) capture(f func() error) (string, error) {
	outer := r.out
	r.out = &strings.Builder{}
	err := f()
	s := r.out.String()
	r.out = outer
	return s, err
}

// write pays for s and writes it.
func (r *run) write(s string) error {
	if err := r.take(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

// nest counts a level of lists and dicts inside each other.
func (r *run) nest() error {
	if r.nested++; r.nested > maxData {
		r.nested = 0 // the render is over
		return fmt.Errorf("lists and dicts are nested more than %d deep", maxData)
	}
	return r.step(1)
}

func (r *run) unnest() { r.nested-- }

// maxDepth bounds the evaluation of expressions and statements inside each other.
const maxDepth = 3000

// enter counts a level of evaluation; the caller lowers r.depth.
func (r *run) enter() error {
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("expressions and statements are nested more than %d deep", maxDepth)
	}
	return r.step(1)
}

// eval returns the value of an expression.
func (r *run) eval(e expr) (value, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	v, err := e.eval(r)
	r.depth--
	return v, err
}

// execAll executes statements up to one that ends a loop or fails.
func (r *run) execAll(list []stmt) (signal, error) {
	for _, s := range list {
		if err := r.enter(); err != nil {
			return proceed, err
		}
		sig, err := s.exec(r)
		r.depth--
		if err != nil || sig != proceed {
			return sig, err
		}
	}
	return proceed, nil
}
