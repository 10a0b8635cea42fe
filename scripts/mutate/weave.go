package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// variable is the environment variable that says which mutant a test binary is.
const variable = "MUTANT"

// chooser is added to a package with mutants in it: it tells which of them is awake.
const chooser = `package %s

import (
	"os"
	"strconv"
)

var awakeMutant = func() int { n, _ := strconv.Atoi(os.Getenv(%q)); return n }()
`

// weave gives the files, by path, of a program in which all mutants of a part sleep and mutant n of them,
// from 1, is woken by number: its function has a mutated copy, to which it hands over. Compiling takes
// most of a mutant's time, and a package with twenty is compiled once. A mutant that stands alone is
// always awake.
func weave(root string, part []Mutant) (map[string]string, error) {
	files := map[string]string{}
	for i, m := range part {
		text, ok := files[m.File]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, m.File))
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		if m.alone {
			files[m.File] = m.apply(text)
			continue
		}
		f, err := locate(m.File, text, m.Old)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		files[m.File] = f.with(m, i+1)
		files[path.Join(m.folder(), "mutant_chooser.go")] = fmt.Sprintf(chooser, f.pkg, variable)
	}
	return files, nil
}

// A function is a declaration in a source. Places are in bytes: where it begins, where its name and its
// body do, and where it ends.
type function struct {
	decl                  *ast.FuncDecl
	pkg, source           string
	from, name, body, end int
	receiver              string   // "t.", or "" of a function that is no method
	args                  []string // its own parameters, to be handed over
}

// locate finds the function that holds the text old. It is nil where none does, or where the function
// cannot be called with its own parameters because one of them has no name.
func locate(file, source, old string) (*function, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, 0)
	if err != nil {
		return nil, err
	}
	at, offset := strings.Index(source, old), func(p token.Pos) int { return set.Position(p).Offset }
	for _, d := range parsed.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok || decl.Body == nil || at <= offset(decl.Body.Lbrace) || at+len(old) >= offset(decl.End()) {
			continue
		}
		f := &function{decl: decl, pkg: parsed.Name.Name, source: source,
			from: offset(decl.Pos()), name: offset(decl.Name.Pos()), body: offset(decl.Body.Lbrace), end: offset(decl.End())}
		if f.readParameters() {
			return f, nil
		}
	}
	return nil, nil
}

// readParameters notes the names to hand over; ok is false where one is missing.
func (f *function) readParameters() (ok bool) {
	if f.decl.Type.TypeParams != nil {
		return false
	}
	for _, p := range f.decl.Type.Params.List {
		for _, n := range p.Names {
			f.args = append(f.args, n.Name)
			if _, many := p.Type.(*ast.Ellipsis); many {
				f.args[len(f.args)-1] += "..."
			}
		}
		if len(p.Names) == 0 {
			return false
		}
	}
	if r := f.decl.Recv; r != nil {
		if len(r.List[0].Names) == 0 {
			return false
		}
		f.receiver = r.List[0].Names[0].Name + "."
	}
	return !slices.Contains(f.args, "_") && f.receiver != "_."
}

// with is the source with the function handing over to a mutated copy of itself if mutant n is awake.
func (f *function) with(m Mutant, n int) string {
	name := fmt.Sprintf("%sMutant%d", f.decl.Name, n)
	call := f.receiver + name + "(" + strings.Join(f.args, ", ") + ")"
	if f.decl.Type.Results != nil {
		call = "return " + call
	} else {
		call += "; return"
	}
	behind := f.name + len(f.decl.Name.Name)
	mutated := f.source[f.from:f.name] + name + f.source[behind:f.body] + m.apply(f.source[f.body:f.end])
	return f.source[:f.body+1] + fmt.Sprintf(" if awakeMutant == %d { %s };", n, call) + f.source[f.body+1:] + "\n" + mutated + "\n"
}
