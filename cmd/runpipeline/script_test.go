package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms/judge/judgetest"
)

// TestScripts runs testdata/script/*.txtar: commands, then files after lines "-- name --". Each
// script runs in an empty folder of its own that holds those files and small.json, an experiment on
// the embedded pair that takes seconds. The commands:
//
//	[!] runpipeline ARG…     the command, in this process; without !, it must exit with 0
//	stdin FILE               what the next one reads
//	exits CODE               how the last one ended
//	[!] stdout REGEXP        what it printed; so stderr
//	[!] grep REGEXP FILE
//	[!] exists PATH…
//	cp, cmp, rm, mkdir       files; stdout and stderr are the last command's
//	damage STAGE KIND        a bit of a stored output of that kind, of a stage of that kind
//	model NAME FOLDER        copies a model of the embedded pair
//	rows NAME…               copies files of activations that other programs wrote, from pipelines/rows/testdata
//	truncate FILE BYTES
//	spoil FOLDER             makes every weight of a model NaN
//	retype FOLDER FROM TO    says of weights stored as one type that they are of another
//	addtoken FOLDER ID       gives its tokenizer a token of that number
//	judge MANNER             starts a judge, or changes its manner: fair, plain, chatty, closed; $JUDGE is its address
//	asked N [M]              how many questions it got since the last such line, at least and at most: texts may be alike
//	setenv NAME VALUE
//	memory MIB               how much there is for the commands that follow
//	fill SHEET FILE          rates the texts of a sheet, each in another way
//	[!] stored TEXT          whether it stands in a recipe or an output of the store
//	long                     skips the rest with -short
//
// Words are separated by spaces; '…' quotes.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("scripts: %v %v", paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			text, files := parseArchive(string(data))
			s := newScript(t)
			for name, content := range files {
				s.write(name, content)
			}
			s.run(text)
		})
	}
}

// parseArchive splits a txtar archive.
func parseArchive(data string) (text string, files map[string]string) {
	files = map[string]string{}
	name := ""
	for line := range strings.Lines(data) {
		if inner, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(inner, " --") {
			name = strings.TrimSuffix(inner, " --")
			files[name] = ""
		} else if name == "" {
			text += line
		} else {
			files[name] += line
		}
	}
	return text, files
}

// A script is a session in a folder.
type script struct {
	t              *testing.T
	dir            string
	folder         string // of this package
	line           int
	code           int
	stdin          []byte
	stdout, stderr bytes.Buffer
	judge          *judgetest.Server
	asked          int
	memory         *pipelines.Memory // nil: what the system says
}

func newScript(t *testing.T) *script {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, dir: t.TempDir(), folder: folder}
	t.Chdir(s.dir)
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME"} {
		t.Setenv(name, filepath.Join(s.dir, "home"))
	}
	for _, name := range []string{"PJRT_CPU_PLUGIN", "PJRT_CUDA_PLUGIN", "PJRT_NAMES_AND_LIBRARY_PATHS", "PJRT_PLUGIN_LIBRARY_PATH"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	t.Setenv("OPENAI_API_KEY", "")
	s.write("small.json", small)
	return s
}

func (s *script) write(name, content string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the lines of a script.
func (s *script) run(text string) {
	for line := range strings.Lines(text) {
		s.line++
		words := split(strings.TrimSpace(line))
		for i := range words {
			if s.judge != nil {
				words[i] = strings.ReplaceAll(words[i], "$JUDGE", s.judge.URL)
			}
		}
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if words[0] == "long" {
			if testing.Short() {
				s.t.Skip("the rest takes long")
			}
			continue
		}
		want := true
		if words[0] == "!" {
			want, words = false, words[1:]
		}
		if err := s.do(words[0], words[1:], want); err != nil {
			s.t.Fatalf("line %d: %s: %v\nstdout:\n%s\nstderr:\n%s", s.line, strings.TrimSpace(line), err, &s.stdout, &s.stderr)
		}
	}
}

// split splits a line into words.
func split(line string) (words []string) {
	word, quoted, any := "", false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				words = append(words, word)
			}
			word, any = "", false
		default:
			word, any = word+string(r), true
		}
	}
	if any {
		words = append(words, word)
	}
	return words
}

func (s *script) do(name string, args []string, want bool) error {
	switch name {
	case "runpipeline":
		return s.runpipeline(args, want)
	case "stdin":
		b, err := os.ReadFile(args[0])
		s.stdin = b
		return err
	case "exits":
		if got := strconv.Itoa(s.code); got != args[0] {
			return fmt.Errorf("it exited with %s", got)
		}
	case "stdout", "stderr":
		return s.match(args[0], name, want)
	case "grep":
		return s.match(args[0], args[1], want)
	case "exists":
		for _, path := range args {
			if _, err := os.Lstat(path); (err == nil) != want {
				return fmt.Errorf("%s: %v", path, err)
			}
		}
	case "cp", "cmp":
		return s.files(name, args[0], args[1])
	case "rm":
		return os.RemoveAll(args[0])
	case "mkdir":
		return os.MkdirAll(args[0], 0o755)
	case "damage":
		return damage("cache", args[0], args[1])
	case "model":
		return copyModel(args[0], args[1])
	case "rows":
		for _, file := range args {
			if err := s.files("cp", filepath.Join(s.folder, "..", "..", "pipelines", "rows", "testdata", file), file); err != nil {
				return err
			}
		}
	case "truncate":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return os.Truncate(args[0], int64(n))
	case "spoil":
		return spoil(args[0])
	case "retype":
		return retype(args[0], args[1], args[2])
	case "judge":
		return s.judgeIs(args[0])
	case "asked":
		before := s.asked
		s.asked = len(s.judge.Asked())
		n := s.asked - before
		least, err := strconv.Atoi(args[0])
		most, err2 := strconv.Atoi(args[len(args)-1])
		if n < least || n > most || err != nil || err2 != nil {
			return fmt.Errorf("the judge was asked %d questions", n)
		}
	case "fill":
		return fillSheet(args[0], args[1])
	case "memory":
		mib, err := strconv.Atoi(args[0])
		s.memory = &pipelines.Memory{Bytes: mib << 20, Source: "the script"}
		return err
	case "setenv":
		s.t.Setenv(args[0], args[1])
	case "stored":
		if found, err := stored("cache", args[0]); err != nil || found != want {
			return fmt.Errorf("stored: %t (%v)", found, err)
		}
	case "addtoken":
		return addToken(args[0], args[1])
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

// runpipeline runs the command in this process.
func (s *script) runpipeline(args []string, want bool) error {
	s.stdout.Reset()
	s.stderr.Reset()
	a := newApp(bytes.NewReader(s.stdin), &s.stdout, &s.stderr)
	s.stdin = nil
	if there := s.memory; there != nil {
		a.available = func() pipelines.Memory { return *there }
	}
	s.code = a.main(s.t.Context(), args)
	if (s.code == 0) != want {
		return fmt.Errorf("it exited with %d", s.code)
	}
	for _, word := range []string{"goroutine ", "panic", "%!"} {
		if strings.Contains(s.stderr.String()+s.stdout.String(), word) {
			return fmt.Errorf("the output speaks of %q", word)
		}
	}
	return nil
}

// content is a file, or what the last command printed.
func (s *script) content(name string) ([]byte, error) {
	switch name {
	case "stdout":
		return s.stdout.Bytes(), nil
	case "stderr":
		return s.stderr.Bytes(), nil
	}
	return os.ReadFile(name)
}

func (s *script) match(pattern, name string, want bool) error {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	b, err := s.content(name)
	if err != nil {
		return err
	}
	if re.Match(b) != want {
		return fmt.Errorf("%s matches: %t", name, !want)
	}
	return nil
}

func (s *script) files(name, from, to string) error {
	a, err := s.content(from)
	if err != nil {
		return err
	}
	if name == "cp" {
		return os.WriteFile(to, a, 0o644)
	}
	b, err := s.content(to)
	if err == nil && !bytes.Equal(a, b) {
		err = fmt.Errorf("%s and %s differ", from, to)
	}
	return err
}
