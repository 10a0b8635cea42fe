package tokenizer

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
)

// fuzzVocabularies are one vocabulary of every shape.
func fuzzVocabularies(t testing.TB) map[string]*Tokenizer {
	toks := map[string]*Tokenizer{}
	for _, name := range []string{"qwen2", "llama3", "o200k", "deepseek", "smollm", "llama1", "mistral", "gemma", "unigram", "unigram_bytes", "sink", "suffix"} {
		toks[name] = openVocab(t, name)
	}
	for _, name := range []string{"spm_llama", "spm_unigram", "spm_users", "spm_users_bpe"} {
		tok, err := FromSentencePiece(unzip(t, "vocab/"+name+".model.gz"), nil)
		if err != nil {
			t.Fatal(err)
		}
		toks[name] = tok
	}
	tok, err := FromTiktoken(unzip(t, "vocab/qwen.tiktoken.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	toks["tiktoken"] = tok
	return toks
}

// checkText tests what holds for any text: ids are tokens, a second encoding is the same (T1), ends
// rise and lie between characters or invalid parts of the text (T2), nothing panics (T3).
func checkText(t *testing.T, name string, tok *Tokenizer, text string) {
	t.Helper()
	ids, ends := mustEnds(tok, text)
	if again := mustEncode(tok, text); !slices.Equal(again, ids) || len(ends) != len(ids) {
		t.Fatalf("%s: %q gives %v, then %v, with %d ends", name, text, ids, again, len(ends))
	}
	boundary := make([]bool, len(text)+1)
	boundary[0] = true
	for i := 0; i < len(text); {
		_, n := utf8.DecodeRuneInString(text[i:])
		if n == 1 && text[i] >= utf8.RuneSelf {
			n = invalidPart(text[i:])
		}
		i += n
		boundary[i] = true
	}
	last := 0
	for i, end := range ends[len(tok.before) : len(ends)-len(tok.after)] {
		if end == -1 {
			continue
		}
		if end < last || end > len(text) || !boundary[end] {
			t.Fatalf("%s: %q: token %d ends at %d after %d", name, text, i, end, last)
		}
		last = end
	}
	for _, id := range ids {
		if id < 0 || int(id) >= tok.Size() || !tok.known[id] {
			t.Fatalf("%s: %q gives token %d of %d", name, text, id, tok.Size())
		}
	}
	if got := tok.Decode(ids, false); !utf8.ValidString(got) {
		t.Fatalf("%s: %q decodes to %q", name, text, got)
	}
	tok.Continuation(ids[:len(ids)/2], ids[len(ids)/2:])
}

func FuzzEncode(f *testing.F) {
	for i, text := range texts(f) {
		if i%10 == 0 {
			f.Add(text)
		}
	}
	f.Add("a\xff\xf0\x9f\x98b\xed\xa0\x80\xc0\xaf")
	f.Add(strings.Repeat("ab", 300))
	toks := fuzzVocabularies(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		for name, tok := range toks {
			checkText(t, name, tok, text)
		}
	})
}

// TestRandomTextsKeepThePromises runs a little of FuzzEncode in every test run, on texts that are
// made of odd characters and of bytes.
func TestRandomTextsKeepThePromises(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	toks := fuzzVocabularies(t)
	for range 100 {
		text := oddText(rng, rng.IntN(200))
		bytes := []byte(text)
		for range rng.IntN(4) * len(bytes) / 20 {
			bytes[rng.IntN(len(bytes))] = byte(rng.IntN(256))
		}
		for name, tok := range toks {
			checkText(t, name, tok, text)
			checkText(t, name, tok, string(bytes))
		}
	}
}

func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(`{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}`), []byte(`{"bos_token": "a"}`))
	f.Add([]byte(`{"model": {"type": "Unigram", "vocab": [["a", -1], ["b", -2]], "unk_id": 0}, "added_tokens": [{"id": 5, "content": "<s>", "special": true}]}`), []byte(nil))
	f.Add([]byte(`{"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}, {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAA="}]},
		"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "replacement": "_"}, {"type": "Split", "pattern": {"String": "x"}, "behavior": "Removed"}]},
		"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"s": {"ids": [1]}}},
		"decoder": {"type": "Strip", "content": " ", "start": 1, "stop": 1},
		"model": {"vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}}`), []byte(`{"chat_template": "x", "added_tokens_decoder": {"7": {"content": "z"}}}`))
	f.Add([]byte(vocabJSON(split(`(a+)+$`))), []byte(nil))
	f.Add([]byte(vocabJSON(chain(9, `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`))), []byte(nil))
	f.Add([]byte(vocabJSON(precompiledJSON(circle("b\x00")))), []byte(`{"additional_special_tokens":["a"]}`))
	f.Fuzz(func(t *testing.T, data, config []byte) {
		tok, err := FromJSON(data, config)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		for _, text := range []string{"a bx\u00e9 1ab ", "a bx\u00e9 1ab\xff", strings.Repeat("a", 100) + "!"} {
			start := cputime.Now()
			ids, _, err := tok.EncodeEnds(text)
			if err != nil && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			tok.Decode(ids, true)
			if took := cputime.Now() - start; took > 5*time.Second {
				t.Fatalf("%q takes %v", text, took)
			}
		}
	})
}

func FuzzFromSentencePiece(f *testing.F) {
	model := unzip(f, "vocab/spm_llama.model.gz")
	f.Add(model[:2000])
	f.Add(model[len(model)-300:])
	f.Add([]byte("\x0a\x05\x0a\x03abc\x12\x02\x18\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := FromSentencePiece(data, nil)
		if err != nil {
			return
		}
		ids, _ := tok.Encode("a b\u00e9 \x00 abc")
		tok.Decode(ids, true)
	})
}

// FuzzFromVocab reads vocabularies as a GGUF has them: tokens and merges come one a line, scores and types
// one a byte.
func FuzzFromVocab(f *testing.F) {
	f.Add("gpt2", "llama-bpe", "a\nb\nab\n<s>", "a b", []byte(nil), []byte{1, 1, 1, 3}, 3, -1, 0, true, "ab <s>ab")
	f.Add("gpt2", "deepseek-v3", "a\n\u0120\n\u0120a", "\u0120 a", []byte(nil), []byte(nil), 0, 9, -5, false, "a a")
	f.Add("llama", "", "<unk>\n<s>\n</s>\n\u2581\na\n\u2581a\n<0x0A>\n   ", "", []byte{0, 0, 0, 200, 9, 9, 0, 0}, []byte{2, 3, 3, 1, 1, 1, 6, 4}, 1, 2, 0, true, " a a\n    a")
	f.Add("llama", "", "<|user|>\n<|assistant|>\n<|end|>", "", []byte{0, 0, 0}, []byte{3, 3, 4}, 0, 1, 2, false, "<|user|>  x")
	f.Fuzz(func(t *testing.T, model, pre, tokens, merges string, scores, types []byte, bos, eos, unk int, add bool, text string) {
		v := Vocab{Model: model, Pre: pre, Tokens: strings.Split(tokens, "\n"), BOS: bos, EOS: eos, UNK: unk, AddBOS: add, AddEOS: !add, AddSpacePrefix: add}
		if merges != "" {
			v.Merges = strings.Split(merges, "\n")
		}
		for _, s := range scores {
			v.Scores = append(v.Scores, float32(int8(s)))
		}
		for _, s := range types {
			v.Types = append(v.Types, int32(int8(s)))
		}
		tok, err := FromVocab(v)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		ids, ends, err := tok.EncodeEnds(text)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		for i, id := range ids {
			if id < 0 || int(id) >= tok.Size() || ends[i] < -1 || ends[i] > len(text) {
				t.Fatalf("%q gives token %d of %d, which ends at %d", text, id, tok.Size(), ends[i])
			}
		}
		if got := tok.Decode(ids, add); !utf8.ValidString(got) && utf8.ValidString(tokens) {
			t.Fatalf("%q decodes to %q", text, got)
		}
	})
}

func FuzzFromTiktoken(f *testing.F) {
	f.Add(unzip(f, "vocab/qwen.tiktoken.gz"))
	f.Add([]byte("IQ== 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := FromTiktoken(data, nil); err == nil {
			ids, _ := tok.Encode("a b\u00e9")
			tok.Decode(ids, true)
		}
	})
}
