package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEverythingUnknownIsNamed checks that one error lists all parts that are not known.
func TestEverythingUnknownIsNamed(t *testing.T) {
	_, err := FromJSON([]byte(`{
		"normalizer": {"type": "Sequence", "normalizers": [{"type": "Magic"}, {"type": "BertNormalizer"}]},
		"pre_tokenizer": {"type": "UnicodeScripts"}, "post_processor": {"type": "Sticker"}, "decoder": {"type": "CTC"},
		"model": {"type": "WordPiece", "vocab": {}}}`), nil)
	if !errors.Is(err, ErrFormat) {
		t.Fatalf("%v, want %v", err, ErrFormat)
	}
	for _, name := range []string{"normalizer Magic", "normalizer BertNormalizer", "pre_tokenizer UnicodeScripts", "post_processor Sticker", "decoder CTC", `model "WordPiece"`} {
		if !strings.Contains(err.Error(), "unknown "+name) {
			t.Errorf("%q is not in %v", "unknown "+name, err)
		}
	}
}

func TestDamagedFilesAreErrors(t *testing.T) {
	bpe := func(rest string) string {
		return `{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}` + rest + `}}`
	}
	for _, c := range []struct{ file, want string }{
		{``, "unexpected end"},
		{`{"model": 3}`, "model"},
		{`{"model": {}}`, "unknown model"},
		{`[]`, "cannot unmarshal"},
		{bpe(`, "merges": ["a"]`), "no pair"},
		{bpe(`, "merges": ["a c"]`), "no token"},
		{bpe(`, "merges": ["b a"]`), "no token"},
		{bpe(`, "merges": [["a", "b", "c"]]`), "joins 3 tokens"},
		{bpe(`, "merges": [], "dropout": 0.1`), "dropout"},
		{`{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}`, "id -1"},
		{`{"model": {"type": "BPE", "vocab": {"a": 2000000000}, "merges": []}}`, "id 2000000000"},
		{`{"model": {"type": "BPE", "vocab": {"a": 1, "b": 1}, "merges": []}}`, "same id"},
		{`{"added_tokens": [{"id": 123456789, "content": "x"}], "model": {"type": "BPE", "vocab": {"a": 1}, "merges": []}}`, "id 123456789"},
		{`{"model": {"type": "Unigram", "vocab": []}}`, "0 tokens"},
		{`{"model": {"type": "Unigram", "vocab": [["a"]]}}`, "no pair"},
		{`{"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 4}}`, "unk_id 4"},
		{`{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}, "model": {"vocab": {}, "merges": []}}`, "unmatched"},
		{`{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Shredded"}, "model": {"vocab": {}, "merges": []}}`, "Shredded"},
		{`{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}, "model": {"vocab": {}, "merges": []}}`, "behind ByteLevel"},
		{`{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, "model": {"vocab": {}, "merges": []}}`, "charsmap"},
		{`{"normalizer": ` + strings.Repeat(`{"type": "Sequence", "normalizers": [`, 30) + strings.Repeat(`]}`, 30) + `, "model": {"vocab": {}, "merges": []}}`, "nested"},
		{`{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}]}, "model": {"vocab": {}, "merges": []}}`, "no ids"},
	} {
		if _, err := FromJSON([]byte(c.file), nil); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
	}
	if _, err := FromJSON([]byte(bpe(`, "merges": []`)), []byte(`{"bos_token": 3}`)); !errors.Is(err, ErrFormat) {
		t.Errorf("damaged tokenizer_config.json: %v", err)
	}
	model := unzip(t, "vocab/spm_llama.model.gz")
	for _, data := range [][]byte{nil, model[:len(model)-1], model[1:], []byte("\x0a\x7f"), []byte("tokenizer")} {
		if _, err := FromSentencePiece(data, nil); !errors.Is(err, ErrFormat) {
			t.Errorf("damaged tokenizer.model: %v", err)
		}
	}
	for _, data := range []string{"", "IQ== 0", "IQ==", "!!! 0", "IQ== -1", "IQ== 4000000000", "IQ== 0\nIQ== 1"} {
		if _, err := FromTiktoken([]byte(data), nil); !errors.Is(err, ErrFormat) {
			t.Errorf("damaged qwen.tiktoken %q: %v", data, err)
		}
	}
}

// ggufOf returns the vocabulary of a tokenizer.json as a GGUF file would have it.
func ggufOf(t *testing.T, name, pre string) Vocab {
	t.Helper()
	var file struct {
		Added []addedToken `json:"added_tokens"`
		Model struct {
			Vocab  map[string]int32
			Merges merges
		}
	}
	if err := json.Unmarshal(unzip(t, "vocab/"+name+".json.gz"), &file); err != nil {
		t.Fatal(err)
	}
	v := Vocab{Model: "gpt2", Pre: pre, BOS: -1, EOS: -1, UNK: -1, PAD: -1}
	v.Tokens = make([]string, len(file.Model.Vocab)+len(file.Added))
	v.Types = slices.Repeat([]int32{normalToken}, len(v.Tokens))
	for token, id := range file.Model.Vocab {
		v.Tokens[id] = token
	}
	for _, a := range file.Added {
		v.Tokens[a.ID], v.Types[a.ID] = a.Content, controlToken
		if !a.Special {
			v.Types[a.ID] = userToken
		}
	}
	for _, m := range file.Model.Merges {
		v.Merges = append(v.Merges, m[0]+" "+m[1])
	}
	return v
}

// TestGGUFVocabulariesMatchHuggingFace opens small vocabularies the way GGUF files hold them.
func TestGGUFVocabulariesMatchHuggingFace(t *testing.T) {
	for _, c := range []struct {
		name, pre string
		bos       bool
	}{
		{"gpt2", "gpt-2", false}, {"smollm", "smollm", false}, {"llama3", "llama-bpe", true}, {"o200k", "gpt-4o", false}, {"deepseek", "deepseek-v3", true},
	} {
		t.Run(c.pre, func(t *testing.T) {
			v := ggufOf(t, c.name, c.pre)
			if c.bos {
				v.AddBOS = true
				v.BOS = slices.IndexFunc(v.Types, func(kind int32) bool { return kind == controlToken })
			}
			tok, err := FromVocab(v)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, tok, c.name, checks{ends: true, decodes: true})
		})
	}
}

// TestScoredVocabularyEqualsItsSentencePieceModel opens the same pieces from a GGUF and from a
// tokenizer.model.
func TestScoredVocabularyEqualsItsSentencePieceModel(t *testing.T) {
	for _, name := range []string{"spm_llama", "spm_gemma"} {
		data := unzip(t, "vocab/"+name+".model.gz")
		want, err := FromSentencePiece(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parsePieces(data)
		if err != nil {
			t.Fatal(err)
		}
		v := Vocab{Model: "llama", Tokens: p.tokens, Types: p.types, BOS: int(p.bos), EOS: int(p.eos), UNK: int(p.unk), PAD: -1, AddBOS: true, AddSpacePrefix: p.dummyPrefix}
		for _, s := range p.scores {
			v.Scores = append(v.Scores, float32(s))
		}
		got, err := FromVocab(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts(t) {
			a, b := mustEncode(got, text), mustEncode(want, text)
			if !slices.Equal(a, b) {
				t.Errorf("%s: %q: GGUF %v, model %v", name, text, a, b)
			}
			if x, y := got.Decode(a, true), want.Decode(b, true); x != y {
				t.Errorf("%s: %q: GGUF decodes to %q, model to %q", name, text, x, y)
			}
		}
	}
}

// TestPhi3SwallowsSpaceBehindTurns checks what a GGUF does not say: the marks of Phi-3's turns take the
// white space behind them, in the vocabulary with them all only.
func TestPhi3SwallowsSpaceBehindTurns(t *testing.T) {
	v := Vocab{Model: "llama", Tokens: []string{"<unk>", "<s>", "▁", "x", "<|user|>", "<|assistant|>", "<|end|>"}, Types: []int32{2, 3, 1, 1, 3, 3, 3},
		Scores: make([]float32, 7), BOS: -1, EOS: -1, UNK: 0, PAD: -1}
	for last, want := range map[string][]int32{"<|end|>": {1, 2, 4, 3}, "<|stop|>": {1, 2, 4, 2, 2, 3}} {
		v.Tokens[6] = last
		tok, err := FromVocab(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustEncode(tok, "<s> <|user|>  x"); !slices.Equal(got, want) {
			t.Errorf("with %s: %v, want %v", last, got, want)
		}
	}
}

func TestDamagedVocabulariesAreErrors(t *testing.T) {
	for _, c := range []struct {
		v    Vocab
		want string
	}{
		{Vocab{Model: "bert"}, `"bert"`},
		{Vocab{Model: "gpt2", Pre: "unheard-of", Tokens: []string{"a"}}, `"unheard-of"`},
		{Vocab{Model: "gpt2", Tokens: []string{"a"}, Types: []int32{1, 1}}, "2 types"},
		{Vocab{Model: "gpt2", Tokens: []string{"a"}, Merges: []string{"a b"}}, "no token"},
		{Vocab{Model: "llama", Tokens: []string{"a"}}, "0 scores"},
		{Vocab{Model: "llama"}, "0 tokens"},
	} {
		if _, err := FromVocab(c.v); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.v, err, c.want)
		}
	}
}

func TestEveryPreTokeniserCompiles(t *testing.T) {
	for name, pre := range preTokenizers {
		for _, expr := range pre.splits {
			if _, err := compile(expr); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// folder is Files over a map.
type folder map[string]string

func (f folder) File(name string) ([]byte, error) {
	data, ok := f[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return []byte(data), nil
}

func TestOpenTakesTheFirstFileThereIs(t *testing.T) {
	files := folder{
		"tokenizer.model": string(unzip(t, "vocab/spm_llama.model.gz")),
		"qwen.tiktoken":   string(unzip(t, "vocab/qwen.tiktoken.gz")),
	}
	size := func() int {
		t.Helper()
		tok, err := Open(files)
		if err != nil {
			t.Fatal(err)
		}
		return tok.Size()
	}
	if got := size(); got != 900 {
		t.Errorf("tokenizer.model: %d tokens, want 900", got)
	}
	delete(files, "tokenizer.model")
	if got := size(); got != 700+3+qwenExtras {
		t.Errorf("qwen.tiktoken: %d tokens, want %d", got, 703+qwenExtras)
	}
	files["tokenizer.json"] = string(unzip(t, "vocab/gpt2.json.gz"))
	files["tokenizer_config.json"] = `{"eos_token": "<|endoftext|>", "chat_template": "old"}`
	files["chat_template.jinja"] = "{{ messages[0].content }}"
	tok, err := Open(files)
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := tok.EOS(); !ok || tok.Token(id) != "<|endoftext|>" || !tok.Special(id) {
		t.Errorf("EOS = %d, %t", id, ok)
	}
	if got, err := tok.Chat([]Message{{"user", "x"}}, false); got != "x" || err != nil {
		t.Errorf("Chat = %q, %v, want the text of chat_template.jinja", got, err)
	}
	if _, err := Open(folder{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty folder: %v, want %v", err, os.ErrNotExist)
	}
}

// TestAVocabularyWithoutAPatternWarns: only byte-level vocabularies have one.
func TestAVocabularyWithoutAPatternWarns(t *testing.T) {
	for _, c := range []struct {
		v    Vocab
		want bool
	}{
		{ggufOf(t, "gpt2", ""), true},
		{ggufOf(t, "gpt2", "default"), false},
		{ggufOf(t, "gpt2", "gpt-2"), false},
		{Vocab{Model: "llama", Tokens: []string{"<unk>", "a"}, Scores: []float32{0, 0}, Types: []int32{2, 1}}, false},
	} {
		tok, err := FromVocab(c.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(tok.Warning(), "tokenizer.ggml.pre"); got != c.want {
			t.Errorf("%s %q warns %q, want a warning: %t", c.v.Model, c.v.Pre, tok.Warning(), c.want)
		}
	}
}
