package jinja

import "fmt"

// arguments reads those of a call, with their brackets.
func (p *parser) arguments() (arguments, error) {
	var a arguments
	if err := p.expect(operator, "("); err != nil {
		return a, err
	}
	for first := true; !p.op(")"); first = false {
		if !first {
			if err := p.expect(operator, ","); err != nil {
				return a, err
			}
			if p.op(")") {
				break
			}
		}
		if err := p.argument(&a); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (p *parser) argument(a *arguments) error {
	var err error
	ok := a.other == nil
	switch {
	case p.op("*"):
		ok = ok && a.rest == nil
		a.rest, err = p.expression()
	case p.op("**"):
		a.other, err = p.expression()
	case p.look().kind == name && p.after().is(operator, "="):
		for _, n := range a.names {
			ok = ok && n != p.look().text
		}
		a.names = append(a.names, p.look().text)
		p.at += 2
		var e expr
		e, err = p.expression()
		a.named = append(a.named, e)
	default:
		ok = ok && a.rest == nil && len(a.names) == 0
		var e expr
		e, err = p.expression()
		a.positional = append(a.positional, e)
	}
	if err == nil && !ok {
		err = fmt.Errorf("invalid syntax for the arguments of a call")
	}
	return err
}

func (p *parser) call(of expr) (expr, error) {
	args, err := p.arguments()
	return &callExpr{of, args}, err
}

// dotted reads a name that may have dots.
func (p *parser) dotted() (string, error) {
	full, err := p.expectName()
	for err == nil && p.op(".") {
		var part string
		part, err = p.expectName()
		full += "." + part
	}
	return full, err
}

// filter reads the name of a filter and its arguments.
func (p *parser) filter(of expr) (expr, error) {
	n, err := p.dotted()
	f := &filterExpr{of: of, name: n}
	if err == nil && p.look().is(operator, "(") {
		f.args, err = p.arguments()
	}
	return f, err
}

// filters reads | and a filter, as often as there are any.
func (p *parser) filters(of expr) (expr, error) {
	var err error
	for n := 0; err == nil && p.op("|"); n++ {
		if n > maxChain {
			return nil, errChain
		}
		of, err = p.filter(of)
	}
	return of, err
}

// test reads the name of a test and its arguments. One argument needs no brackets.
func (p *parser) test(of expr) (expr, error) {
	negated := p.word("not")
	n, err := p.dotted()
	t := &testExpr{of: of, name: n}
	if err != nil {
		return nil, err
	}
	switch next := p.look(); {
	case next.is(operator, "("):
		t.args, err = p.arguments()
	case next.is(name, "else") || next.is(name, "or") || next.is(name, "and"):
	case next.is(name, "is"):
		return nil, fmt.Errorf("tests cannot be chained with is")
	case next.kind == name || next.kind == text || next.kind == integer || next.kind == float || next.is(operator, "[") || next.is(operator, "{"):
		var arg expr
		if arg, err = p.primary(); err != nil {
			return nil, err
		}
		if arg, err = p.postfix(arg); err != nil {
			return nil, err
		}
		t.args.positional = []expr{arg}
	}
	if negated {
		return &unaryExpr{"not", t}, err
	}
	return t, err
}

// postfix reads subscripts and calls.
func (p *parser) postfix(e expr) (expr, error) {
	var err error
	for n := 0; err == nil; n++ {
		if n > maxChain {
			return nil, errChain
		}
		switch t := p.look(); {
		case t.is(operator, ".") || t.is(operator, "["):
			e, err = p.subscript(e)
		case t.is(operator, "("):
			e, err = p.call(e)
		default:
			return e, nil
		}
	}
	return e, err
}
