package tokenizer

import (
	"fmt"

	"github.com/nikolalohinski/gonja/v2/builtins"
	controls "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
)

// Bounds on chat templates, which come with a model and need not mean well: they can neither read files
// nor recurse until the stack is full nor count without end.
const (
	maxTemplate = 1 << 16 // bytes of a template; the longest in use have about 2¹⁴
	maxCalls    = 100     // depth of one macro's calls
	maxRange    = 100000  // length of a range, as in Jinja's sandbox
	maxNumbers  = 1 << 20 // length of all ranges in one conversation together
)

// checkTemplate returns an error for a template that is too long or whose brackets are nested too deep for
// the template library's recursive parser.
func checkTemplate(source string) error {
	if len(source) > maxTemplate {
		return fmt.Errorf("%d bytes long, at most %d are read", len(source), maxTemplate)
	}
	depth := 0
	for _, c := range []byte(source) {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
		if depth > maxNesting {
			return fmt.Errorf("brackets nested more than %d deep", maxNesting)
		}
	}
	return nil
}

// statements returns the statements of Jinja that stay within one template, and "generation", with which
// templates for training mark the model's own text.
func statements() *exec.ControlStructureSet {
	all := map[string]parser.ControlStructureParser{"generation": parseGeneration, "macro": parseMacro, "for": parseFor}
	for _, name := range []string{"if", "set", "raw", "filter", "with", "do", "break", "continue", "call"} {
		if parse, ok := builtins.ControlStructures.Get(name); ok {
			all[name] = parse
		}
	}
	return exec.NewControlStructureSet(all)
}

// parseFor refuses loops that call themselves; no template in use has any.
func parseFor(p, args *parser.Parser) (nodes.ControlStructure, error) {
	parse, _ := builtins.ControlStructures.Get("for")
	statement, err := parse(p, args)
	if loop, ok := statement.(*controls.ForControlStructure); err == nil && ok && loop.Recursive {
		return nil, fmt.Errorf("recursive loops are not supported")
	}
	return statement, err
}

// A boundedMacro is a macro whose calls cannot be nested without end. One goroutine at a time runs it.
type boundedMacro struct {
	*controls.MacroControlStructure
	depth int
}

func parseMacro(p, args *parser.Parser) (nodes.ControlStructure, error) {
	parse, _ := builtins.ControlStructures.Get("macro")
	statement, err := parse(p, args)
	if macro, ok := statement.(*controls.MacroControlStructure); err == nil && ok {
		return &boundedMacro{MacroControlStructure: macro}, nil
	}
	return statement, err
}

// Execute defines the macro.
func (m *boundedMacro) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	call, err := exec.MacroNodeToFunc(m.Macro, r)
	if err != nil {
		return err
	}
	r.Environment.Context.Set(m.Name, exec.Macro(func(params *exec.VarArgs) *exec.Value {
		if m.depth >= maxCalls {
			return exec.AsValue(fmt.Errorf("macro %s calls itself more than %d deep", m.Name, maxCalls))
		}
		m.depth++
		defer func() { m.depth-- }()
		return call(params)
	}))
	return nil
}

// A generation is the statement {% generation %} … {% endgeneration %}, which writes what is inside.
type generation struct{ *nodes.Wrapper }

func parseGeneration(p, _ *parser.Parser) (nodes.ControlStructure, error) {
	inside, _, err := p.WrapUntil("endgeneration")
	return generation{inside}, err
}

// Execute writes what is inside.
func (g generation) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	return r.ExecuteWrapper(g.Wrapper)
}

// boundedRange returns Python's range for one conversation.
func boundedRange() func(params *exec.VarArgs) ([]int, error) {
	left := maxNumbers
	return func(params *exec.VarArgs) ([]int, error) {
		bounds := make([]int, len(params.Args))
		for i, arg := range params.Args {
			if !arg.IsInteger() {
				return nil, fmt.Errorf("range of %s", arg)
			}
			bounds[i] = arg.Integer()
		}
		start, step := 0, 1
		switch len(bounds) {
		case 1:
		case 3:
			step = bounds[2]
			fallthrough
		case 2:
			start = bounds[0]
			bounds = bounds[1:]
		default:
			return nil, fmt.Errorf("range with %d bounds", len(bounds))
		}
		if step == 0 {
			return nil, fmt.Errorf("range in steps of 0")
		}
		var list []int
		for i := start; step > 0 && i < bounds[0] || step < 0 && i > bounds[0]; i += step {
			if left--; left < 0 || len(list) == maxRange {
				return nil, fmt.Errorf("range of more than %d numbers", min(len(list), maxRange))
			}
			list = append(list, i)
		}
		return list, nil
	}
}
