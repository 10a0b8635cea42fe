package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommandsOfTheReadme runs every command of the sh blocks of README.md and METHODOLOGY.md, in their order, in one
// folder: those of runpipeline in this process, with the experiment reduced to seconds; a folder of
// scripts or configurations that a line names must exist. A line that the test does not understand
// fails it, so nothing is documented that was not tried.
func TestCommandsOfTheReadme(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", "..")) // the script changes into a folder of its own
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatalf("the README is what this test is about: %v", err)
	}
	methodology, err := os.ReadFile(filepath.Join(root, "METHODOLOGY.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines, more := shellLines(string(readme)), shellLines(string(methodology))
	if len(lines) < 2 || len(more) < 2 {
		t.Fatalf("README.md has %d commands in sh blocks and METHODOLOGY.md %d: %q, %q", len(lines), len(more), lines, more)
	}
	lines = append(lines, more...)
	s := newScript(t)
	ran := 0
	for _, line := range lines {
		args, ok := runpipelineArgs(line)
		switch {
		case strings.HasPrefix(line, "go test "):
			continue // this very test is part of it
		case strings.HasPrefix(line, "go install ") || strings.HasPrefix(line, "go build "):
			words := strings.Fields(line)
			if info, err := os.Stat(filepath.Join(root, words[len(words)-1], "main.go")); err != nil || info.IsDir() {
				t.Errorf("%s: no program there: %v", line, err)
			}
			continue
		case !ok:
			t.Errorf("a page shows a command that no test runs: %s", line)
			continue
		}
		args = reduced(args)
		if testing.Short() && len(args) > 0 && args[0] != "plan" {
			continue
		}
		ran++
		if err := s.runpipeline(args, true); err != nil {
			t.Errorf("%s\nas %q: %v\n%s%s", line, args, err, &s.stdout, &s.stderr)
		}
		if s.stdout.Len() == 0 {
			t.Errorf("%s: prints nothing", line)
		}
	}
	if ran == 0 {
		t.Error("no command was run")
	}
}

// TestFilesOfTheReadme looks for the files and folders that README.md, CONTRIBUTING.md and METHODOLOGY.md name in
// backquotes.
func TestFilesOfTheReadme(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "METHODOLOGY.md"} {
		raw, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		text := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(raw), "")
		named := regexp.MustCompile("`([a-z.]+/[a-zA-Z0-9_./-]*|[A-Z]+\\.md)`").FindAllStringSubmatch(text, -1)
		if len(named) == 0 {
			t.Errorf("%s names no file", page)
		}
		for _, m := range named {
			if strings.HasPrefix(m[1], "./") { // of the person's own
				continue
			}
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s: %v", page, m[1], err)
			}
		}
	}
}

// shellLines lists the commands of the sh blocks, without comments.
func shellLines(markdown string) (lines []string) {
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(markdown, -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, " # ")
			line, _, _ = strings.Cut(line, "  #")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, strings.TrimPrefix(line, "GOEXPERIMENT=simd "))
			}
		}
	}
	return lines
}

// runpipelineArgs gives the arguments of a command line that runs the program.
func runpipelineArgs(line string) ([]string, bool) {
	for _, program := range []string{"go run ./cmd/runpipeline", "./runpipeline", "runpipeline"} {
		if rest, ok := strings.CutPrefix(line, program); ok && (rest == "" || rest[0] == ' ') {
			return shellWords(rest), true
		}
	}
	return nil, false
}

// shellWords splits at spaces, minding double and single quotes.
func shellWords(text string) (words []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(text, -1) {
		words = append(words, m[1]+m[2]+m[3])
	}
	return words
}

// reduced points a command that works on an experiment at the small one.
func reduced(args []string) []string {
	command := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command = args[0]
	}
	if slices.Contains([]string{"run", "plan", "check", "show", "export", "explain", "verify"}, command) && !slices.Contains(args, "-config") {
		return append(slices.Clone(args), "-config", "small.json")
	}
	return args
}

// TestShellLines shows what counts as a command.
func TestShellLines(t *testing.T) {
	text := "text\n```sh\nGOEXPERIMENT=simd go run ./cmd/runpipeline plan -set 'a=[1, 2]'   # why\n# nothing\n\n```\n```json\n{}\n```\n```sh\ngo test ./...\n```\n"
	lines := shellLines(text)
	if want := []string{"go run ./cmd/runpipeline plan -set 'a=[1, 2]'", "go test ./..."}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
	args, ok := runpipelineArgs(lines[0])
	if want := []string{"plan", "-set", "a=[1, 2]"}; !ok || !slices.Equal(args, want) {
		t.Errorf("arguments %q, want %q", args, want)
	}
	if _, ok := runpipelineArgs("runpipelines"); ok {
		t.Error("runpipelines is not the program")
	}
	if got := fmt.Sprint(reduced(nil), reduced([]string{"probe", "-model", "x"})); got != "[-config small.json] [probe -model x]" {
		t.Errorf("reduced: %s", got)
	}
}
