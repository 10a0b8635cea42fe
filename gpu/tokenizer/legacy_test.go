package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// folderFiles are the files of a model in memory.
type folderFiles struct{ fstest.MapFS }

func (f folderFiles) File(name string) ([]byte, error) { return fs.ReadFile(f.MapFS, name) }

// TestTokensOfLegacyFiles opens folders whose added and special tokens are in files of their own.
func TestTokensOfLegacyFiles(t *testing.T) {
	const vocabulary = `{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "<": 2, "s": 3, ">": 4, "<e>": 5}, "merges": []}, "normalizer": {"type": "Lowercase"}}`
	spm := string(unzip(t, "vocab/spm_llama.model.gz"))
	for _, c := range []struct {
		name    string
		files   map[string]string
		text    string
		want    []int32
		special []int32 // of want
	}{
		{"neither", map[string]string{"tokenizer.json": vocabulary}, "a<s>", []int32{0, 2, 3, 4}, nil},
		{"added tokens", map[string]string{"tokenizer.json": vocabulary, "added_tokens.json": `{"<s>": 6}`}, "a<s>", []int32{0, 6}, nil},
		{"found in the normalised text", map[string]string{"tokenizer.json": vocabulary, "added_tokens.json": `{"<s>": 6}`}, "a<S>", []int32{0, 6}, nil},
		{"special and not normalised", map[string]string{"tokenizer.json": vocabulary, "added_tokens.json": `{"<s>": 6}`, "special_tokens_map.json": `{"pad_token": "<s>"}`},
			"<s><S>", []int32{6, 2, 3, 4}, []int32{6}},
		{"a special one in the configuration", map[string]string{"tokenizer.json": vocabulary, "added_tokens.json": `{"<s>": 6}`, "tokenizer_config.json": `{"additional_special_tokens": ["<s>"]}`},
			"<s>", []int32{6}, []int32{6}},
		{"special tokens alone", map[string]string{"tokenizer.json": vocabulary, "special_tokens_map.json": `{"eos_token": {"content": "<e>", "lstrip": false}}`}, "a<e>", []int32{0, 5}, []int32{5}},
		{"the map over the configuration", map[string]string{"tokenizer.json": vocabulary, "special_tokens_map.json": `{"eos_token": "<e>"}`, "tokenizer_config.json": `{"eos_token": "a"}`},
			"a<e>", []int32{0, 5}, []int32{5}},
		{"in the order of ids", map[string]string{"tokenizer.json": vocabulary, "added_tokens.json": `{"aa": 7, "bb": 6}`}, "aabb", []int32{7, 6}, nil},
		{"added_tokens_decoder has the last word", map[string]string{"tokenizer.json": vocabulary, "added_tokens.json": `{"aa": 6}`, "tokenizer_config.json": `{"added_tokens_decoder": {"6": {"content": "bb"}}}`},
			"aabb", []int32{0, 0, 6}, nil},
		{"no decoder after all", map[string]string{"tokenizer.json": vocabulary, "added_tokens.json": `{"aa": 6}`, "tokenizer_config.json": `{"added_tokens_decoder": null}`}, "aa", []int32{6}, nil},
		{"SentencePiece", map[string]string{"tokenizer.model": spm, "added_tokens.json": `{"<|im_end|>": 900}`}, "<|im_end|><|im_end|>", []int32{1, 900, 900}, []int32{1}},
		{"SentencePiece with a decoder", map[string]string{"tokenizer.model": spm, "tokenizer_config.json": `{"added_tokens_decoder": {"900": {"content": "<|im_end|>", "normalized": true}}}`},
			"<|im_end|><|im_end|>", []int32{1, 900, 900}, []int32{1}},
	} {
		files := folderFiles{fstest.MapFS{}}
		for name, text := range c.files {
			files.MapFS[name] = &fstest.MapFile{Data: []byte(text)}
		}
		tok, err := Open(files)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := mustEncode(tok, c.text)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q is %v, want %v", c.name, c.text, got, c.want)
		}
		for _, id := range c.want {
			if tok.Special(id) != slices.Contains(c.special, id) {
				t.Errorf("%s: token %d, %s, is special: %t", c.name, id, tok.Token(id), tok.Special(id))
			}
		}
	}
}

func TestDamagedLegacyFilesAreErrors(t *testing.T) {
	const vocabulary = `{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}`
	for _, c := range []struct{ file, text, want string }{
		{"added_tokens.json", `[]`, "added_tokens.json"},
		{"added_tokens.json", `{"x": "1"}`, "added_tokens.json"},
		{"added_tokens.json", `{"x": 1, "y": 1}`, `"x" and "y" have the id 1`},
		{"added_tokens.json", `{"x": -1}`, `token id "-1"`},
		{"added_tokens.json", `{"x": 2147483647}`, "token id"},
		{"special_tokens_map.json", `7`, "special_tokens_map.json"},
	} {
		_, err := Open(folderFiles{fstest.MapFS{"tokenizer.json": {Data: []byte(vocabulary)}, c.file: {Data: []byte(c.text)}}})
		if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s %s: %v, want ErrFormat and %q", c.file, c.text, err, c.want)
		}
	}
}
