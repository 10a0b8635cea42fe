package jinja

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// expression reads an expression, with conditions.
func (p *parser) expression() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	line := p.look().line
	e, err := p.or()
	for n := 0; err == nil && p.word("if"); n++ {
		if n > maxChain {
			return nil, errChain
		}
		c := &condExpr{then: e, line: line}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.word("else") {
			c.otherwise, err = p.expression()
		}
		e = c
	}
	return e, err
}

var errChain = fmt.Errorf("a chain of more than %d operations", maxChain)

// tupleEnds reports whether a tuple without brackets ends here.
func (p *parser) tupleEnds() bool {
	t := p.look()
	return t.kind == variableEnd || t.kind == blockEnd || t.is(operator, ")")
}

// tuple reads an expression, or several with commas between: a tuple. In brackets it may be empty.
func (p *parser) tuple(conditions, brackets bool) (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var items []expr
	isTuple := false
	for !p.tupleEnds() {
		read := p.or
		if conditions {
			read = p.expression
		}
		item, err := read()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !p.op(",") {
			break
		}
		isTuple = true
	}
	if !isTuple && len(items) == 1 {
		return items[0], nil
	}
	if !isTuple && !brackets {
		return nil, fmt.Errorf("expected an expression, got %s", p.look())
	}
	return &tupleExpr{items}, nil
}

// chain reads operands with left-associative operators between.
func (p *parser) chain(operand func() (expr, error), operator func() string) (expr, error) {
	left, err := operand()
	for n := 0; err == nil; n++ {
		op := operator()
		if op == "" {
			break
		}
		if n > maxChain {
			return nil, errChain
		}
		var right expr
		right, err = operand()
		left = &binaryExpr{op, left, right}
	}
	return left, err
}

// oneOf returns the operator that is next if it is one of ops, and moves over it.
func (p *parser) oneOf(ops ...string) func() string {
	return func() string {
		if t := p.look(); (t.kind == operator || t.kind == name) && slices.Contains(ops, t.text) {
			return p.next().text
		}
		return ""
	}
}

func (p *parser) or() (expr, error)  { return p.chain(p.and, p.oneOf("or")) }
func (p *parser) and() (expr, error) { return p.chain(p.not, p.oneOf("and")) }

func (p *parser) not() (expr, error) {
	if !p.word("not") {
		return p.compare()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	of, err := p.not()
	return &unaryExpr{"not", of}, err
}

func (p *parser) compare() (expr, error) {
	first, err := p.sum()
	c := &compareExpr{first: first}
	next := p.oneOf("==", "!=", "<", "<=", ">", ">=", "in")
	for err == nil {
		op := next()
		if op == "" && p.look().is(name, "not") && p.after().is(name, "in") {
			p.at += 2
			op = "not in"
		}
		if op == "" {
			break
		}
		var e expr
		e, err = p.sum()
		c.ops, c.rest = append(c.ops, op), append(c.rest, e)
	}
	if len(c.ops) == 0 {
		return first, err
	}
	return c, err
}

func (p *parser) sum() (expr, error) { return p.chain(p.concat, p.oneOf("+", "-")) }

func (p *parser) concat() (expr, error) {
	first, err := p.product()
	parts := []expr{first}
	for err == nil && p.op("~") {
		var e expr
		e, err = p.product()
		parts = append(parts, e)
	}
	if len(parts) == 1 {
		return first, err
	}
	return &concatExpr{parts}, err
}

func (p *parser) product() (expr, error) { return p.chain(p.power, p.oneOf("*", "/", "//", "%")) }

func (p *parser) power() (expr, error) {
	return p.chain(func() (expr, error) { return p.unary(true) }, p.oneOf("**"))
}

// unary reads a sign and what it belongs to. Filters belong to the whole: -1|abs is (-1)|abs.
func (p *parser) unary(filters bool) (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var e expr
	var err error
	if op := p.oneOf("-", "+")(); op != "" {
		e, err = p.unary(false)
		e = &unaryExpr{op, e}
	} else {
		e, err = p.primary()
	}
	if err == nil {
		e, err = p.postfix(e)
	}
	for n := 0; err == nil && filters; n++ {
		if n > maxChain {
			return nil, errChain
		}
		switch t := p.look(); {
		case t.is(operator, "|"):
			p.next()
			e, err = p.filter(e)
		case t.is(name, "is"):
			p.next()
			e, err = p.test(e)
		case t.is(operator, "("):
			e, err = p.call(e)
		default:
			return e, nil
		}
	}
	return e, err
}

func (p *parser) primary() (expr, error) {
	t := p.look()
	switch t.kind {
	case name:
		p.next()
		switch t.text {
		case "true", "True":
			return &literal{true}, nil
		case "false", "False":
			return &literal{false}, nil
		case "none", "None":
			return &literal{nil}, nil
		}
		p.uses.load(t.text)
		return &nameExpr{t.text}, nil
	case text:
		var s strings.Builder
		for p.look().kind == text {
			s.WriteString(p.next().text)
		}
		return &literal{s.String()}, nil
	case integer:
		p.next()
		n, err := strconv.ParseInt(t.text, 0, 64)
		if err != nil {
			return nil, unsupported("the integer %s beyond 64 bits", t.text)
		}
		return &literal{n}, nil
	case float:
		p.next()
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, err
		}
		return &literal{f}, nil
	case operator:
		switch t.text {
		case "(":
			p.next()
			e, err := p.tuple(true, true)
			if err != nil {
				return nil, err
			}
			return e, p.expect(operator, ")")
		case "[":
			p.next()
			items, err := p.items("]")
			return &listExpr{items}, err
		case "{":
			p.next()
			return p.dict()
		}
	}
	return nil, fmt.Errorf("unexpected %s", t)
}

// items reads expressions with commas between, up to a closing bracket.
func (p *parser) items(closing string) ([]expr, error) {
	var items []expr
	for !p.op(closing) {
		if len(items) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return nil, err
			}
			if p.op(closing) {
				break
			}
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func (p *parser) dict() (expr, error) {
	d := &dictExpr{}
	for !p.op("}") {
		if len(d.keys) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return nil, err
			}
			if p.op("}") {
				break
			}
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(operator, ":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, key), append(d.values, value)
	}
	return d, nil
}

// subscript reads .name, .0, [key] and [start:stop:step].
func (p *parser) subscript(of expr) (expr, error) {
	if p.op(".") {
		switch t := p.next(); t.kind {
		case name:
			return &attrExpr{of, t.text}, nil
		case integer:
			n, err := strconv.ParseInt(t.text, 0, 64)
			return &itemExpr{of, &literal{n}}, err
		default:
			return nil, fmt.Errorf("expected a name or a number, got %s", t)
		}
	}
	p.next()
	var start expr
	var err error
	if !p.look().is(operator, ":") {
		if start, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.op(":") {
		return p.slice(&sliceExpr{of: of, start: start})
	}
	if p.op(",") {
		return nil, unsupported("a subscript with commas")
	}
	return &itemExpr{of, start}, p.expect(operator, "]")
}

// slice reads what follows [start: in [start:stop:step].
func (p *parser) slice(s *sliceExpr) (expr, error) {
	var err error
	if t := p.look(); !t.is(operator, ":") && !t.is(operator, "]") {
		if s.stop, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.op(":") && !p.look().is(operator, "]") {
		if s.step, err = p.expression(); err != nil {
			return nil, err
		}
	}
	return s, p.expect(operator, "]")
}
