package gpu_test

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// allocated returns how many MiB f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) >> 20
}

// TestTokensThatAreNotGeneratedTakeNoMemory asks for sixteen million tokens of a model that ends its text at
// once, and for more than any model can have.
func TestTokensThatAreNotGeneratedTakeNoMemory(t *testing.T) {
	d, r := open(t, "llama")
	row := gpu.Row{Prompt: r.Text(5, 1)}
	config := *r.Config
	config.EOS = []int32{generate(t, d, []gpu.Row{row}, greedy)[0].Tokens[0]}
	e, err := gpu.OpenSource(&config, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if got := allocated(func() {
		out := generate(t, e, []gpu.Row{row}, gpu.Sampling{MaxNewTokens: 1 << 24, StopAtEOS: true})
		if !out[0].Ended {
			t.Errorf("%v", out)
		}
	}); got > 100 {
		t.Errorf("%d MiB allocated for a text that ends at once", got)
	}
	_, err = e.Generate(context.Background(), []gpu.Row{row}, gpu.Sampling{MaxNewTokens: 1_000_000_000})
	if err == nil || !strings.Contains(err.Error(), "1000000000 new tokens, want 1 to 16777216") {
		t.Errorf("%v", err)
	}
}

// TestTopKBeyondTheVocabulary keeps every token.
func TestTopKBeyondTheVocabulary(t *testing.T) {
	d, r := open(t, "llama")
	rows := []gpu.Row{{Prompt: r.Text(5, 1)}}
	want := generate(t, d, rows, gpu.Sampling{MaxNewTokens: 5, Temperature: 1, TopK: r.Config.Vocab})
	if got := generate(t, d, rows, gpu.Sampling{MaxNewTokens: 5, Temperature: 1, TopK: 1<<63 - 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestHostileConfigurationsCostLittle reads configurations that were made to take memory or to fill a terminal.
func TestHostileConfigurationsCostLittle(t *testing.T) {
	long, ids := strings.Repeat("x", 10<<20), strings.Repeat("1,", 2_000_000)+"1"
	with := func(family, key, value string) string { // of two equal keys the last holds
		return strings.TrimSuffix(strings.TrimSpace(gputest.Configs[family]), "}") + fmt.Sprintf(", %q: %s}", key, value)
	}
	for what, config := range map[string]string{
		"a family of 10 MB":       `{"model_type":"` + long + `"}`,
		"an activation of 10 MB":  with("llama", "hidden_act", `"`+long+`"`),
		"a rope of 10 MB":         with("llama", "rope_scaling", `{"rope_type":"`+long+`"}`),
		"millions of layer types": with("gemma2", "layer_types", `[`+strings.Repeat(`"x",`, 2_000_000)+`"x"]`),
		"millions of ends":        with("llama", "eos_token_id", "["+ids+"]"),
		"a size of 10 MB":         with("llama", "num_hidden_layers", `"`+long+`"`),
		"nested deep":             with("llama", "rope_scaling", strings.Repeat("[", 5<<20)),
		"2^24 layers":             with("gemma2", "num_hidden_layers", "16777216"),
	} {
		var err error
		if got := allocated(func() { _, err = arch.ParseConfig([]byte(config)) }); got > 400 {
			t.Errorf("%s: %d MiB allocated", what, got)
		}
		if err == nil || len(err.Error()) > 5000 {
			t.Errorf("%s: %.200v", what, err)
		}
	}
	_, r := folder(t, "llama", nil)
	for what, file := range map[string]string{
		"millions of ends": `{"eos_token_id":[` + ids + `]}`,
		"not JSON":         long,
		"ends nested deep": `{"eos_token_id":` + strings.Repeat("[", 5<<20),
		"an end of 10 MB":  `{"eos_token_id":"` + long + `"}`,
		"another end":      `{"eos_token_id":1e99}`,
	} {
		fsys := r.Folder([]byte(gputest.Configs["llama"]), nil).(fstest.MapFS)
		fsys["generation_config.json"] = &fstest.MapFile{Data: []byte(file)}
		if _, err := openFS(t, fsys, gputest.Tokenizer(t, r.Config.Vocab)); err == nil || len(err.Error()) > 5000 || !strings.Contains(err.Error(), "generation_config.json") {
			t.Errorf("generation_config.json, %s: %.200v", what, err)
		}
	}
}

// TestTensorsThatDoNotFitAreListedShortly opens a model with a thousand tensors too many and one too few.
func TestTensorsThatDoNotFitAreListedShortly(t *testing.T) {
	c, r := folder(t, "llama", func(tensors []safetensors.Tensor) []safetensors.Tensor {
		for i := range 1000 {
			tensors = append(tensors, safetensors.Tensor{Name: fmt.Sprintf("more.%04d", i), Shape: []int{1}, Data: make([]float32, 1)})
		}
		return tensors[1:]
	})
	_, err := gpu.Open(c, gputest.Tokenizer(t, r.Config.Vocab), "cpu")
	if err == nil || !strings.Contains(err.Error(), "1000 unused: more.0000") || !strings.HasSuffix(err.Error(), "more.0019 and 980 more") {
		t.Errorf("%v", err)
	}
}

// FuzzGenerationConfig opens a model with any generation_config.json. What is read must be no
// longer than the file, and a message short.
func FuzzGenerationConfig(f *testing.F) {
	for _, s := range []string{`{"eos_token_id": 3}`, `{"eos_token_id": [1, 2]}`, `{"eos_token_id": null}`, `{}`, `null`, `[]`, `{"eos_token_id": [-1, 2147483647]}`, `{"eos_token_id": {}}`, `{"eos_token_id": 1.5}`} {
		f.Add([]byte(s))
	}
	config, err := arch.ParseConfig([]byte(gputest.Configs["llama"]))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ends, err := gpu.ReadGeneration(config, func(string) ([]byte, error) { return data, nil })
		if err != nil {
			if len(err.Error()) > 5000 {
				t.Fatalf("a message of %d bytes", len(err.Error()))
			}
			return
		}
		if len(ends) > len(data) {
			t.Fatalf("%d ends in %d bytes", len(ends), len(data))
		}
	})
}
