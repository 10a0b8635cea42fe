package tiny_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// The fixtures: testdata/make_reference.py says what they hold.
type (
	given struct {
		Texts    []string `json:"texts"`
		Residual []int    `json:"residual"` // indices of texts
		Prompts  []string `json:"prompts"`
	}
	reference struct {
		Models map[string]struct {
			IDs     [][]int32      `json:"ids"`
			Prompts [][]int32      `json:"prompts"`
			Plain   []continuation `json:"plain"`
			Steered []continuation `json:"steered"`
		} `json:"models"`
	}
	continuation struct {
		Tokens  []int32   `json:"tokens"`
		Margins []float64 `json:"margins"`
	}
)

// steered is the site at which the reference adds its vector.
var steered = gpu.Site{Layer: 1}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// readTensor returns a tensor of reference.safetensors.
func readTensor(t *testing.T, name string) []float32 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := safetensors.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	values, err := file.Float32(name)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func open(t *testing.T, name string) *gpu.Decoder {
	t.Helper()
	folder, ok := tiny.Folder(name)
	if !ok {
		t.Fatalf("no model %s", name)
	}
	c, err := checkpoint.OpenFS(folder, "tiny:"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := gpu.Open(c, nil, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// Token ids are those of Hugging Face's library, on the grammar's texts and on odd ones.
func TestTokensEqualHuggingFace(t *testing.T) {
	var in given
	var want reference
	readJSON(t, "texts.json", &in)
	readJSON(t, "reference.json", &want)
	if len(in.Texts) != 200 {
		t.Fatalf("%d texts, want 200", len(in.Texts))
	}
	for _, name := range []string{tiny.Source, tiny.Target} {
		tok := open(t, name).Tokenizer()
		for i, text := range in.Texts {
			if got, err := tok.Encode(text); err != nil || !slices.Equal(got, want.Models[name].IDs[i]) {
				t.Errorf("%s: %q is %v, %v; want %v", name, text, got, err, want.Models[name].IDs[i])
			}
		}
		// What the grammar says comes back as it was.
		for _, d := range tiny.Documents(99, 500) {
			ids, err := tok.Encode(d.Text)
			if got := tok.Decode(ids, true); err != nil || got != d.Text {
				t.Errorf("%s: %q comes back as %q, %v", name, d.Text, got, err)
			}
		}
	}
}

// The residual stream after every block is transformers' within 1e-4 of its length.
func TestResidualsEqualTransformers(t *testing.T) {
	var in given
	var want reference
	readJSON(t, "texts.json", &in)
	readJSON(t, "reference.json", &want)
	for _, name := range []string{tiny.Source, tiny.Target} {
		d := open(t, name)
		width := d.Config().Hidden
		var sites []gpu.Site
		for l := range d.Config().Layers {
			sites = append(sites, gpu.Site{Layer: l})
		}
		var tokens [][]int32
		var last [][]int
		for _, i := range in.Residual {
			ids := want.Models[name].IDs[i]
			tokens, last = append(tokens, ids), append(last, []int{len(ids) - 1})
		}
		got, err := d.Capture(t.Context(), tokens, last, sites)
		if err != nil {
			t.Fatal(err)
		}
		expected := readTensor(t, name+".residual")
		worst := 0.0
		for i := range got {
			for _, s := range sites {
				a := got[i][s.Layer*width : (s.Layer+1)*width]
				b := expected[(i*len(sites)+s.Layer)*width:][:width]
				e := distance(a, b)
				worst = max(worst, e)
				if e > 1e-4 {
					t.Errorf("%s, text %q, %s: relative distance %.2e", name, in.Texts[in.Residual[i]], s, e)
				}
			}
		}
		t.Logf("%s: largest relative distance %.1e", name, worst)
	}
}

// distance is ‖a − b‖ / ‖b‖.
func distance(a, b []float32) float64 {
	var apart, length float64
	for i := range b {
		apart += float64(a[i]-b[i]) * float64(a[i]-b[i])
		length += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(apart / length)
}

// Greedy continuations are transformers', plain and steered, up to the first token that
// transformers itself chose by less than 1e-3: there, rounding decides.
func TestContinuationsEqualTransformers(t *testing.T) {
	var want reference
	readJSON(t, "reference.json", &want)
	for _, name := range []string{tiny.Source, tiny.Target} {
		d := open(t, name)
		push := []gpu.Push{{Site: steered, Vector: readTensor(t, name+".steer")}}
		model := want.Models[name]
		var rows []gpu.Row
		for _, p := range model.Prompts {
			rows = append(rows, gpu.Row{Prompt: p})
		}
		for _, p := range model.Prompts {
			rows = append(rows, gpu.Row{Prompt: p, Push: push})
		}
		got, err := d.Generate(t.Context(), rows, gpu.Sampling{MaxNewTokens: 32})
		if err != nil {
			t.Fatal(err)
		}
		changed := 0
		for i, expected := range slices.Concat(model.Plain, model.Steered) {
			if len(got[i].Tokens) != 32 {
				t.Errorf("%s, row %d: %d tokens, want 32", name, i, len(got[i].Tokens))
			}
			compareContinuation(t, name, i, got[i], expected)
		}
		for i := range model.Plain {
			if !slices.Equal(got[i].Tokens, got[i+len(model.Plain)].Tokens) {
				changed++
			}
		}
		if changed < len(model.Plain)/2 {
			t.Errorf("%s: steering changed %d of %d continuations", name, changed, len(model.Plain))
		}
	}
}

func compareContinuation(t *testing.T, name string, row int, got gpu.Output, want continuation) {
	t.Helper()
	for j := range want.Tokens {
		if got.Tokens[j] != want.Tokens[j] {
			if want.Margins[j] < 1e-3 {
				t.Logf("%s, row %d: differs from token %d on, whose margin is %.1e", name, row, j, want.Margins[j])
				return
			}
			t.Errorf("%s, row %d, token %d: %d, want %d (margin %.1e)", name, row, j, got.Tokens[j], want.Tokens[j], want.Margins[j])
			return
		}
		if diff := math.Abs(float64(got.Margins[j]) - want.Margins[j]); diff > 1e-3 {
			t.Errorf("%s, row %d, token %d: margin %g, want %g", name, row, j, got.Margins[j], want.Margins[j])
		}
	}
}

// The first half of the texts is the grammar's own, as the models know it.
func TestReferenceTextsAreTheGrammars(t *testing.T) {
	var in given
	readJSON(t, "texts.json", &in)
	if !slices.Equal(in.Texts[:100], tiny.CalibrationTexts(7, 100)) {
		t.Error("testdata/texts.json holds texts of another grammar")
	}
	if !slices.Equal(in.Prompts, tiny.AnchorPrompts(len(in.Prompts))) {
		t.Error("testdata/texts.json holds prompts of another grammar")
	}
}

func TestFolders(t *testing.T) {
	size := 0
	for _, name := range []string{tiny.Source, tiny.Target} {
		d := open(t, name)
		if got := d.Tokenizer().Size(); got != d.Config().Vocab {
			t.Errorf("%s: %d tokens, %d rows of the embedding", name, got, d.Config().Vocab)
		}
		if eos, ok := d.Tokenizer().EOS(); !ok || !slices.Contains(d.Config().EOS, eos) {
			t.Errorf("%s: the tokenizer ends texts with %d (%t), the model with %v", name, eos, ok, d.Config().EOS)
		}
		size += d.Config().Parameters() * 2
	}
	if size > 8<<20 {
		t.Errorf("the weights take %d bytes, want at most 8 MiB", size)
	}
	if _, ok := tiny.Folder("gpt2"); ok {
		t.Error("there is a model gpt2")
	}
	if _, ok := tiny.Folder(".."); ok {
		t.Error("there is a model ..")
	}
}
