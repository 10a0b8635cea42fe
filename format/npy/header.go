package npy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A dictionary is the header of a file. descr is empty for a list, which describes a structured array.
type dictionary struct {
	descr   string
	fortran bool
	shape   []int
}

// A literal reads the few forms of Python that a header may have. The first error ends it.
type literal struct {
	rest string
	err  error
}

// parse reads a header: a dictionary of exactly the three keys, in any order, and blanks after it.
func parse(text string) (d dictionary, err error) {
	p := &literal{rest: text}
	seen := map[string]bool{}
	p.expect("{")
	for p.err == nil && !p.next("}") {
		key := p.quoted()
		if seen[key] {
			return d, fmt.Errorf("%q occurs twice", key)
		}
		seen[key] = true
		p.expect(":")
		switch key {
		case "descr":
			if p.blank(); strings.HasPrefix(p.rest, "[") {
				return d, nil // typeOf refuses it by its name
			}
			if d.descr = p.quoted(); p.err == nil && d.descr == "" {
				p.fail("an empty type")
			}
		case "fortran_order":
			d.fortran = p.truth()
		case "shape":
			d.shape = p.tuple()
		default:
			p.fail(fmt.Sprintf("unknown key %.40q", key))
		}
		if !p.next(",") {
			p.expect("}")
			break
		}
	}
	if p.blank(); p.err == nil && p.rest != "" {
		p.fail("text after the dictionary")
	}
	if p.err == nil && len(seen) != 3 {
		p.fail("descr, fortran_order and shape are not all there")
	}
	return d, p.err
}

func (p *literal) fail(what string) {
	if p.err == nil {
		p.err = errors.New(what)
	}
}

func (p *literal) blank() { p.rest = strings.TrimLeft(p.rest, " \t\n\r") }

// next takes a sign if it comes next.
func (p *literal) next(sign string) bool {
	if p.blank(); p.err != nil {
		return false
	}
	rest, ok := strings.CutPrefix(p.rest, sign)
	p.rest = rest
	return ok
}

func (p *literal) expect(sign string) {
	if !p.next(sign) {
		p.fail(fmt.Sprintf("%.20q where %q belongs", p.rest, sign))
	}
}

// quoted reads a text without escapes, which no key or type has.
func (p *literal) quoted() string {
	p.blank()
	if p.err != nil || p.rest == "" || p.rest[0] != '\'' && p.rest[0] != '"' {
		p.fail(fmt.Sprintf("%.20q where a text belongs", p.rest))
		return ""
	}
	text, rest, ok := strings.Cut(p.rest[1:], p.rest[:1])
	if !ok || strings.Contains(text, `\`) {
		p.fail(fmt.Sprintf("%.20q is no text that is read", p.rest))
		return ""
	}
	p.rest = rest
	return text
}

func (p *literal) truth() bool {
	if p.next("True") {
		return true
	}
	p.expect("False")
	return false
}

// tuple reads sizes: (), (3,), (3, 4).
func (p *literal) tuple() []int {
	shape := []int{}
	p.expect("(")
	for p.err == nil && !p.next(")") {
		digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789"))]
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || uint64(int(n)) != n {
			p.fail(fmt.Sprintf("%.20q where a size belongs", p.rest))
			break
		}
		if p.rest = p.rest[len(digits):]; len(shape) == maxRank {
			p.fail(fmt.Sprintf("more than %d dimensions", maxRank))
		}
		shape = append(shape, int(n))
		if !p.next(",") {
			p.expect(")")
			break
		}
	}
	return shape
}
