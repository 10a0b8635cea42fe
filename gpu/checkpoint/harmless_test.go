package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// withVocab is a llama of one block with 4 rows of embedding and a vocabulary of n tokens.
func withVocab(model string, n int, meta func(w *ggufWriter)) []byte {
	return small(func(w *ggufWriter) {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = fmt.Sprintf("t%d", i)
		}
		w.set("tokenizer.ggml.model", model)
		w.set("tokenizer.ggml.tokens", tokens)
		if meta != nil {
			meta(w)
		}
	}, nil)
}

// Ids that the vocabulary does not have are passed over, as llama.cpp does; the configuration that is
// made of the metadata does not know them either.
func TestSpecialIdsOutsideTheVocabularyAreNone(t *testing.T) {
	const minusOne = 0xffffffff
	id := func(key string, v uint32) func(w *ggufWriter) {
		return func(w *ggufWriter) { w.set("tokenizer.ggml."+key+"_token_id", v) }
	}
	tests := []struct {
		model string
		meta  func(w *ggufWriter)
		want  [4]int // BOS, EOS, UNK, PAD
		note  string
	}{
		{"gpt2", id("eos", 3), [4]int{-1, 3, -1, -1}, ""},
		{"gpt2", id("eos", 4), [4]int{-1, -1, -1, -1}, "eos_token_id is 4 for 4 tokens: there is none"},
		{"gpt2", id("padding", minusOne), [4]int{-1, -1, -1, -1}, "padding_token_id is 4294967295"},
		{"gpt2", id("eot", 128009), [4]int{-1, -1, -1, -1}, "eot_token_id is 128009"},
		{"gpt2", id("seperator", minusOne), [4]int{-1, -1, -1, -1}, ""}, // nobody reads it
		{"llama", id("bos", minusOne), [4]int{1, 2, 0, -1}, "bos_token_id is 4294967295 for 4 tokens: token 1 is taken"},
		{"llama", id("unknown", 9), [4]int{1, 2, 0, -1}, "unknown_token_id is 9"},
		{"llama", func(w *ggufWriter) { w.set("tokenizer.ggml.eos_token_id", int32(-1)) }, [4]int{1, 2, 0, -1}, "eos_token_id is -1"},
	}
	for _, test := range tests {
		c, err := openBytes(withVocab(test.model, 4, test.meta))
		if err != nil {
			t.Errorf("%s: %v", test.note, err)
			continue
		}
		v := c.GGUF()
		if got := [4]int{v.BOS, v.EOS, v.UNK, v.PAD}; got != test.want || v.EOS < 0 && len(v.Ends) > 0 {
			t.Errorf("%s: ids %v, want %v; ends %v", test.note, got, test.want, v.Ends)
		}
		if notes := strings.Join(c.Notes(), "; "); test.note == "" != (notes == "") || !strings.Contains(notes, test.note) {
			t.Errorf("notes %q, want %q", notes, test.note)
		}
		var config map[string]any
		if err := json.Unmarshal(c.Config(), &config); err != nil {
			t.Fatal(err)
		}
		for name, id := range map[string]int{"bos_token_id": v.BOS, "eos_token_id": v.EOS, "pad_token_id": v.PAD} {
			if got, ok := config[name]; ok != (id >= 0) || ok && got != float64(id) {
				t.Errorf("%s: configuration has %s %v, the vocabulary %d", test.note, name, got, id)
			}
		}
	}
}

func TestAVocabularyMayBeLongerThanTheEmbedding(t *testing.T) {
	c, err := openBytes(withVocab("gpt2", 6, nil))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.GGUF().Tokens); n != 6 || !strings.Contains(string(c.Config()), `"vocab_size": 4`) {
		t.Errorf("%d tokens, configuration %s", n, c.Config())
	}
}

func TestBytesBehindTheLastTensorAreNoted(t *testing.T) {
	good := small(nil, nil)
	for _, behind := range [][]byte{{'\n'}, make([]byte, 4096), []byte("GGUF")} {
		c, err := openBytes(append(slices.Clone(good), behind...))
		if err != nil {
			t.Errorf("%d bytes: %v", len(behind), err)
			continue
		}
		if want := fmt.Sprintf("test.gguf: %d bytes after the last tensor are not read", len(behind)); !slices.Equal(c.Notes(), []string{want}) {
			t.Errorf("notes %q, want %q", c.Notes(), want)
		}
	}
	if c, err := openBytes(good); err != nil || len(c.Notes()) > 0 {
		t.Errorf("notes %q, %v, want none", c.Notes(), err)
	}
}

// What nobody reads may be of any type that safetensors has; reading it is an error.
func TestTypesOfOtherWritersDoNotPreventOpening(t *testing.T) {
	for dtype, bits := range map[string]int{"U16": 16, "U32": 32, "U64": 64, "C64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F4": 4, "BOOL": 8} {
		size := 8 * bits / 8
		header := fmt.Sprintf(`{"__metadata__":null,"odd":{"dtype":%q,"shape":[8],"data_offsets":[0,%d]},"w":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}}`, dtype, size, size, size+4)
		fsys := fstest.MapFS{"config.json": {Data: []byte(`{}`)}, weightsFile: {Data: raw(header, size+4)}}
		c, err := OpenFS(fsys, "folder")
		if err != nil {
			t.Errorf("%s: %v", dtype, err)
			continue
		}
		if err := c.ReadRows("w", 0, 1, make([]float32, 1)); err != nil {
			t.Errorf("%s: the weight beside it: %v", dtype, err)
		}
		if err := c.ReadRows("odd", 0, 8, make([]float32, 8)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), dtype) {
			t.Errorf("%s read: %v", dtype, err)
		}
	}
}
