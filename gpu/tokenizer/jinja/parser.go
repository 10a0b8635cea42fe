package jinja

import (
	"errors"
	"fmt"
	"slices"
)

// A Template is a template that was read.
type Template struct{ body block }

// Parse reads a template.
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%d bytes long, at most %d are read", len(source), maxSource)
	}
	tokens, err := tokenize(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, uses: newUses()}
	body, err := p.statements()
	if err == nil && p.look().kind != end {
		err = fmt.Errorf("unexpected %s", p.look())
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", p.look().line, err)
	}
	t := &Template{block{list: body}}
	t.body.analyze(&symbols{unknown: &err}, nil)
	return t, err
}

// A parser reads the tokens of a template. It is Jinja2's parser, method by method.
type parser struct {
	tokens []token
	at     int
	depth  int   // of expressions and statements inside each other
	loops  int   // for loops around, within the same macro
	uses   *uses // names of the macro that is read
}

// uses are the special names that a macro's body reads before it declares them.
type uses struct{ loaded, declared map[string]bool }

func newUses() *uses { return &uses{map[string]bool{}, map[string]bool{}} }

// load notes that a name is read, store that it is declared.
func (u *uses) load(n string) {
	if !u.declared[n] {
		u.loaded[n] = true
	}
}

func (u *uses) store(n string) { u.declared[n] = true }

func (p *parser) look() token { return p.tokens[p.at] }

// next returns the token and moves on. The last token stays.
func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

func (p *parser) after() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

// skip moves over a token if it is next.
func (p *parser) skip(k kind, text string) bool {
	if p.look().is(k, text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) word(text string) bool { return p.skip(name, text) }
func (p *parser) op(text string) bool   { return p.skip(operator, text) }

func (p *parser) expect(k kind, text string) error {
	if !p.skip(k, text) {
		if text == "" {
			text = token{kind: k}.String()
		}
		return fmt.Errorf("expected %s, got %s", text, p.look())
	}
	return nil
}

func (p *parser) expectName() (string, error) {
	if p.look().kind != name {
		return "", fmt.Errorf("expected a name, got %s", p.look())
	}
	return p.next().text, nil
}

// enter counts a level of nesting; the caller calls leave.
func (p *parser) enter() error {
	if p.depth++; p.depth > 3*maxNesting { // a bracket counts for tuple, expression and operand
		return fmt.Errorf("nested more than %d deep", maxNesting)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// statements reads up to one of the tags ends, which it moves over to its first word, or to the end of
// the template if there are none.
func (p *parser) statements(ends ...string) ([]stmt, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var list []stmt
	for {
		switch t := p.look(); t.kind {
		case data:
			p.next()
			list = append(list, textStmt{t.text})
		case variableBegin:
			p.next()
			of, err := p.tuple(true, false)
			if err != nil {
				return nil, err
			}
			if err := p.expect(variableEnd, ""); err != nil {
				return nil, err
			}
			list = append(list, outputStmt{of})
		case blockBegin:
			p.next()
			if t := p.look(); t.kind == name && slices.Contains(ends, t.text) {
				return list, nil
			}
			s, err := p.statement()
			if err != nil {
				return nil, err
			}
			if err := p.expect(blockEnd, ""); err != nil {
				return nil, err
			}
			list = append(list, s...)
		case end:
			if len(ends) > 0 {
				return nil, fmt.Errorf("unexpected end of template, %s is missing", ends[len(ends)-1])
			}
			return list, nil
		default:
			return nil, fmt.Errorf("unexpected %s", t)
		}
	}
}

// body reads the end of a tag and the statements up to one of ends.
func (p *parser) body(ends ...string) ([]stmt, error) {
	p.op(":")
	if err := p.expect(blockEnd, ""); err != nil {
		return nil, err
	}
	return p.statements(ends...)
}

// bodyTo is body with one end, which it moves over.
func (p *parser) bodyTo(end string) ([]stmt, error) {
	body, err := p.body(end)
	p.next()
	return body, err
}

// blockTo is bodyTo for a part with variables of its own.
func (p *parser) blockTo(end string) (*block, error) {
	body, err := p.bodyTo(end)
	return &block{list: body}, err
}

func one(s stmt, err error) ([]stmt, error) { return []stmt{s}, err }

// statement reads what stands in a tag, without its end.
func (p *parser) statement() ([]stmt, error) {
	tag, err := p.expectName()
	if err != nil {
		return nil, err
	}
	switch tag {
	case "if":
		return one(p.ifStatement())
	case "for":
		return one(p.forStatement())
	case "set":
		return one(p.setStatement())
	case "with":
		return one(p.withStatement())
	case "macro":
		return one(p.macroStatement())
	case "call":
		return one(p.callStatement())
	case "generation":
		macro, err := p.macroBody(&macroStmt{}, "endgeneration")
		return one(generationStmt{macro}, err)
	case "filter":
		filter, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		if filter, err = p.filters(filter); err != nil {
			return nil, err
		}
		body, err := p.blockTo("endfilter")
		return one(filterStmt{filter, body}, err)
	case "print":
		return p.printStatement()
	case "break", "continue":
		if p.loops == 0 {
			return nil, fmt.Errorf("%s outside of a loop", tag)
		}
		return one(loopStmt{map[string]signal{"break": breakLoop, "continue": continueLoop}[tag]}, nil)
	case "include", "import", "from", "extends":
		return nil, fmt.Errorf("%s: a chat template stands alone", tag)
	case "autoescape", "block":
		return nil, unsupported("the tag %s", tag)
	}
	return nil, fmt.Errorf("unknown tag %q", tag)
}

func (p *parser) printStatement() ([]stmt, error) {
	var list []stmt
	for p.look().kind != blockEnd {
		if len(list) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return nil, err
			}
		}
		of, err := p.expression()
		if err != nil {
			return nil, err
		}
		list = append(list, outputStmt{of})
	}
	return list, nil
}

func (p *parser) ifStatement() (stmt, error) {
	s := ifStmt{}
	for {
		test, err := p.tuple(false, false)
		if err != nil {
			return nil, err
		}
		body, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.tests, s.bodies = append(s.tests, test), append(s.bodies, body)
		switch p.next().text {
		case "elif":
			continue
		case "else":
			s.other, err = p.bodyTo("endif")
		}
		return s, err
	}
}

func (p *parser) forStatement() (stmt, error) {
	var s forStmt
	var err error
	if s.target, err = p.target(false); err != nil {
		return nil, err
	}
	if s.target.stores("loop") {
		return nil, errLoop
	}
	if err = p.expect(name, "in"); err != nil {
		return nil, err
	}
	if s.over, err = p.tuple(false, false); err != nil {
		return nil, err
	}
	if p.word("if") {
		if s.test, err = p.expression(); err != nil {
			return nil, err
		}
	}
	s.recursive = p.word("recursive")
	p.loops++
	body, err := p.body("endfor", "else")
	p.loops--
	s.body, s.other = &block{list: body}, &block{}
	if err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		s.other, err = p.blockTo("endfor")
	}
	return s, err
}

var errLoop = errors.New("the variable loop cannot be assigned to inside a loop")

func (p *parser) setStatement() (stmt, error) {
	t, err := p.target(true)
	if err != nil {
		return nil, err
	}
	if p.loops > 0 && t.stores("loop") {
		return nil, errLoop
	}
	if p.op("=") {
		of, err := p.tuple(true, false)
		return setStmt{t, of}, err
	}
	filter, err := p.filters(nil)
	if err != nil {
		return nil, err
	}
	body, err := p.blockTo("endset")
	return setBlockStmt{t, filter, body}, err
}

func (p *parser) withStatement() (stmt, error) {
	var s withStmt
	for p.look().kind != blockEnd {
		if len(s.targets) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return nil, err
			}
		}
		t, err := p.target(false)
		if err != nil {
			return nil, err
		}
		if err := p.expect(operator, "="); err != nil {
			return nil, err
		}
		of, err := p.expression()
		if err != nil {
			return nil, err
		}
		s.targets, s.values = append(s.targets, t), append(s.values, of)
	}
	var err error
	s.body, err = p.blockTo("endwith")
	return s, err
}

func (p *parser) macroStatement() (stmt, error) {
	name, err := p.expectName()
	if err != nil {
		return nil, err
	}
	if constants[name] {
		return nil, fmt.Errorf("cannot assign to %s", name)
	}
	m := &macroStmt{name: name}
	if err := p.signature(m); err != nil {
		return nil, err
	}
	return p.macroBody(m, "endmacro")
}

func (p *parser) callStatement() (stmt, error) {
	m := &macroStmt{}
	if p.look().is(operator, "(") {
		if err := p.signature(m); err != nil {
			return nil, err
		}
	}
	of, err := p.expression()
	if err != nil {
		return nil, err
	}
	call, ok := of.(*callExpr)
	if !ok {
		return nil, fmt.Errorf("expected a call")
	}
	if slices.Contains(call.args.names, "caller") {
		return nil, fmt.Errorf("the argument caller is given twice")
	}
	m, err = p.macroBody(m, "endcall")
	return callStmt{m, call}, err
}

// signature reads the parameters of a macro.
func (p *parser) signature(m *macroStmt) error {
	if err := p.expect(operator, "("); err != nil {
		return err
	}
	for !p.op(")") {
		if len(m.params) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return err
			}
		}
		param, err := p.expectName()
		if err != nil {
			return err
		}
		if constants[param] || slices.Contains(m.params, param) {
			return fmt.Errorf("cannot assign to %s", param)
		}
		m.params = append(m.params, param)
		p.uses.store(param)
		if p.op("=") {
			value, err := p.expression()
			if err != nil {
				return err
			}
			m.defaults = append(m.defaults, value)
		} else if len(m.defaults) > 0 {
			return fmt.Errorf("parameter %s without a default follows one with a default", param)
		}
	}
	return nil
}

// merge returns to the names of the enclosing macro and adds those that were read meanwhile.
func (p *parser) merge(outer *uses) {
	inner := p.uses
	p.uses = outer
	for n := range inner.loaded {
		outer.load(n)
	}
	for n := range inner.declared {
		outer.store(n)
	}
}

// macroBody reads the body of a macro. Like a function, it cannot break a loop around it.
func (p *parser) macroBody(m *macroStmt, end string) (*macroStmt, error) {
	outer, loops := p.uses, p.loops
	p.uses, p.loops = newUses(), 0
	var err error
	m.body, err = p.blockTo(end)
	m.usesCaller = p.uses.loaded["caller"]
	m.usesKwargs = p.uses.loaded["kwargs"] && !slices.Contains(m.params, "kwargs")
	m.usesVarargs = p.uses.loaded["varargs"] && !slices.Contains(m.params, "varargs")
	if k := slices.Index(m.params, "caller"); err == nil && m.usesCaller && k >= 0 {
		if k < len(m.params)-len(m.defaults) {
			err = fmt.Errorf("the parameter caller must be left out or have a default")
		}
		m.usesCaller = false // it is a parameter like any other
	}
	p.merge(outer)
	p.loops = loops
	return m, err
}
