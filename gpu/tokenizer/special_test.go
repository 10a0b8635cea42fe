package tokenizer

import (
	"fmt"
	"slices"
	"testing"
)

// TestSpacesBesideSpecialTokens has the ways in which vocabularies of SentencePiece's style mark spaces. The
// ids are those of tokenizers 0.23.3.
func TestSpacesBesideSpecialTokens(t *testing.T) {
	texts := []string{"x<e>y", "x<e> y", "x <e>  y", "<e><e> x", " x", "[I]x[I] y", "x▁<e>▁y"}
	const added = `, "added_tokens": [{"id": 6, "content": "<e>", "special": true}, {"id": 7, "content": "[I]", "normalized": true}], `
	metaspace := func(scheme string, split bool) string {
		return fmt.Sprintf(`"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": %q, "split": %t}`, scheme, split)
	}
	const replace = `{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}`
	never := [][]int32{{1, 6, 2}, {1, 6, 4}, {1, 0, 6, 0, 4}, {6, 6, 3}, {3}, {7, 1, 7, 4}, {1, 0, 6, 4}}
	first := [][]int32{{3, 6, 2}, {3, 6, 4}, {3, 0, 6, 0, 4}, {6, 6, 3}, {3}, {7, 1, 7, 4}, {3, 0, 6, 4}}
	always := [][]int32{{3, 6, 4}, {3, 6, 4}, {3, 0, 6, 0, 4}, {6, 6, 3}, {3}, {7, 3, 7, 4}, {3, 0, 6, 4}}
	for _, c := range []struct {
		rest string
		want [][]int32
	}{
		{`"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, ` + replace + `]}`,
			[][]int32{{3, 6, 4}, {3, 6, 0, 4}, {3, 0, 6, 5, 4}, {6, 6, 0, 3}, {0, 3}, {7, 1, 4}, {3, 0, 6, 0, 4}}},
		{`"normalizer": ` + replace, never},
		{metaspace("never", true), never}, {metaspace("never", false), never},
		{metaspace("first", true), first}, {metaspace("first", false), first},
		{metaspace("always", true), always}, {metaspace("always", false), always},
	} {
		tok := openBPE(t, []string{"▁", "x", "y", "▁x", "▁y", "▁▁"}, `["▁", "x"], ["▁", "y"], ["▁", "▁"]`, added+c.rest, "")
		for i, text := range texts {
			if got := mustEncode(tok, text); !slices.Equal(got, c.want[i]) {
				t.Errorf("%s: Encode(%q) = %v, want %v", c.rest, text, got, c.want[i])
			}
		}
	}
}

// TestFlagsOfAddedTokens gives texts and the tokens in them, by tokenizers 0.23.3.
func TestFlagsOfAddedTokens(t *testing.T) {
	letters := []string{"a", "b", " ", "c", "t", "s", "e", "n", "d", "_", "é"}
	type ids = []int32
	for _, c := range []struct {
		added, normalizer string
		want              map[string]ids
	}{
		{`{"id": 11, "content": "cat", "single_word": true}`, "null", map[string]ids{"cat": {11}, "a cat b": {0, 2, 11, 2, 1}, "cats": {3, 0, 4, 5}, "acat": {0, 3, 0, 4},
			"cat_": {3, 0, 4, 9}, "cat.": {11}, "écat": {10, 3, 0, 4}, "cat cats cat": {11, 2, 3, 0, 4, 5, 2, 11}}},
		{`{"id": 11, "content": "end", "single_word": true, "lstrip": true, "rstrip": true}`, "null",
			map[string]ids{"a end b": {0, 11, 1}, "a  end  end b": {0, 11, 11, 1}, "ends": {6, 7, 8, 5}, " end ": {11}}},
		{`{"id": 11, "content": "<l>", "lstrip": true}, {"id": 12, "content": "<r>", "rstrip": true}`, "null",
			map[string]ids{"a <l> b": {0, 11, 2, 1}, "a <r> b": {0, 2, 12, 1}, "a <r> <l> b": {0, 2, 12, 11, 2, 1}, "  <l><r>  ": {11, 12}}},
		{`{"id": 11, "content": "Cat", "normalized": true}, {"id": 12, "content": "E"}`, `{"type": "Lowercase"}`,
			map[string]ids{"cat Cat CAT": {11, 2, 11, 2, 11}, "E e": {12, 2, 6}, "aCATb": {0, 11, 1}}},
		{`{"id": 11, "content": "Cat", "normalized": true, "special": true}`, `{"type": "Lowercase"}`, map[string]ids{"cat CAT": {11, 2, 11}}},
		{`{"id": 11, "content": "É", "normalized": true}`, `{"type": "NFC"}`, map[string]ids{"e\u0301": {10}, "é É": {10, 2, 11}, "E\u0301": {11}}},
		{`{"id": 11, "content": "ab"}, {"id": 12, "content": "abc"}, {"id": 13, "content": "bc"}`, "null",
			map[string]ids{"abc": {12}, "abbc": {11, 13}, "aabcc": {0, 12, 3}, "ababc": {11, 12}}},
	} {
		tok := openBPE(t, letters, "", `, "normalizer": `+c.normalizer+`, "added_tokens": [`+c.added+`]`, "")
		for text, want := range c.want {
			if got := mustEncode(tok, text); !slices.Equal(got, want) {
				t.Errorf("%s: Encode(%q) = %v, want %v", c.added, text, got, want)
			}
		}
	}
}

// TestWhoPutsTokensAroundAText: tokenizer.json has the only word, as in transformers 5.24, even where its
// configuration wants the opposite. A tokenizer.model says nothing of it, so its configuration does, and a GGUF
// file has a key for each end.
func TestWhoPutsTokensAroundAText(t *testing.T) {
	const bos, text, eos = `{"SpecialToken": {"id": "<s>"}}`, `{"Sequence": {"id": "A"}}`, `{"SpecialToken": {"id": "</s>"}}`
	template := func(single string) string {
		return `{"type": "TemplateProcessing", "single": [` + single + `], "special_tokens": {"</s>": {"ids": [1]}, "<s>": {"ids": [2]}}}`
	}
	configs := []string{"", `"add_bos_token": true`, `"add_bos_token": false`, `"add_eos_token": true`, `"add_bos_token": false, "add_eos_token": true`}
	for processor, want := range map[string][]int32{
		"null":                                 {0},
		`{"type": "ByteLevel"}`:                {0},
		template(bos + "," + text):             {2, 0},
		template(text + "," + eos):             {0, 1},
		template(bos + "," + text + "," + eos): {2, 0, 1},
		`{"type": "Sequence", "processors": [{"type": "ByteLevel"}, ` + template(bos+","+text) + `]}`: {2, 0},
	} {
		for _, config := range configs {
			for _, class := range []string{"PreTrainedTokenizerFast", "LlamaTokenizer"} {
				names := fmt.Sprintf(`{"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": %q`, class)
				if config != "" {
					names += ", " + config
				}
				tok := openBPE(t, []string{"a"}, "", `, "added_tokens": [{"id": 1, "content": "</s>", "special": true}, {"id": 2, "content": "<s>", "special": true}], "post_processor": `+processor, names+"}")
				if got := mustEncode(tok, "a"); !slices.Equal(got, want) {
					t.Errorf("%s with %s: %v, want %v", processor, config, got, want)
				}
			}
		}
	}

	model := unzip(t, "vocab/spm_llama.model.gz")
	const a = 265 // ▁a
	for config, want := range map[string][]int32{"": {1, a}, configs[1]: {1, a}, configs[2]: {a}, configs[3]: {1, a, 2}, configs[4]: {a, 2}} {
		tok, err := FromSentencePiece(model, []byte("{"+config+"}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := mustEncode(tok, "a"); !slices.Equal(got, want) {
			t.Errorf("tokenizer.model with %s: %v, want %v", config, got, want)
		}
	}

	for _, c := range []struct {
		bos, eos bool
		want     []int32
	}{{false, false, []int32{2}}, {true, false, []int32{0, 2}}, {false, true, []int32{2, 1}}, {true, true, []int32{0, 2, 1}}} {
		tok, err := FromVocab(Vocab{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"<s>", "</s>", "a"}, Types: []int32{3, 3, 1}, BOS: 0, EOS: 1, UNK: -1, PAD: -1, AddBOS: c.bos, AddEOS: c.eos})
		if err != nil {
			t.Fatal(err)
		}
		if got := mustEncode(tok, "a"); !slices.Equal(got, c.want) {
			t.Errorf("GGUF with BOS %t and EOS %t: %v, want %v", c.bos, c.eos, got, c.want)
		}
	}
}
