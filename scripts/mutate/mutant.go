package main

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Mutant is one wrong line.
type Mutant struct {
	Name     string // "area/what is wrong", unique
	File     string // path from the module's root
	Old, New string // Old occurs in File exactly once
	Wrong    string // what would be wrong with an experiment
	Tests    string // expression for the names of the tests in the same folder that must notice, as go test -run takes it; empty: all

	alone bool // needs a program of its own; see [weave]
}

// folder is where the mutant and its tests are.
func (m Mutant) folder() string { return path.Dir(m.File) }

// apply gives the mutated source.
func (m Mutant) apply(source string) string { return strings.Replace(source, m.Old, m.New, 1) }

// mutants is the whole list.
func mutants() []Mutant {
	return slices.Concat(linearMutants, ridgeMutants, kernelMutants, eigenMutants, trialMutants, transformMutants, judgeMutants, recipeMutants, pipelineMutants, sweepMutants, gpuMutants, cpuMutants, xlaMutants, storeMutants, growthMutants)
}

// choose gives the mutants whose names match, or n of them: those whose names, hashed with the seed,
// come first.
func choose(all []Mutant, match *regexp.Regexp, n int, seed string) []Mutant {
	var out []Mutant
	for _, m := range all {
		if match.MatchString(m.Name) {
			out = append(out, m)
		}
	}
	if n <= 0 || n >= len(out) {
		return out
	}
	rank := func(m Mutant) string {
		sum := sha256.Sum256([]byte(seed + "\n" + m.Name))
		return string(sum[:])
	}
	slices.SortFunc(out, func(a, b Mutant) int { return strings.Compare(rank(a), rank(b)) })
	return out[:n]
}

// check reports what keeps a list from being applied to the module at root: it is what refactoring
// would break unseen.
func check(root string, list []Mutant) (problems []string) {
	names := map[string]bool{}
	for _, m := range list {
		for _, p := range m.check(root) {
			problems = append(problems, m.Name+": "+p)
		}
		if names[m.Name] {
			problems = append(problems, m.Name+": the name is given twice")
		}
		names[m.Name] = true
	}
	return problems
}

func (m Mutant) check(root string) (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if m.Name == "" || m.Wrong == "" || m.Old == "" || m.Old == m.New {
		add("name, reason and two different texts are needed")
	}
	source, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		add("%v", err)
		return problems
	}
	if n := strings.Count(string(source), m.Old); n != 1 {
		add("the old text occurs %d times in %s: %q", n, m.File, m.Old)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), m.File, m.apply(string(source)), 0); err != nil {
		add("the new text is no Go: %v", err)
	}
	tests, err := testsIn(filepath.Join(root, m.folder()))
	if err != nil {
		add("%v", err)
		return problems
	}
	match, err := regexp.Compile(m.Tests)
	if err != nil {
		add("%v", err)
	} else if !slices.ContainsFunc(tests, match.MatchString) {
		add("no test in %s matches %q", m.folder(), m.Tests)
	}
	return problems
}

// testsIn lists the test functions of a folder.
func testsIn(folder string) (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names, nil
}
