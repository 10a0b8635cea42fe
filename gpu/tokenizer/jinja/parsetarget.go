package jinja

import "fmt"

// constants are the names that cannot be assigned to.
var constants = map[string]bool{"true": true, "false": true, "none": true, "True": true, "False": true, "None": true}

// stores reports whether assigning to the target assigns to a name.
func (t target) stores(name string) bool {
	for _, part := range t.parts {
		if part.stores(name) {
			return true
		}
	}
	return !t.tuple && t.attr == "" && t.name == name
}

// target reads what is assigned to: names, with brackets and commas, and attributes of namespaces where
// they may stand.
func (p *parser) target(namespaces bool) (target, error) {
	return p.targetTuple(namespaces, false)
}

func (p *parser) targetTuple(namespaces, brackets bool) (target, error) {
	if err := p.enter(); err != nil {
		return target{}, err
	}
	defer p.leave()
	var t target
	for !p.tupleEnds() {
		part, err := p.targetPart(namespaces)
		if err != nil {
			return target{}, err
		}
		t.parts = append(t.parts, part)
		if !p.op(",") {
			break
		}
		t.tuple = true
	}
	if !t.tuple && len(t.parts) == 1 {
		return t.parts[0], nil
	}
	if !t.tuple && !brackets {
		return target{}, fmt.Errorf("expected a name, got %s", p.look())
	}
	t.tuple = true
	return t, nil
}

func (p *parser) targetPart(namespaces bool) (target, error) {
	if p.op("(") {
		// Jinja2 reads what is in brackets as an expression, which has no attributes of namespaces.
		t, err := p.targetTuple(false, true)
		if err != nil {
			return target{}, err
		}
		return t, p.expect(operator, ")")
	}
	n, err := p.expectName()
	if err != nil {
		return target{}, err
	}
	if constants[n] {
		return target{}, fmt.Errorf("cannot assign to %s", n)
	}
	if namespaces && p.op(".") {
		attr, err := p.expectName()
		return target{name: n, attr: attr}, err
	}
	p.uses.store(n)
	return target{name: n}, nil
}
