package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheListFitsTheProgram keeps refactoring from silently taking mutants off the list: each old text
// stands in its file once, each test that must notice is there, and the new text can be parsed.
func TestTheListFitsTheProgram(t *testing.T) {
	list := mutants()
	if len(list) < 40 {
		t.Errorf("%d mutants, want at least 40", len(list))
	}
	for _, p := range check(filepath.Join("..", ".."), list) {
		t.Error(p)
	}
}

// module writes a module of one package with a test, and gives its folder.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/sum\n\ngo 1.26\n",
		"sum/sum.go": `package sum

const step = 1

// A Counter counts.
type Counter struct{ n int }

// Sum adds.
func Sum(a, b int) int {
	return a + b
}

// Name names.
func Name() string { return "sum" }

// Add counts all of by.
func (c *Counter) Add(by ...int) {
	for _, n := range by {
		c.n += step * n
	}
}

func half(_ string, n int) (m int, err error) { return n / 2, nil }

func largest[T ~int](a, b T) T { return max(a, b) }
`,
		"sum/s_test.go": `package sum

import "testing"

func TestSum(t *testing.T) {
	if Sum(1, 2) != 3 {
		t.Fatal("wrong")
	}
}

func TestAdd(t *testing.T) {
	var c Counter
	if c.Add(1, 2); c.n != 3 {
		t.Fatal("wrong")
	}
}

func TestHalf(t *testing.T) {
	if n, err := half("", 4); n != 2 || err != nil || largest(1, 2) != 2 {
		t.Fatal("wrong")
	}
}

func TestLong(t *testing.T) {
	if !testing.Short() {
		t.Fatal("fails where the tests are not short")
	}
}
`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestMutantsDieOrSurvive runs go on a small module: mutants that a test notices, in functions of every
// form and outside of any, and one that none notices. No file of the module changes.
func TestMutantsDieOrSurvive(t *testing.T) {
	dir := module(t)
	before, err := os.ReadFile(filepath.Join(dir, "sum", "sum.go"))
	if err != nil {
		t.Fatal(err)
	}
	list := []Mutant{
		{Name: "noticed", File: "sum/sum.go", Old: "a + b", New: "a - b", Wrong: "it subtracts", Tests: "TestSum"},
		{Name: "unnoticed", File: "sum/sum.go", Old: `"sum"`, New: `"difference"`, Wrong: "it has another name"},
		{Name: "panics", File: "sum/sum.go", Old: "return a + b", New: `panic("no sum")`, Wrong: "it ends the program"},
		{Name: "method", File: "sum/sum.go", Old: "c.n += ", New: "c.n = ", Wrong: "it counts one", Tests: "TestAdd"},
		{Name: "constant", File: "sum/sum.go", Old: "step = 1", New: "step = 2", Wrong: "it counts twice"},
		{Name: "nameless", File: "sum/sum.go", Old: "n / 2", New: "n / 3", Wrong: "it is a third", Tests: "TestHalf"},
		{Name: "generic", File: "sum/sum.go", Old: "max(a, b)", New: "min(a, b)", Wrong: "it is the smallest", Tests: "TestHalf"},
		{Name: "endless", File: "sum/sum.go", Old: "for _, n := range by {", New: "for _, n := range by {\n\t\tif n > 1 { panic(\"test timed out\") }", Wrong: "it never ends"},
	}
	if problems := check(dir, list); len(problems) > 0 {
		t.Fatalf("%q", problems)
	}
	var out bytes.Buffer
	err = runner{root: dir, out: &out}.run(context.Background(), list)
	if err == nil || err.Error() != "not killed: unnoticed" {
		t.Errorf("error %v, want the one that survives", err)
	}
	for _, want := range []string{`noticed .* killed by TestSum\n`, `unnoticed .* SURVIVED: it has another name\n`, `panics .* killed by TestSum\n`, `method .* killed by TestAdd\n`,
		`constant .* killed by TestAdd\n`, `nameless .* killed by TestHalf\n`, `generic .* killed by TestHalf\n`, `endless .* killed by the time limit\n`, `8 mutants, 7 killed, in `} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no line %q in:\n%s", want, &out)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir, "sum", "sum.go")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// TestAMutantThatDoesNotCompileIsFound among others of its package, which are tried all the same.
func TestAMutantThatDoesNotCompileIsFound(t *testing.T) {
	list := []Mutant{
		{Name: "noticed", File: "sum/sum.go", Old: "a + b", New: "a - b", Wrong: "it subtracts", Tests: "TestSum"},
		{Name: "nonsense", File: "sum/sum.go", Old: "return a", New: "return c", Wrong: "it adds nothing"},
	}
	var out bytes.Buffer
	err := runner{root: module(t), out: &out}.run(context.Background(), list)
	if err == nil || err.Error() != "not killed: nonsense" || !regexp.MustCompile(`noticed .* killed by TestSum\n.*nonsense .* DOES NOT COMPILE:\n(?s:.*)undefined: c`).MatchString(out.String()) {
		t.Errorf("error %v:\n%s", err, &out)
	}
}

// TestSickProgramsAreNotTested: tests that fail without any mutant would kill every one.
func TestSickProgramsAreNotTested(t *testing.T) {
	dir := module(t)
	path := filepath.Join(dir, "sum", "s_test.go")
	if err := os.WriteFile(path, []byte("package sum\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) { t.Fatal(\"always\") }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list := []Mutant{{Name: "noticed", File: "sum/sum.go", Old: "a + b", New: "a - b", Wrong: "it subtracts", Tests: "TestSum"}}
	var out bytes.Buffer
	err := runner{root: dir, out: &out}.run(context.Background(), list)
	if err == nil || !strings.HasPrefix(err.Error(), "tests of sum fail without any mutant:") {
		t.Errorf("error %v", err)
	}
}

// TestListsThatDoNotFitAreRefused names what is wrong.
func TestListsThatDoNotFitAreRefused(t *testing.T) {
	dir := module(t)
	good := Mutant{Name: "good", File: "sum/sum.go", Old: "a + b", New: "a - b", Wrong: "it subtracts", Tests: "TestSum"}
	for want, change := range map[string]func(*Mutant){
		"the old text occurs 0 times":          func(m *Mutant) { m.Old = "a * b" },
		"the old text occurs 4 times":          func(m *Mutant) { m.Old = "return" },
		"the new text is no Go":                func(m *Mutant) { m.New = "a +" },
		`no test in sum matches "TestGone"`:    func(m *Mutant) { m.Tests = "TestGone" },
		"name, reason and two different texts": func(m *Mutant) { m.New = m.Old },
		"reason and two":                       func(m *Mutant) { m.Wrong = "" },
		"no such file":                         func(m *Mutant) { m.File = "sum/gone.go" },
		"missing closing )":                    func(m *Mutant) { m.Tests = "Test(" },
	} {
		m := good
		change(&m)
		if problems := check(dir, []Mutant{m}); !strings.Contains(strings.Join(problems, "\n"), want) {
			t.Errorf("%+v: %q, want %q", m, problems, want)
		}
	}
	if problems := check(dir, []Mutant{good, good}); !slices.Equal(problems, []string{"good: the name is given twice"}) {
		t.Errorf("twice: %q", problems)
	}
	if problems := check(dir, []Mutant{good}); len(problems) > 0 {
		t.Errorf("a good one: %q", problems)
	}
}

// TestASampleFollowsItsSeed: the same seed chooses the same mutants, and seeds in turn choose all.
func TestASampleFollowsItsSeed(t *testing.T) {
	all, every := mutants(), regexp.MustCompile("")
	seen := map[string]bool{}
	for i := range 1000 {
		a, b := choose(all, every, 6, string(rune('a'+i))), choose(all, every, 6, string(rune('a'+i)))
		if !slices.Equal(a, b) || len(a) != 6 {
			t.Fatalf("seed %d chose %v, then %v", i, a, b)
		}
		for _, m := range a {
			seen[m.Name] = true
		}
	}
	// A mutant is missed by 1000 samples of 6 of 500 with probability (1 − 6/500)¹⁰⁰⁰ < 10⁻⁵.
	if len(seen) != len(all) {
		t.Errorf("1000 seeds chose %d of %d mutants", len(seen), len(all))
	}
	if got := choose(all, regexp.MustCompile("^trial/"), 0, ""); len(got) != len(trialMutants) {
		t.Errorf("-run ^trial/ chose %d, want %d", len(got), len(trialMutants))
	}
}

// TestJudgeReadsWhatTestsSay judges outputs of test binaries.
func TestJudgeReadsWhatTestsSay(t *testing.T) {
	for _, c := range []struct {
		out    string
		passed bool
		end    fate
		by     string
	}{
		{"PASS\n", true, survived, ""},
		{"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\nFAIL\n", false, killed, "TestA"},
		{"panic: test timed out after 2m0s\n\trunning tests:\nFAIL\n", false, killed, "the time limit"},
		{"fatal error: all goroutines are asleep\n", false, killed, "the end of the process"},
	} {
		if end, by := judge(c.out, c.passed); end != c.end || by != c.by {
			t.Errorf("%q: %d %q, want %d %q", c.out, end, by, c.end, c.by)
		}
	}
}
