package pipelines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/format/files"
	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/format/text"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/transforms/judge"
)

// What files may hold, far above what an experiment can use and far below what hurts.
const (
	maxConfigFile = 64 << 20
	maxTextFile   = 256 << 20
	maxVectorFile = 256 << 20
	maxMapFile    = 1 << 30
	maxText       = 1 << 20 // one text; a line of a file holds one
)

// readFiles replaces file names by their contents and looks for the models' files. What is not there
// is told apart.
func (c *Config) readFiles(ctx context.Context, shared *common) (problems, missing Problems) {
	report := func(key, file string, err error) {
		line := fmt.Sprintf("%s: %s: %v", key, file, reason(err))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, line)
		case err != nil:
			problems = append(problems, line)
		}
	}
	for key, t := range map[string]*Texts{"calibration_texts": &c.CalibrationTexts, "test_prompts": &c.TestPrompts} {
		if t.File != "" {
			list, err := shared.readTexts(ctx, c.path(t.File))
			t.List = list
			report(key, t.File, err)
		}
	}
	if p := &c.PersonaDatasets; p.File != "" {
		var err error
		p.Sets, err = shared.personas.get(c.path(p.File), func() (map[string]Persona, error) {
			b, err := readPlain(c.path(p.File), maxTextFile)
			if err != nil {
				return nil, err
			}
			return readPersonas(b)
		})
		report("persona_datasets", p.File, err)
	}
	for key, r := range map[string]*Rubric{"judge.rubrics.trait": &c.Judge.Rubrics.Trait, "judge.rubrics.coherence": &c.Judge.Rubrics.Coherence} {
		if r.File != "" {
			var err error
			r.Text, err = shared.rubrics.get(c.path(r.File), func() (string, error) { return readRubric(c.path(r.File)) })
			report(key, r.File, err)
		}
	}
	for key, ref := range map[string]string{"source_model": c.SourceModel, "target_model": c.TargetModel} {
		if path, ok := c.modelFile(ref); ok {
			_, err := os.Stat(path)
			report(key, ref, err)
		}
	}
	return problems, missing
}

func readRubric(path string) (string, error) {
	b, err := readPlain(path, judge.MaxRubric)
	if err == nil && strings.TrimSpace(string(b)) == "" {
		err = errors.New("empty")
	}
	return string(b), err
}

// readPlain is readFile for text: without the byte order mark that editors on Windows put in front.
func readPlain(path string, limit int) ([]byte, error) {
	b, err := readFile(path, limit)
	if err != nil {
		return nil, err
	}
	return text.Plain(b)
}

// ReadText reads a text file that a user names, as far as a limit.
func ReadText(path string, limit int) ([]byte, error) {
	b, err := readPlain(path, limit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = reason(err)
	}
	return b, err
}

// readFile reads a file that a user names, if it is a regular one.
func readFile(path string, limit int) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("larger than %d MiB", limit>>20)
	}
	return b, err
}

// withoutMark drops a byte order mark.
func withoutMark(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\uFEFF")) }

// readPersonas reads the file form of persona_datasets.
func readPersonas(b []byte) (map[string]Persona, error) {
	var sets map[string]Persona
	if err := strictjson.Unmarshal(b, &sets); err != nil {
		return nil, err
	}
	if len(sets) == 0 {
		return nil, errors.New("no persona in it")
	}
	return sets, nil
}

func (c *Config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.folder, name)
}

// modelFile is where a model lies that is named as a folder or file; not ok for a hub id or an
// embedded model.
func (c *Config) modelFile(ref string) (path string, ok bool) {
	if ref == "" || strings.HasPrefix(ref, "tiny:") {
		return "", false
	}
	path = c.path(ref)
	_, err := os.Stat(path)
	return path, err == nil || checkpoint.NamesFile(ref)
}

func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readTexts reads a .txt, .jsonl or .json file of at least one text.
func readTexts(ctx context.Context, path string) (list []Text, err error) {
	extension := filepath.Ext(path)
	if extension != ".json" && extension != ".txt" && extension != ".jsonl" {
		return nil, errors.New("want a .txt, .jsonl or .json file")
	}
	b, err := readPlain(path, maxTextFile)
	if err != nil {
		return nil, err
	}
	if extension == ".json" {
		list, err = readList(b)
	} else {
		list, err = readLines(ctx, b, extension == ".jsonl")
	}
	if err == nil && len(list) == 0 {
		err = errors.New("no text in it")
	}
	return list, err
}

// readList reads a JSON list of strings and rows.
func readList(b []byte) ([]Text, error) {
	var items []item
	if err := strictjson.Unmarshal(b, &items); err != nil {
		return nil, err
	}
	return texts(items), nil
}

// ReadStrings reads a file that holds a JSON list of strings.
func ReadStrings(path string) (list []string, err error) {
	b, err := readPlain(path, maxTextFile)
	if err == nil {
		err = strictjson.Unmarshal(b, &list)
	}
	return list, err
}

// readLines reads one text a line, or one JSON row. Empty lines are left out.
func readLines(ctx context.Context, b []byte, rows bool) (list []Text, err error) {
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if n%1000 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// A mark in front of a later line comes from files that were put together.
		row, err := readLine(withoutMark(bytes.TrimRight(line, "\r\n")), rows)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if row != nil {
			list = append(list, *row)
		}
	}
	return list, nil
}

// readLine gives nil for an empty line.
func readLine(line []byte, row bool) (*Text, error) {
	switch {
	case len(line) > maxText:
		return nil, fmt.Errorf("%d bytes; a line may have %d", len(line), maxText)
	case len(bytes.TrimSpace(line)) == 0:
		return nil, nil
	case !row && !utf8.Valid(line):
		return nil, errors.New("not UTF-8")
	case !row:
		return &Text{Text: string(line)}, nil
	}
	t := new(Text)
	err := strictjson.Unmarshal(line, t)
	var p strictjson.Problems
	if errors.As(err, &p) && p[0].Malformed { // its own line number is always 1
		return nil, fmt.Errorf("column %d: %s", p[0].Column, p[0].Text)
	}
	return t, err
}
