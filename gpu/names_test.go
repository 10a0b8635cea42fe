package gpu_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// gemma3 as the models that also see describe it.
var gemma3Eyes = `{"model_type": "gemma3", "text_config": ` + gputest.Configs["gemma3"] + `, "vision_config": {}}`

// TestLayoutsOfTransformers opens one model under the names that it has had on the hub, as different
// versions of transformers save it and without its head; what it computes stays the same.
func TestLayoutsOfTransformers(t *testing.T) {
	cut := func(prefix string) func(string) string {
		return func(name string) string { return strings.TrimPrefix(name, prefix) }
	}
	put := func(body, head string) func(string) string {
		return func(name string) string {
			if rest, ok := strings.CutPrefix(name, "model."); ok {
				return body + rest
			}
			return head + name
		}
	}
	tests := []struct {
		what, config string // "": the plain family's
		family       string
		rename       func(string) string
		extra        []string
		notes        string
	}{
		{"as it is", "", "llama", cut(""), nil, ""},
		{"saved from the base model", "", "llama", cut("model."), nil, ""},
		{"saved from the base model, with a head", "", "qwen2", cut("model."), nil, ""},
		{"the first Qwen's base model", "", "qwen", cut("transformer."), nil, ""},
		{"a value head", "", "llama", cut(""), []string{"v_head.summary.weight", "v_head.summary.bias"}, "2 tensors"},
		{"a classifier's head", "", "llama", cut("model."), []string{"score.weight"}, "score.weight"},
		{"scales of a cache, and one block too many", "", "llama", cut(""),
			[]string{"model.layers.0.self_attn.k_scale", "model.layers.9.mlp.gate_proj.weight"}, "2 tensors"},
		{"Gemma 3 on the hub", gemma3Eyes, "gemma3", put("language_model.model.", "language_model."),
			[]string{"vision_tower.x.weight", "multi_modal_projector.y"}, ""},
		{"Gemma 3 of transformers 4.52", gemma3Eyes, "gemma3", put("model.language_model.", ""),
			[]string{"model.vision_tower.x.weight", "model.multi_modal_projector.y"}, ""},
		{"Gemma 3's base model", gemma3Eyes, "gemma3", put("language_model.", ""), []string{"vision_tower.x.weight", "eyes"}, "eyes"},
	}
	for _, test := range tests {
		text := gputest.Configs[test.family]
		plain, err := arch.ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if test.config != "" {
			text = test.config
		}
		r := gputest.Model(plain, 5)
		c, err := checkpoint.OpenFS(r.Folder([]byte(text), func(tensors []safetensors.Tensor) []safetensors.Tensor {
			for i := range tensors {
				tensors[i].Name = test.rename(tensors[i].Name)
			}
			for _, name := range test.extra {
				tensors = append(tensors, safetensors.Tensor{Name: name, Shape: []int{2}, Data: make([]float32, 2)})
			}
			return tensors
		}), "folder")
		if err != nil {
			t.Fatal(err)
		}
		d, err := gpu.Open(c, gputest.Tokenizer(t, plain.Vocab), "cpu")
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		agrees(t, d, r)
		row, stored := make([]float32, plain.Hidden), make([]float32, plain.Hidden)
		if err := c.ReadRows(d.Config().OutputTensor(), 3, 1, row); err != nil {
			t.Errorf("%s: output matrix: %v", test.what, err)
		}
		if r.ReadRows(plain.OutputTensor(), 3, 1, stored); !slices.Equal(row, stored) {
			t.Errorf("%s: %s is not the output matrix", test.what, d.Config().OutputTensor())
		}
		notes := strings.Join(d.Notes(), "; ")
		if test.notes == "" && notes != "" || !strings.Contains(notes, test.notes) {
			t.Errorf("%s: notes %q, want %q", test.what, notes, test.notes)
		}
		if early, err := gpu.Examine(c); err != nil || strings.Join(early, "; ") != notes {
			t.Errorf("%s: before loading %q, %v, want %q", test.what, early, err, notes)
		}
		d.Close()
	}
}

// TestAHeadThatIsNotThereIsMissing for a classifier, whose output matrix is none for tokens.
func TestAHeadThatIsNotThereIsMissing(t *testing.T) {
	c, r := folder(t, "qwen2", func(tensors []safetensors.Tensor) []safetensors.Tensor {
		for i := range tensors {
			if tensors[i].Name == "lm_head.weight" {
				tensors[i].Name = "score.weight"
			}
		}
		return tensors
	})
	_, err := gpu.Open(c, gputest.Tokenizer(t, r.Config.Vocab), "cpu")
	if err == nil || !strings.Contains(err.Error(), "1 missing: lm_head.weight") {
		t.Errorf("opened: %v", err)
	}
	if _, early := gpu.Examine(c); early == nil || early.Error() != err.Error() {
		t.Errorf("before loading: %v, want %v", early, err)
	}
}

// TestTokensWithoutARowAreRefusedInTextsOnly opens models whose tokenizer is longer than the embedding.
func TestTokensWithoutARowAreRefusedInTextsOnly(t *testing.T) {
	const rows = 199
	text := []byte(gputest.Configs["llama"])
	config, err := arch.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	var more strings.Builder // an added token's id is the number of tokens before it
	for id := 2; id < rows-1; id++ {
		fmt.Fprintf(&more, `"<%d>": %d, `, id, id)
	}
	letters := `"vocab": {"a": 0, "b": 1, ` + more.String() + `"z": 198}, "merges": []`
	tokenizers := map[string]string{
		"an added token": `{"added_tokens": [{"id": 199, "content": "<image>", "special": true}], "model": {"type": "BPE", ` + letters + `}}`,
		"a word":         `{"added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "<": 197, "z": 198, "<image>": 199, "i": 200, "m": 201}, "merges": []}}`,
	}
	for what, vocabulary := range tokenizers {
		fsys := gputest.Model(config, 5).Folder(text, nil).(fstest.MapFS)
		fsys["tokenizer.json"] = &fstest.MapFile{Data: []byte(vocabulary)}
		c, err := checkpoint.OpenFS(fsys, "folder")
		if err != nil {
			t.Fatal(err)
		}
		d, err := gpu.Open(c, nil, "cpu")
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if notes := strings.Join(d.Notes(), "; "); !strings.Contains(notes, "the embedding 199 rows") {
			t.Errorf("%s: notes %q", what, notes)
		}
		tok := d.Tokenizer()
		if ids, err := tok.Encode("abz"); err != nil || !slices.Equal(ids, []int32{0, 1, rows - 1}) {
			t.Errorf("%s: an ordinary text: %v, %v", what, ids, err)
		}
		encodings := map[string]func(string) error{
			"Encode":         func(s string) error { _, err := tok.Encode(s); return err },
			"EncodePlain":    func(s string) error { _, err := tok.EncodePlain(s); return err },
			"EncodeEnds":     func(s string) error { _, _, err := tok.EncodeEnds(s); return err },
			"EncodeRendered": func(s string) error { _, _, err := tok.EncodeRendered(s); return err },
		}
		for name, encode := range encodings {
			err := encode("a<image>b")
			if err == nil || !strings.Contains(err.Error(), "the model's embedding has 199 rows") || !strings.Contains(err.Error(), `"a<image>b"`) {
				t.Errorf("%s: %s of a text that needs it: %v", what, name, err)
			}
		}
		d.Close()
	}
}

// TestATokenizerOfAnotherModelIsRefused because it has far more tokens than the embedding rows.
func TestATokenizerOfAnotherModelIsRefused(t *testing.T) {
	text := []byte(gputest.Configs["llama"])
	config, err := arch.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	fsys := gputest.Model(config, 5).Folder(text, nil).(fstest.MapFS)
	fsys["tokenizer.json"] = &fstest.MapFile{Data: []byte(`{"added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0, "b": 1000}, "merges": []}}`)}
	if _, err := openFS(t, fsys, nil); err == nil || !strings.Contains(err.Error(), "they do not belong together") {
		t.Errorf("opened: %v", err)
	}
}
