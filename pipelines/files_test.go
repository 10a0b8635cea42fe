package pipelines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// TestWhatIsNoFileIsRefusedAtOnce names pipes, devices and folders wherever a file is read. A pipe
// without a writer would keep the program for ever, /dev/zero would take all the memory.
func TestWhatIsNoFileIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, ext := range []string{".json", ".jsonl", ".txt"} {
		if err := syscall.Mkfifo(filepath.Join(dir, "pipe"+ext), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/dev/zero", filepath.Join(dir, "device"+ext)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "folder"+ext), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	asTexts := func(key string) func(string) error {
		return func(path string) error { _, err := ParseConfig(pair().with(key, path).bytes(), ""); return err }
	}
	m, err := OpenModel(t.Context(), "tiny:llama", onCPU)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, c := range []struct {
		what string
		ext  string
		read func(path string) error
	}{
		{"configuration", ".json", func(path string) error { _, err := LoadConfig(t.Context(), path, nil); return err }},
		{"prompts", ".txt", asTexts("test_prompts")},
		{"prompts", ".json", asTexts("test_prompts")},
		{"calibration texts", ".jsonl", asTexts("calibration_texts")},
		{"personas", ".json", asTexts("persona_datasets")},
		{"texts of probe", ".json", func(path string) error { _, err := ReadStrings(path); return Problems{fmt.Sprint(err)} }},
		{"vector", ".json", func(path string) error {
			_, err := m.Resolve(&Steering{File: path, Layer: -1, Unit: "absolute"})
			return err
		}},
	} {
		for kind, want := range map[string]string{"pipe": "a pipe, want a file", "device": "a device, want a file", "folder": "a folder, want a file"} {
			done := make(chan error, 1)
			go func() { done <- c.read(filepath.Join(dir, kind+c.ext)) }()
			select {
			case err := <-done:
				if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s from a %s: %v, want %q", c.what, kind, err, want)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s from a %s: still reading", c.what, kind)
			}
		}
	}
}

// TestLongLinesAreNamed puts a line of 50 MB behind two short ones.
func TestLongLinesAreNamed(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("boats ", 50<<20/6)
	for name, content := range map[string]string{
		"a.txt":   "The road\n\n" + long + "\n",
		"a.jsonl": "{\"text\": \"The road\"}\n\n{\"text\": \"" + long + "\"}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ParseConfig(pair().with("calibration_texts", name).bytes(), dir)
		if want := fmt.Sprintf("calibration_texts: %s: line 3: ", name); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a line may have 1048576") {
			t.Errorf("%s: %.200v, want %q", name, err, want)
		}
	}
}

// TestFilesAreStrict gives to each file what encoding/json would take in silence.
func TestFilesAreStrict(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ key, name, content, want string }{
		{"calibration_texts", "case.jsonl", `{"text": "a", "Text": "b"}`, `line 1: Text: unknown key; the nearest known one is "text"`},
		{"calibration_texts", "twice.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\", \"text\": \"c\"}", "line 2: text: the key is given twice"},
		{"calibration_texts", "latin.jsonl", "{\"text\": \"a\"}\n{\"text\": \"caf\xe9\"}", "line 2: column 14: the byte 0xe9 in a string, which is not UTF-8"},
		{"calibration_texts", "half.jsonl", `{"text": "a\ud83d"}`, `line 1: column 12: \ud83d in a string is half of a surrogate pair`},
		{"calibration_texts", "brace.jsonl", `{"text": "a"}}`, "line 1: column 14: text after the end"},
		{"calibration_texts", "null.jsonl", "null", "line 1: null; want an object"},
		{"test_prompts", "case.json", `["a", {"TEXT": "b"}]`, `[2]: unknown key "TEXT"`},
		{"test_prompts", "latin.json", "[\"a\",\n \"caf\xe9\"]", "line 2, column 6: the byte 0xe9"},
		{"test_prompts", "half.json", `["a", "\udc00"]`, "half of a surrogate pair"},
		{"test_prompts", "after.json", `["a", "b"]]`, "text after the end"},
		{"test_prompts", "null.json", `["a", null]`, "[2]: null"},
		{"persona_datasets", "case.json", `{"a": {"positive_texts": ["x"], "Positive_Texts": ["z"], "negative_texts": ["y"]}}`, `a: unknown key "Positive_Texts"`},
		{"persona_datasets", "latin.json", "{\"a\": {\"positive_texts\": [\"\xff\"], \"negative_texts\": [\"y\"]}}", "not UTF-8"},
		{"persona_datasets", "after.json", `{"a": {"positive_texts": ["x"], "negative_texts": ["y"]}}}`, "text after the end"},
		{"persona_datasets", "number.json", `{"a": {"positive_texts": ["x", 3], "negative_texts": ["y"]}}`, "a.positive_texts[2]: want a string, got 3"},
	} {
		if err := os.WriteFile(filepath.Join(dir, c.name), []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ParseConfig(pair().with(c.key, c.name).bytes(), dir)
		if want := c.key + ": " + c.name + ": "; !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q and %q", c.name, err, want, c.want)
		}
	}
}

// TestLargeConfigurationsAreCheap bounds what 5 MB of configuration take, as it stands and overridden.
func TestLargeConfigurationsAreCheap(t *testing.T) {
	const size = 5 << 20
	wide := strings.Builder{}
	for i := range size / 20 {
		fmt.Fprintf(&wide, `"setting-%07d":1,`, i)
	}
	for name, text := range map[string]string{
		"deep":       strings.Repeat(`{"fit":`, size/7) + "1" + strings.Repeat("}", size/7),
		"deep lists": `{"alpha_values":` + strings.Repeat("[", size/2) + strings.Repeat("]", size/2) + "}",
		"long keys":  strings.Repeat(`{"`+strings.Repeat("k", size/50)+`":`, 50) + "null" + strings.Repeat("}", 50),
		"wide":       "{" + wide.String() + `"seed":1}`,
		"wide, deep": `{"persona_datasets":{"silly":{` + wide.String() + `"prompt":""}}}`,
		"lambdas":    `{"lambda_values":[` + strings.Repeat("1,", size/2) + "2]}",
		"prompts":    `{"test_prompts":[` + strings.Repeat(`"a",`, size/4) + `"b"]}`,
	} {
		for _, set := range [][]string{nil, {"fit.centre=true"}} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			raw, err := override([]byte(text), set)
			if err == nil {
				_, err = ParseConfig(raw, "")
			}
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrConfig) || len(err.Error()) > 20_000 {
				t.Errorf("%s: error of %d bytes", name, len(fmt.Sprint(err)))
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 200*size {
				t.Errorf("%s, set %v: %d MB for %d MB", name, set, used>>20, size>>20)
			}
		}
	}
}

// FuzzTexts reads calibration texts and prompts in each form of file. What is accepted is text.
func FuzzTexts(f *testing.F) {
	for i, content := range []string{"The road\r\n\nThe sea\n", "{\"text\": \"a\"}\n{\"document\": \"d\", \"text\": \"\\ud83d\\ude00\"}\n", `["a", {"text": "b"}]`, "\xff\n", "{\"text\":\"\\ud800\"}", "[\"a\"\x00"} {
		f.Add([]byte(content), uint8(i))
	}
	f.Fuzz(func(t *testing.T, content []byte, form uint8) {
		path := filepath.Join(t.TempDir(), "texts"+[]string{".txt", ".jsonl", ".json"}[form%3])
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := readTexts(t.Context(), path)
		if err == nil && len(list) == 0 {
			t.Errorf("%q: neither a text nor an error", content)
		}
		for _, text := range list {
			if err == nil && (!utf8.ValidString(text.Text+text.Document) || form%3 == 0 && strings.Contains(text.Text, "\n")) {
				t.Errorf("%q gives the text %q of %q", content, text.Text, text.Document)
			}
		}
	})
}

// FuzzPersonas reads a file of personas; what is accepted comes back from being written.
func FuzzPersonas(f *testing.F) {
	for _, content := range []string{`{"silly": {"positive_texts": ["ha"], "negative_texts": ["hm"], "prompt": "Be silly."}}`, `{"a":{"Prompt":""}}`, "{\"\xff\":{}}", `{"a":{"positive_texts":[null]}}`, `{}{}`} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		sets, err := readPersonas(content)
		if err != nil {
			return
		}
		again, err := Personas{Sets: sets}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := readPersonas(again)
		if err != nil || len(back) != len(sets) {
			t.Errorf("%q is written as %q: %v", content, again, err)
		}
	})
}
