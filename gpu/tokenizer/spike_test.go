package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// openFolder opens the tokenizer.json of a folder under testdata.
func openFolder(t testing.TB, folder string) *Tokenizer {
	t.Helper()
	folder = filepath.Join("testdata", folder)
	tok, err := FromJSON(readFile(t, filepath.Join(folder, "tokenizer.json")), readFile(t, filepath.Join(folder, "tokenizer_config.json")))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestSmallVocabulariesMatchTheReference holds four small vocabularies, in the shape of the four
// kinds of tokenizer.json that the decoder families use, against ids and texts made with
// Hugging Face's JavaScript library (testdata/spike/ref.mjs, make.py).
func TestSmallVocabulariesMatchTheReference(t *testing.T) {
	var reference map[string][]struct {
		Text string
		IDs  []int32
		Dec  string
	}
	if err := json.Unmarshal(readFile(t, "testdata/spike/ref.json"), &reference); err != nil {
		t.Fatal(err)
	}
	if len(reference) != 4 {
		t.Fatalf("%d vocabularies in the reference, want 4", len(reference))
	}
	for name, cases := range reference {
		tok := openFolder(t, "spike/"+name)
		for _, c := range cases {
			ids := mustEncode(tok, c.Text)
			if !slices.Equal(ids, c.IDs) {
				t.Errorf("%s: Encode(%q) = %v, want %v", name, c.Text, ids, c.IDs)
			}
			if got := tok.Decode(c.IDs, true); got != c.Dec {
				t.Errorf("%s: Decode(Encode(%q)) = %q, want %q", name, c.Text, got, c.Dec)
			}
		}
	}
}
