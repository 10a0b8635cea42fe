package tokenizer_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/gputest"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// openReal opens the vocabulary of a pretrained model's file; the test is skipped if it is not there.
func openReal(t testing.TB, name string) *tokenizer.Tokenizer {
	t.Helper()
	if testing.Short() {
		t.Skip("opens vocabularies of a quarter of a million tokens")
	}
	c := gputest.OpenPretrained(t, "../../models", name)
	v := c.GGUF()
	tok, err := tokenizer.FromVocab(tokenizer.Vocab{
		Model: v.Model, Pre: v.Pre, Tokens: v.Tokens, Scores: v.Scores, Types: v.Types, Merges: v.Merges,
		BOS: v.BOS, EOS: v.EOS, UNK: v.UNK, PAD: v.PAD,
		AddBOS: v.AddBOS, AddEOS: v.AddEOS, AddSpacePrefix: v.AddSpacePrefix, ChatTemplate: v.ChatTemplate,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func readGzip(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// TestPretrainedVocabulariesMatchHuggingFace holds the vocabularies of two real models, as their
// GGUF files have them, against Hugging Face's library built from the same files
// (testdata/make.py says how).
func TestPretrainedVocabulariesMatchHuggingFace(t *testing.T) {
	data, err := os.ReadFile("testdata/texts500.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ name, file string }{
		{"smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"},
		{"gemma3", "gemma-3-270m.Q4_K_M.gguf"},
	} {
		t.Run(m.name, func(t *testing.T) {
			tok := openReal(t, m.file)
			var reference struct {
				Rows []struct {
					IDs         []int32
					Ends        []int
					Plain, Skip *string
				}
			}
			readGzip(t, "testdata/reference/"+m.name+".json.gz", &reference)
			if len(reference.Rows) != len(texts) || len(texts) != 500 {
				t.Fatalf("%d rows for %d texts, want 500", len(reference.Rows), len(texts))
			}
			for i, text := range texts {
				want := reference.Rows[i]
				ids, ends, err := tok.EncodeEnds(text)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(ids, want.IDs) {
					t.Errorf("Encode(%q) =\n     %v\nwant %v", text, ids, want.IDs)
					continue
				}
				for k, end := range ends {
					if end >= 0 && end != want.Ends[k] {
						t.Errorf("EncodeEnds(%q): token %d, %q, ends at %d, want %d", text, k, tok.Token(ids[k]), end, want.Ends[k])
					}
				}
				plain, skip := text, text
				if want.Plain != nil {
					plain = *want.Plain
				}
				if want.Skip != nil {
					skip = *want.Skip
				}
				if got := tok.Decode(ids, false); got != plain {
					t.Errorf("Decode(%v, false) = %q, want %q", ids, got, plain)
				}
				if got := tok.Decode(ids, true); got != skip {
					t.Errorf("Decode(%v, true) = %q, want %q", ids, got, skip)
				}
			}
		})
	}
}
