package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
)

// TestByteOrderMarksAreNoText saves every kind of file that a user writes as editors on Windows do.
func TestByteOrderMarksAreNoText(t *testing.T) {
	const mark = "\uFEFF"
	dir := t.TempDir()
	save := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := LoadConfig(t.Context(), save("config.json", mark+`{"n_seeds": 2}`), []string{"folds=3"}); err != nil {
		t.Errorf("configuration: %v", err)
	}
	if list, err := ReadStrings(save("texts.json", mark+`["a"]`)); err != nil || list[0] != "a" {
		t.Errorf("texts of probe: %q, %v", list, err)
	}
	for name, content := range map[string]string{
		"a.txt":        mark + "The pier\r\nThe boat\r\n",
		"joined.txt":   mark + "The pier\n" + mark + "The boat\n",
		"blank.txt":    mark + "\nThe pier\nThe boat",
		"a.json":       mark + `["The pier", {"text": "The boat"}]`,
		"a.jsonl":      mark + `{"text": "The pier"}` + "\n" + `{"text": "The boat"}`,
		"joined.jsonl": `{"text": "The pier"}` + "\n" + mark + `{"text": "The boat"}`,
	} {
		list, err := readTexts(t.Context(), save(name, content))
		if err != nil || len(list) != 2 || list[0].Text != "The pier" || list[1].Text != "The boat" {
			t.Errorf("%s: %q, %v, want The pier and The boat", name, list, err)
		}
	}
	save("personas.json", mark+`{"p": {"positive_texts": ["a", "b"], "negative_texts": ["c", "d"]}}`)
	c, err := LoadConfig(t.Context(), save("c.json", mark+`{"persona_datasets": "personas.json"}`), nil)
	if err != nil || len(c.PersonaDatasets.Sets["p"].Positive) != 2 {
		t.Errorf("personas: %v, %v", c.PersonaDatasets.Sets, err)
	}
	m := openTiny(t)
	content, err := os.ReadFile(vectorFile(t, m, artifacts.Scales{}))
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{Model: m, Steer: Steering{File: save("vector.json", mark+string(content)), Layer: -1, Unit: "absolute"}}
	if _, err := s.Resolve(); err != nil {
		t.Errorf("vector: %v", err)
	}
}

// TestTextsInOtherGuisesAreNamed: a list of texts would make three texts of a pointer's lines.
func TestTextsInOtherGuisesAreNamed(t *testing.T) {
	for content, want := range map[string]string{
		"\xff\xfeo\x00n\x00e\x00": "UTF-16",
		"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n": "git lfs pull",
	} {
		path := filepath.Join(t.TempDir(), "a.txt")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if list, err := readTexts(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want an error that says %s", content, list, err, want)
		}
	}
}
