package pipelines

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// readFiles replaces file names by their contents and looks for the models' files. What is not there
// is told apart.
func (c *Config) readFiles() (problems, missing Problems) {
	report := func(key, file string, err error) {
		text := fmt.Sprintf("%s: %s: %v", key, file, reason(err))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, text)
		case err != nil:
			problems = append(problems, text)
		}
	}
	for key, t := range map[string]*Texts{"calibration_texts": &c.CalibrationTexts, "test_prompts": &c.TestPrompts} {
		if t.File != "" {
			list, err := readTexts(c.path(t.File))
			t.List = list
			report(key, t.File, err)
		}
	}
	if p := &c.PersonaDatasets; p.File != "" {
		b, err := os.ReadFile(c.path(p.File))
		if err == nil {
			p.Sets, err = readPersonas(b)
		}
		report("persona_datasets", p.File, err)
	}
	for key, ref := range map[string]string{"source_model": c.SourceModel, "target_model": c.TargetModel} {
		if path, ok := c.modelFile(ref); ok {
			_, err := os.Stat(path)
			report(key, ref, err)
		}
	}
	return problems, missing
}

// readPersonas reads the file form of persona_datasets.
func readPersonas(b []byte) (map[string]Persona, error) {
	var sets map[string]Persona
	if err := strict(b, &sets); err != nil {
		return nil, errors.New(describe(err, reflect.TypeFor[Persona]()))
	}
	if p := oddities(b); len(p) > 0 {
		return nil, errors.New(strings.Join(p, "; "))
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
func readTexts(path string) (list []Text, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	switch filepath.Ext(path) {
	case ".json":
		var t Texts
		if b = bytes.TrimSpace(b); !bytes.HasPrefix(b, []byte("[")) {
			return nil, errors.New("want a list of texts")
		}
		if err := json.Unmarshal(b, &t); err != nil {
			return nil, errors.New(describe(err, reflect.TypeFor[Text]()))
		}
		list = t.List
	case ".txt", ".jsonl":
		if list, err = readLines(b, filepath.Ext(path) == ".jsonl"); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("want a .txt, .jsonl or .json file")
	}
	if len(list) == 0 {
		return nil, errors.New("no text in it")
	}
	return list, nil
}

// readLines reads one text a line, or one JSON row. Empty lines are left out.
func readLines(b []byte, rows bool) (list []Text, err error) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimRight(lines.Bytes(), "\r")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		row := Text{Text: string(line)}
		if rows {
			row = Text{}
			if err := strict(line, &row); err != nil {
				return nil, fmt.Errorf("line %d: %s", n, describe(err, reflect.TypeFor[Text]()))
			}
		}
		list = append(list, row)
	}
	return list, lines.Err()
}
