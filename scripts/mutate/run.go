package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A runner applies mutants to the module at root, one after the other.
type runner struct {
	root string
	out  io.Writer
}

// A fate is what became of a mutant.
type fate int

const (
	killed   fate = iota
	survived      // every test passed
	unbuilt       // it does not compile: a mistake of the list
)

// run reports an error unless every mutant is killed.
func (r runner) run(ctx context.Context, list []Mutant) error {
	begun := time.Now()
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var alive []string
	done := 0
	report := func(m Mutant, took time.Duration, end fate, by string) {
		done++
		word := map[fate]string{killed: "killed by " + by, survived: "SURVIVED: " + m.Wrong, unbuilt: "DOES NOT COMPILE:\n" + by}[end]
		fmt.Fprintf(r.out, "%3d/%d %-52s %5.1fs  %s\n", done, len(list), m.Name, took.Seconds(), word)
		if end != killed {
			alive = append(alive, m.Name)
		}
	}
	split, err := parts(r.root, list)
	if err != nil {
		return err
	}
	for i, part := range split {
		if err := r.runPart(ctx, filepath.Join(dir, strconv.Itoa(i)), part, report); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.out, "%d mutants, %d killed, in %s\n", len(list), len(list)-len(alive), time.Since(begun).Round(time.Second))
	if len(alive) > 0 {
		return fmt.Errorf("not killed: %s", strings.Join(alive, ", "))
	}
	return nil
}

// parts groups mutants that one test binary can hold: those of one folder inside of functions. Any other
// is a part by itself.
func parts(root string, list []Mutant) (parts [][]Mutant, err error) {
	at := map[string]int{}
	for _, m := range list {
		source, err := os.ReadFile(filepath.Join(root, m.File))
		if err != nil {
			return nil, err
		}
		if f, err := locate(m.File, string(source), m.Old); err != nil {
			return nil, err
		} else if f == nil {
			m.alone = true
			parts = append(parts, []Mutant{m})
			continue
		}
		i, ok := at[m.folder()]
		if !ok {
			i = len(parts)
			at[m.folder()], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], m)
	}
	return parts, nil
}

// runPart builds one binary of the tests with all mutants of a part in it and runs it for each.
func (r runner) runPart(ctx context.Context, dir string, part []Mutant, report func(Mutant, time.Duration, fate, string)) error {
	start := time.Now()
	binary, words, err := r.build(ctx, dir, part)
	switch {
	case err != nil:
		return err
	case words != "" && len(part) == 1:
		report(part[0], time.Since(start), unbuilt, words)
		return nil
	case words != "": // one of them does not compile: which?
		half := len(part) / 2
		if err := r.runPart(ctx, filepath.Join(dir, "0"), part[:half], report); err != nil {
			return err
		}
		return r.runPart(ctx, filepath.Join(dir, "1"), part[half:], report)
	}
	if out, err := r.asleep(ctx, binary, part); err != nil {
		return fmt.Errorf("tests of %s fail without any mutant:\n%s", part[0].folder(), out)
	}
	for i, m := range part {
		out, err := r.test(ctx, binary, m.folder(), i+1, m.Tests)
		var exit *exec.ExitError
		if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
			return errors.Join(ctx.Err(), err)
		}
		end, by := judge(out, err == nil)
		report(m, time.Since(start), end, by)
		start = time.Now()
	}
	return nil
}

// asleep runs a part's tests on the program as it is: a test that fails anyway kills nothing.
func (r runner) asleep(ctx context.Context, binary string, part []Mutant) (string, error) {
	var tests []string
	for _, m := range part {
		tests = append(tests, m.Tests)
	}
	if !part[0].alone {
		return r.test(ctx, binary, part[0].folder(), 0, union(tests))
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-short", "-vet=off", "-run", union(tests), "./"+part[0].folder())
	cmd.Dir = r.root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// union is an expression for the names that any of tests matches.
func union(tests []string) string {
	each := slices.Compact(slices.Sorted(slices.Values(tests)))
	if slices.Contains(each, "") {
		return ""
	}
	return strings.Join(each, "|")
}

// build compiles the tests of a part's folder with its mutants. words are the compiler's, if it has
// any.
func (r runner) build(ctx context.Context, dir string, part []Mutant) (binary, words string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	files, err := weave(r.root, part)
	if err != nil {
		return "", "", err
	}
	replace := map[string]string{}
	for path, text := range files {
		original, err := filepath.Abs(filepath.Join(r.root, path))
		if err != nil {
			return "", "", err
		}
		replace[original] = filepath.Join(dir, strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(replace[original], []byte(text), 0o600); err != nil {
			return "", "", err
		}
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", "", err
	}
	overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "tests")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-w", "-overlay", overlay, "-o", binary, "./"+part[0].folder())
	cmd.Dir = r.root
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case errors.As(err, &exit):
		return "", string(out), nil
	}
	return binary, "", err
}

// test runs the binary in its folder with mutant number n; 0 is the program as it is. A mutant may
// loop for ever: tests have a minute.
func (r runner) test(ctx context.Context, binary, folder string, n int, tests string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast", "-test.timeout=1m", "-test.run", tests)
	cmd.Dir = filepath.Join(r.root, folder)
	cmd.Env = append(os.Environ(), variable+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// judge reads what a test binary printed.
func judge(out string, passed bool) (end fate, by string) {
	switch names := failed.FindStringSubmatch(out); {
	case passed:
		return survived, ""
	case strings.Contains(out, "panic: test timed out"):
		return killed, "the time limit"
	case names != nil:
		return killed, names[1]
	}
	return killed, "the end of the process"
}
