package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTextsBeginBehindTheByteOrderMark reads each kind of file that a user writes with the mark that
// editors on Windows put in front.
func TestTextsBeginBehindTheByteOrderMark(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, content := range map[string]string{"a.txt": "one\r\ntwo\r\n", "a.jsonl": "{\"text\":\"one\"}\n{\"text\":\"two\"}\n", "a.json": `["one","two"]`} {
		list, err := readTexts(t.Context(), write(name, mark+content))
		if err != nil || len(list) != 2 || list[0].Text != "one" || list[1].Text != "two" {
			t.Errorf("%s: %q, %v", name, list, err)
		}
	}
	if list, err := ReadStrings(write("s.json", mark+`["one"]`)); err != nil || len(list) != 1 {
		t.Errorf("ReadStrings: %q, %v", list, err)
	}
	write("p.json", mark+`{"silly":{"positive_texts":["a"],"negative_texts":["b"]}}`)
	c, err := LoadConfig(t.Context(), write("c.json", mark+`{"persona_datasets":"p.json"}`), nil)
	if err != nil || len(c.PersonaDatasets.Sets["silly"].Positive) != 1 {
		t.Errorf("configuration: %v, %v", c.PersonaDatasets.Sets, err)
	}
	for content, want := range map[string]string{
		"\xff\xfeo\x00n\x00e\x00": "UTF-16",
		"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n": "git lfs pull", // would be three texts
	} {
		if list, err := readTexts(t.Context(), write("b.txt", content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want an error that says %s", content, list, err, want)
		}
	}
}
