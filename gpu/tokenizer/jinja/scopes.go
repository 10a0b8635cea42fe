package jinja

import "fmt"

// A block is the statements of a part of a template that has variables of its own.
type block struct {
	list []stmt
	// hidden are the variables that the block sets without having read them, not first inside an if, and
	// that no enclosing block has. As with Jinja2's compiler they are undefined inside the block until
	// they are set, even if the template is given variables of the same names.
	hidden []string
}

// execBlock executes a block in the run's scope, which is its own.
func (r *run) execBlock(b *block) (signal, error) {
	for _, n := range b.hidden {
		if _, given := r.names[n]; given {
			r.scope.set(n, missing{})
		}
		if err := r.step(1); err != nil {
			return proceed, err
		}
	}
	return r.execAll(b.list)
}

// symbols are the names that a block reads or sets itself, not in blocks inside of it.
type symbols struct {
	around   *symbols
	names    map[string]bool
	branches int // ifs and conditions around the current statement
	hidden   []string
	inner    []func(around *symbols) // analyses of the blocks inside
	unknown  *error                  // the first unknown filter or test
}

func (s *symbols) known(n string) bool {
	for ; s != nil; s = s.around {
		if s.names[n] {
			return true
		}
	}
	return false
}

func (s *symbols) load(n string) {
	if !s.known(n) {
		s.names[n] = true
	}
}

func (s *symbols) store(n string) {
	if s.names[n] {
		return
	}
	if s.branches == 0 && !s.around.known(n) {
		s.hidden = append(s.hidden, n)
	}
	s.names[n] = true
}

// analyze finds the hidden variables of a block and of those inside of it. declare names what the block
// is given: loop variables, parameters.
func (b *block) analyze(around *symbols, declare func(s *symbols)) {
	s := around.inside()
	if declare != nil {
		declare(s)
	}
	s.statements(b.list)
	b.hidden = s.hidden
	for _, analyze := range s.inner {
		analyze(s)
	}
}

// inside returns the symbols of a part inside.
func (s *symbols) inside() *symbols {
	return &symbols{around: s, names: map[string]bool{}, unknown: s.unknown}
}

// check reports an unknown filter or test. Inside an if it is an error only when it is used.
func (s *symbols) check(what, n string, known bool) {
	if !known && s.branches == 0 && *s.unknown == nil {
		*s.unknown = fmt.Errorf("no %s named %q", what, brief(n))
	}
}

// block notes a block inside, to be looked at when all names of this one are known.
func (s *symbols) block(b *block, declare func(s *symbols)) {
	s.inner = append(s.inner, func(around *symbols) { b.analyze(around, declare) })
}

func (s *symbols) statements(list []stmt) {
	for _, st := range list {
		s.statement(st)
	}
}

func (s *symbols) statement(st stmt) {
	switch st := st.(type) {
	case outputStmt:
		s.read(st.of)
	case ifStmt:
		s.branches++
		s.readAll(st.tests)
		for _, body := range append(st.bodies, st.other) {
			s.statements(body)
		}
		s.branches--
	case forStmt:
		s.read(st.over)
		s.inside().read(st.test)
		s.block(st.body, func(in *symbols) {
			in.names["loop"] = true
			in.declare(st.target)
		})
		s.block(st.other, nil)
	case setStmt:
		s.read(st.of)
		s.assign(st.target)
	case setBlockStmt:
		s.assign(st.target)
		s.inside().read(st.filter)
		s.block(st.body, nil)
	case withStmt:
		for _, v := range st.values {
			s.read(v)
		}
		s.block(st.body, func(in *symbols) {
			for _, t := range st.targets {
				in.declare(t)
			}
		})
	case *macroStmt:
		s.store(st.name)
		s.macro(st)
	case callStmt:
		s.read(st.call)
		s.macro(st.macro)
	case generationStmt:
		s.macro(st.macro)
	case filterStmt:
		s.read(st.filter)
		s.block(st.body, nil)
	}
}

func (s *symbols) macro(m *macroStmt) {
	s.block(m.body, func(in *symbols) {
		for _, n := range append([]string{"caller", "kwargs", "varargs"}, m.params...) {
			in.names[n] = true
		}
		in.readAll(m.defaults)
	})
}

// declare names the variables of a target as given.
func (s *symbols) declare(t target) {
	for _, part := range t.parts {
		s.declare(part)
	}
	if !t.tuple {
		s.names[t.name] = true
	}
}

// assign sets the variables of a target.
func (s *symbols) assign(t target) {
	for _, part := range t.parts {
		s.assign(part)
	}
	switch {
	case t.tuple:
	case t.attr != "":
		s.load(t.name)
	default:
		s.store(t.name)
	}
}

func (s *symbols) readAll(list []expr) {
	for _, e := range list {
		s.read(e)
	}
}

// read reads the variables of an expression.
func (s *symbols) read(e expr) {
	switch e := e.(type) {
	case *nameExpr:
		s.load(e.name)
	case *listExpr:
		s.readAll(e.items)
	case *tupleExpr:
		s.readAll(e.items)
	case *dictExpr:
		s.readAll(e.keys)
		s.readAll(e.values)
	case *unaryExpr:
		s.read(e.of)
	case *binaryExpr:
		s.read(e.left)
		s.read(e.right)
	case *concatExpr:
		s.readAll(e.parts)
	case *compareExpr:
		s.read(e.first)
		s.readAll(e.rest)
	case *condExpr:
		s.branches++
		s.readAll([]expr{e.test, e.then, e.otherwise})
		s.branches--
	case *attrExpr:
		s.read(e.of)
	case *itemExpr:
		s.read(e.of)
		s.read(e.key)
	case *sliceExpr:
		s.readAll([]expr{e.of, e.start, e.stop, e.step})
	case *callExpr:
		s.read(e.of)
		s.arguments(e.args)
	case *filterExpr:
		_, known := filters[e.name]
		s.check("filter", e.name, known)
		s.read(e.of)
		s.arguments(e.args)
	case *testExpr:
		s.check("test", e.name, tests[e.name] != nil)
		s.read(e.of)
		s.arguments(e.args)
	}
}

func (s *symbols) arguments(a arguments) {
	s.readAll(a.positional)
	s.readAll(a.named)
	s.read(a.rest)
	s.read(a.other)
}
