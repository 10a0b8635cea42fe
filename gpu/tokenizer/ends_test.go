package tokenizer

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func openVocab(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := FromJSON(unzip(t, "vocab/"+name+".json.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestEndsAreWhereDecodedPrefixesEnd tests the definition: the text up to the end of token i is
// what the first tokens up to i decode to (T2). It holds on texts that decode to themselves.
func TestEndsAreWhereDecodedPrefixesEnd(t *testing.T) {
	same := func(s string) string { return s }
	for name, form := range map[string]func(string) string{
		"gpt2": same, "smollm": same, "o200k": same, "gemma": same, "llama1": same, "mistral": same, "llama3": same,
		"qwen2": norm.NFC.String,
	} {
		tok := openVocab(t, name)
		checked := 0
		for _, text := range texts(t) {
			ids, ends := mustEnds(tok, text)
			head := len(tok.before)
			ids, ends = ids[head:], ends[head:]
			if len(text) > 200 || tok.Decode(ids, false) != form(text) || strings.Contains(text, "\uFFFD") {
				continue
			}
			for i, end := range ends {
				got := tok.Decode(ids[:i+1], false)
				if end >= 0 && got != form(text[:end]) {
					t.Errorf("%s: %q: token %d ends at %d, but decodes to %q", name, text, i, end, got)
				}
				if end < 0 && strings.HasPrefix(form(text), got) && name != "qwen2" {
					t.Errorf("%s: %q: token %d ends nowhere, but decodes to %q", name, text, i, got)
				}
				checked++
			}
		}
		if checked < 5000 {
			t.Errorf("%s: only %d tokens checked", name, checked)
		}
	}
}

func TestEndsUnderNormalisation(t *testing.T) {
	for _, c := range []struct {
		vocab, text string
		want        []int // without the tokens that are put around every text
	}{
		{"llama1", "a b", []int{1, 3}},                    // ▁ is put in front, spaces become ▁
		{"mistral", "a  b", []int{1, 2, 4}},               // the same by the pre-tokeniser
		{"qwen2", "e\u0301x", []int{3, 4}},                // e and its accent become one character
		{"sink", "  É ", []int{4}},                        // case, accent and spaces are lost
		{"llama1", "a\xffb", []int{1, -1, -1, 2, 3}},      // a byte that is no text is one U+FFFD
		{"gpt2", "\xe2\x82 ", []int{-1, -1, 2, 3}},        // so is a character that is cut off
		{"gpt2", "\xff\xfe", []int{-1, -1, 1, -1, -1, 2}}, // two bytes are two
		{"gpt2", "<|endoftext|>é", []int{13, 15}},         // an added token
		{"phi3", "<|user|> \n x", []int{11, 12}},          // which takes the white space behind it
	} {
		tok := openVocab(t, c.vocab)
		ids, ends := mustEnds(tok, c.text)
		got := ends[len(tok.before) : len(ends)-len(tok.after)]
		if len(ids) != len(ends) || !slices.Equal(got, c.want) {
			t.Errorf("%s: EncodeEnds(%q) = %v, %v: want ends %v", c.vocab, c.text, tokenTexts(tok, ids), got, c.want)
		}
	}
}

func TestContinuationIsWhatIsAdded(t *testing.T) {
	tok := openVocab(t, "llama1")
	for _, c := range []struct{ prompt, whole string }{
		{"Hello", "Hello world"}, {"", "Hello"}, {"a caf", "a café"}, {"x", "x"}, {"x ", "x  y"},
	} {
		prompt, whole := mustEncode(tok, c.prompt), mustEncode(tok, c.whole)
		if len(prompt) > len(whole) || !slices.Equal(prompt, whole[:len(prompt)]) {
			continue // the prompt's last token is another one with text behind it
		}
		if got, want := tok.Continuation(prompt, whole[len(prompt):]), c.whole[len(c.prompt):]; got != want {
			t.Errorf("Continuation of %q in %q = %q, want %q", c.prompt, c.whole, got, want)
		}
	}
	// A character that begins in the prompt and ends behind it belongs to the continuation.
	tok = openVocab(t, "gpt2")
	ids := mustEncode(tok, "x😀y")
	for i := range ids {
		before := tok.Decode(ids[:i], true)
		got := tok.Continuation(ids[:i], ids[i:])
		if want := "x😀y"[len(strings.TrimRight(before, "\uFFFD")):]; got != want {
			t.Errorf("Continuation after %d tokens = %q, want %q", i, got, want)
		}
	}
}
