package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// openBPE opens a BPE model of vocab, ids in order, with what else tokenizer.json is to say.
func openBPE(t testing.TB, vocab []string, merges, rest, config string) *Tokenizer {
	t.Helper()
	var list []string
	for id, token := range vocab {
		list = append(list, fmt.Sprintf("%q: %d", token, id))
	}
	file := fmt.Sprintf(`{"model": {"type": "BPE", "vocab": {%s}, "merges": [%s]}%s}`, strings.Join(list, ", "), merges, rest)
	tok, err := FromJSON([]byte(file), []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestAddedTokensInSwallowedSpace has added tokens in the white space that another one swallows. The ids
// are those of tokenizers 0.23.3, which panics where the last token is inside what the first took.
func TestAddedTokensInSwallowedSpace(t *testing.T) {
	tok := openBPE(t, []string{"a", " ", "\r"}, "", `, "added_tokens": [
		{"id": 3, "content": "<u>", "rstrip": true}, {"id": 4, "content": "\n"},
		{"id": 5, "content": "  ", "lstrip": true, "rstrip": true}, {"id": 6, "content": "\t", "lstrip": true}]`, "")
	for _, c := range []struct {
		text string
		want []int32
	}{
		{"<u>\na", []int32{3, 4, 0}}, {"<u>\n \na", []int32{3, 4, 1, 4, 0}}, {"a    a", []int32{0, 5, 0}}, {"<u>\n", []int32{3, 4}},
		{"\n<u>\n\n", []int32{4, 3, 4, 4}}, {"a <u>  \n a", []int32{0, 1, 3, 4, 1, 0}}, {"a   <u> a", []int32{0, 5, 3, 0}},
		{"<u> \n \ta", []int32{3, 4, 6, 0}}, {"<u> \t a", []int32{3, 0}},
	} {
		if got := mustEncode(tok, c.text); !slices.Equal(got, c.want) {
			t.Errorf("Encode(%q) = %v, want %v", c.text, got, c.want)
		}
		checkText(t, "swallowed", tok, c.text)
	}
}

// TestSwallowedSpaceTakesLittleTime has half a megabyte of white space that is added tokens, each of which
// swallows all the rest.
func TestSwallowedSpaceTakesLittleTime(t *testing.T) {
	tok := openBPE(t, []string{"a"}, "", `, "added_tokens": [{"id": 1, "content": "\n", "rstrip": true, "lstrip": true}, {"id": 2, "content": "\t", "rstrip": true}]`, "")
	if got := len(mustEncode(tok, strings.Repeat("\n", 1<<19))); got != 1 {
		t.Errorf("%d tokens, want 1", got)
	}
	if got := len(mustEncode(tok, strings.Repeat("\t", 1<<19))); got != 1<<19 {
		t.Errorf("%d tokens, want %d", got, 1<<19)
	}
}

// TestConfigurationChangesAddedTokens checks that tokenizer_config.json has the last word, as in
// transformers 5.24, and that tokens which it names as special ones are found in text.
func TestConfigurationChangesAddedTokens(t *testing.T) {
	tok := openBPE(t, []string{"a", " ", "<e>", "<x>", "<y>", "<", "e", ">"}, "", `, "added_tokens": [{"id": 8, "content": "<u>"}, {"id": 9, "content": "<p>", "special": true}]`,
		`{"eos_token": {"content": "<e>"}, "additional_special_tokens": ["<x>"], "extra_special_tokens": {"image": "<y>"}, "pad_token": "<nowhere>",
		"added_tokens_decoder": {"8": {"content": "<u>", "rstrip": true}, "9": {"content": "<p>"}}}`)
	if got, want := mustEncode(tok, "a<u>  a <e><x><y><p>"), []int32{0, 8, 0, 1, 2, 3, 4, 9}; !slices.Equal(got, want) {
		t.Errorf("Encode = %v, want %v", got, want)
	}
	for id, want := range []bool{2: true, 3: true, 4: true, 8: false, 9: true} {
		if got := tok.Special(int32(id)); got != want {
			t.Errorf("Special(%d), %s, = %t, want %t", id, tok.Token(int32(id)), got, want)
		}
	}
}

// TestAddedTokensAreNumberedAnew has added tokens whose ids leave gaps or are out of order: Hugging Face's
// library numbers those that the model lacks from the model's size on.
func TestAddedTokensAreNumberedAnew(t *testing.T) {
	tok := openBPE(t, []string{"a", "<s>"}, "", `, "added_tokens": [{"id": 9, "content": "<s>"}, {"id": 7, "content": "<x>"}, {"id": 5, "content": "<y>"}]`,
		`{"added_tokens_decoder": {"7": {"content": "<x>"}, "20": {"content": "<z>"}}}`)
	if got, want := mustEncode(tok, "a<s><x><y><z>"), []int32{0, 1, 2, 3, 4}; !slices.Equal(got, want) || tok.Size() != 5 {
		t.Errorf("Encode = %v, want %v; %d tokens, want 5", got, want, tok.Size())
	}
}

// TestDroppedCharactersMakeNeighbours has a vocabulary without an unknown token: characters that it lacks
// vanish, and what stands around them is joined.
func TestDroppedCharactersMakeNeighbours(t *testing.T) {
	tok := openBPE(t, []string{"▁", "▁▁", "a"}, `["▁", "▁"]`, "", "")
	for text, want := range map[string][]int32{"▁☃▁a": {1, 2}, "▁▁☃▁☃▁": {1, 1}, "☃": nil} {
		if got := mustEncode(tok, text); !slices.Equal(got, want) {
			t.Errorf("Encode(%q) = %v, want %v", text, got, want)
		}
	}
}

// TestFirstMetaspaceGoesByTheOriginalText checks that the pieces which begin where the text began get the
// mark, whether or not the ends of tokens are asked for. The ids are those of tokenizers 0.23.3.
func TestFirstMetaspaceGoesByTheOriginalText(t *testing.T) {
	tok := openBPE(t, []string{"▁", "_", "1", "a", "i", "\u0307", "b"}, "", `,
		"normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "Prepend", "prepend": "_"}]},
		"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "[_1\u0307]"}, "behavior": "Isolated"},
			{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]}`, "")
	for text, want := range map[string][]int32{
		"a1": {0, 1, 0, 3, 2}, "1a1": {0, 1, 0, 2, 3, 2}, "İa": {0, 1, 0, 4, 0, 5, 3}, "aİb": {0, 1, 0, 3, 4, 5, 6},
	} {
		ids, _ := mustEnds(tok, text)
		if got := mustEncode(tok, text); !slices.Equal(got, want) || !slices.Equal(ids, want) {
			t.Errorf("Encode(%q) = %v, EncodeEnds %v, want %v", text, got, ids, want)
		}
	}
}
