package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

func TestMergesAreTheMostFrequentPairs(t *testing.T) {
	b := newBPE([]string{"a", "b", "c"})
	// ab: 5+2, bc: 2, ca: 0. After ab there is (ab)c twice, and then nothing left to merge.
	b.learn(100, map[string]int{"ab": 5, "abc": 2, "c": 9}, func(s string) []string { return strings.Split(s, "") })
	if want := []string{"a", "b", "c", "ab", "abc"}; !slices.Equal(b.tokens, want) {
		t.Errorf("tokens %q, want %q", b.tokens, want)
	}
	if want := []pair{{0, 1}, {3, 2}}; !slices.Equal(b.merges, want) {
		t.Errorf("merges %v, want %v", b.merges, want)
	}
	// Equally frequent: the smaller ids first. Overlapping: from the left.
	b = newBPE([]string{"a", "b"})
	b.learn(3, map[string]int{"aaab": 2, "ba": 2}, func(s string) []string { return strings.Split(s, "") })
	if want := []pair{{0, 0}}; !slices.Equal(b.merges, want) {
		t.Errorf("merges %v, want %v", b.merges, want)
	}
	w := word{ids: []int{0, 0, 0, 1}, count: 2}
	w.merge(pair{0, 0}, 2)
	if want := []int{2, 0, 1}; !slices.Equal(w.ids, want) {
		t.Errorf("merge gave %v, want %v", w.ids, want)
	}
}

func TestMetaspaceWords(t *testing.T) {
	got := metaspaceWords("Ahoy, cap'n!\n a — b ♪")
	want := []string{"▁Ahoy", ",", "▁cap", "'", "n", "!", "▁a", "▁", "▁b", "▁"}
	if !slices.Equal(got, want) {
		t.Errorf("metaspaceWords = %q, want %q", got, want)
	}
}

func TestByteLettersAreTheKnownOnes(t *testing.T) {
	letters := byteLetters()
	for b, want := range map[int]string{'a': "a", ' ': "Ġ", '\n': "Ċ", 0: "Ā", 0xAD: "Ń", 0xFF: "ÿ"} {
		if letters[b] != want {
			t.Errorf("byte %#x is written %q, want %q", b, letters[b], want)
		}
	}
	sorted := alphabet(letters)
	if len(sorted) != 256 || !slices.IsSorted(sorted) {
		t.Errorf("the alphabet has %d letters, sorted %t", len(sorted), slices.IsSorted(sorted))
	}
}

// Each tokenizer uses all of its vocabulary and is the same when trained again.
func TestTokenizersAreFullAndRepeatable(t *testing.T) {
	var texts []string
	for _, d := range tiny.Documents(tokenizerSeed, 3000) {
		texts = append(texts, d.Text)
	}
	for _, f := range families {
		first, config, err := f.tokenizer(texts)
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		second, _, err := f.tokenizer(texts)
		if err != nil || string(first) != string(second) {
			t.Errorf("%s: training twice gave different files (error %v)", f.name, err)
		}
		var file struct {
			Model struct {
				Vocab  map[string]int
				Merges [][2]string
			}
			AddedTokens []struct {
				ID      int
				Content string
			} `json:"added_tokens"`
		}
		if err := json.Unmarshal(first, &file); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		ids := map[int]bool{}
		for _, id := range file.Model.Vocab {
			ids[id] = true
		}
		for _, a := range file.AddedTokens {
			ids[a.ID] = true
		}
		if len(ids) != vocabulary {
			t.Errorf("%s: %d tokens, want %d", f.name, len(ids), vocabulary)
		}
		for _, m := range file.Model.Merges {
			if _, ok := file.Model.Vocab[m[0]+m[1]]; !ok {
				t.Errorf("%s: merge %q has no token", f.name, m)
			}
		}
		var fields map[string]any
		if err := json.Unmarshal(config, &fields); err != nil || fields["tokenizer_class"] != "PreTrainedTokenizerFast" {
			t.Errorf("%s: tokenizer_config.json: %v %v", f.name, fields, err)
		}
	}
}

func TestRowsHoldWholeDocuments(t *testing.T) {
	encode := func(text string) ([]int32, error) {
		ids := make([]int32, len(strings.Fields(text)))
		for i := range ids {
			ids[i] = 7
		}
		ids[0] = 1
		return ids, nil
	}
	const eos = 2
	packed, err := rows(encode, eos, 5, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(packed) * rowTokens; got < 2000 || got >= 2000+rowTokens {
		t.Errorf("%d tokens, want 2000 and less than a row more", got)
	}
	for i, row := range packed {
		if len(row) != rowTokens || row[0] != 1 {
			t.Errorf("row %d has %d tokens and begins with %d", i, len(row), row[0])
		}
		for j := 1; j < len(row); j++ {
			if (row[j] == 1) != (row[j-1] == eos) {
				t.Errorf("row %d: %d follows %d", i, row[j], row[j-1])
			}
		}
	}
	again, err := rows(encode, eos, 5, 2000)
	if err != nil || !reflect.DeepEqual(packed, again) {
		t.Errorf("the same rows differ (error %v)", err)
	}
	if _, err := rows(func(string) ([]int32, error) { return nil, nil }, eos, 5, 2000); err == nil {
		t.Error("a tokenizer without tokens: no error")
	}
}
