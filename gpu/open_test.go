package gpu_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// folder writes a random model as a Hugging Face folder, after change had its way with the
// tensors.
func folder(t *testing.T, family string, change func(tensors []safetensors.Tensor) []safetensors.Tensor) (*checkpoint.Checkpoint, *gputest.Reference) {
	t.Helper()
	config, err := arch.ParseConfig([]byte(gputest.Configs[family]))
	if err != nil {
		t.Fatal(err)
	}
	r := gputest.Model(config, 5)
	fsys := r.Folder([]byte(gputest.Configs[family]), change)
	c, err := checkpoint.OpenFS(fsys, "folder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, r
}

// agrees compares a decoder's logits with the reference's.
func agrees(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
	t.Helper()
	text := r.Text(9, 1)
	got, err := d.Logits(context.Background(), [][]int32{text}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := relative(got[0], r.Forward(text, 0).Logits(8)); e > tolerance {
		t.Errorf("relative difference %.1e", e)
	}
}

func TestOpenAFolder(t *testing.T) {
	c, r := folder(t, "llama", nil)
	d, err := gpu.Open(c, gputest.Tokenizer(t, r.Config.Vocab), "cpu")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	agrees(t, d, r)
	if device, err := gpu.DeviceFor("cpu"); err != nil || device.String() != "cpu/float32" {
		t.Errorf("device is %q, %v", device, err)
	}
}

func TestOpenListsEveryTensorThatDoesNotFit(t *testing.T) {
	c, r := folder(t, "qwen2", func(tensors []safetensors.Tensor) []safetensors.Tensor {
		out := slices.DeleteFunc(tensors, func(t safetensors.Tensor) bool {
			return t.Name == "lm_head.weight" || t.Name == "model.layers.1.self_attn.q_proj.bias"
		})
		for i := range out {
			if out[i].Name == "model.norm.weight" {
				out[i].Shape, out[i].Data = []int{16}, make([]float32, 16)
			}
		}
		return append(out,
			safetensors.Tensor{Name: "model.layers.0.self_attn.rotary_emb.inv_freq", Shape: []int{4}, Data: make([]float32, 4)},
			safetensors.Tensor{Name: "model.layers.9.mlp.gate_proj.weight", Shape: []int{4}, Data: make([]float32, 4)})
	})
	_, err := gpu.Open(c, gputest.Tokenizer(t, r.Config.Vocab), "cpu")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"2 missing: lm_head.weight, model.layers.1.self_attn.q_proj.bias", "1 misshapen: model.norm.weight [16], want [32]",
		"1 unused: model.layers.9.mlp.gate_proj.weight"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want it to say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "inv_freq") {
		t.Errorf("error %q complains of a buffer", err)
	}
}

// TestStoredHeadIsUsed opens a model that is called tied but stores an output matrix of its own.
func TestStoredHeadIsUsed(t *testing.T) {
	config, err := arch.ParseConfig([]byte(gputest.Configs["llama"]))
	if err != nil {
		t.Fatal(err)
	}
	stored := *config
	stored.Tied = false
	r := gputest.Model(&stored, 5)
	d, err := gpu.OpenSource(config, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	agrees(t, d, r)
	if !config.Tied {
		t.Error("opening changed the caller's configuration")
	}
}

// TestWhatEndsAText asks where end-of-text tokens come from: generation_config.json before
// config.json before the tokenizer, whose is token 7 here.
func TestWhatEndsAText(t *testing.T) {
	const names, null, absent = `"eos_token_id": 3`, `"eos_token_id": null`, `"x": 0`
	for _, c := range []struct {
		config, generation string // generation "": no such file
		want               []int32
	}{
		{names, "{" + names + "}", []int32{3}},
		{names, `{"eos_token_id": [4, 5]}`, []int32{4, 5}},
		{names, "{" + absent + "}", []int32{3}},
		{names, "", []int32{3}},
		{absent, `{"eos_token_id": 4}`, []int32{4}},
		{null, "", nil},
		{absent, "", []int32{7}},
	} {
		text := strings.Replace(gputest.Configs["llama"], `"eos_token_id": 2`, c.config, 1)
		config, err := arch.ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		fsys := gputest.Model(config, 5).Folder([]byte(text), nil).(fstest.MapFS)
		if c.generation != "" {
			fsys["generation_config.json"] = &fstest.MapFile{Data: []byte(c.generation)}
		}
		d, err := openFS(t, fsys, gputest.Tokenizer(t, config.Vocab))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Ends(); !slices.Equal(got, c.want) {
			t.Errorf("config %s, generation %s: %v, want %v", c.config, c.generation, got, c.want)
		}
	}
	_, r := folder(t, "llama", nil)
	fsys := r.Folder([]byte(gputest.Configs["llama"]), nil).(fstest.MapFS)
	fsys["generation_config.json"] = &fstest.MapFile{Data: []byte(`{"eos_token_id": "end"}`)}
	if _, err := openFS(t, fsys, gputest.Tokenizer(t, r.Config.Vocab)); err == nil || !strings.Contains(err.Error(), `generation_config.json: eos_token_id is "end"`) {
		t.Errorf("an end-of-text of the wrong type: %v", err)
	}
}

// TestIdsOutsideTheVocabularyEndNothing: folders have such ids as GGUF files do, and texts go on to their
// last token.
func TestIdsOutsideTheVocabularyEndNothing(t *testing.T) {
	for _, id := range []string{"-1", "[-1]", "200", "[128001, 128009]", "2147483647"} {
		for _, file := range []string{"config.json", "generation_config.json"} {
			text := gputest.Configs["llama"]
			if file == "config.json" {
				text = strings.Replace(text, `"eos_token_id": 2`, `"eos_token_id": `+id+`, "pad_token_id": -1, "bos_token_id": 128000`, 1)
			}
			config, err := arch.ParseConfig([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			fsys := gputest.Model(config, 5).Folder([]byte(text), nil).(fstest.MapFS)
			if file != "config.json" {
				fsys[file] = &fstest.MapFile{Data: []byte(`{"pad_token_id": -1, "eos_token_id": ` + id + `}`)}
			}
			d, err := openFS(t, fsys, gputest.Tokenizer(t, config.Vocab))
			if err != nil {
				t.Errorf("%s, end %s: %v", file, id, err)
				continue
			}
			out, err := d.Generate(context.Background(), []gpu.Row{{Prompt: []int32{3, 4}}}, gpu.Sampling{MaxNewTokens: 12, StopAtEOS: true})
			if err != nil || len(out[0].Tokens) != 12 {
				t.Errorf("%s, end %s: %v, %v, want 12 tokens", file, id, out, err)
			}
		}
	}
}

// openFS opens a folder that is held in memory.
func openFS(t *testing.T, fsys fs.FS, tok *tokenizer.Tokenizer) (*gpu.Decoder, error) {
	t.Helper()
	c, err := checkpoint.OpenFS(fsys, "folder")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := gpu.Open(c, tok, "cpu")
	if err == nil {
		t.Cleanup(func() { d.Close() })
	}
	return d, err
}

func TestOpenRefusesWhatIsNotThere(t *testing.T) {
	c, r := folder(t, "llama", nil)
	if _, err := gpu.Open(c, gputest.Tokenizer(t, r.Config.Vocab), "abacus"); !errors.Is(err, gpu.ErrNoDevice) {
		t.Errorf("device abacus: %v", err)
	}
	if _, err := gpu.Open(c, nil, "cpu"); err == nil {
		t.Error("a folder without a tokenizer was opened without one")
	}
	broken, err := checkpoint.OpenFS(fstest.MapFS{
		"config.json":       {Data: []byte(`{"model_type": "llama"}`)},
		"model.safetensors": {Data: tinyFile(t)},
	}, "broken")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gpu.Open(broken, nil, "cpu"); err == nil || !strings.Contains(err.Error(), "hidden_size") {
		t.Errorf("an empty configuration: %v", err)
	}
}

func tinyFile(t *testing.T) []byte {
	var b bytes.Buffer
	if err := safetensors.Write(&b, []safetensors.Tensor{{Name: "a", Shape: []int{1}, Data: []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
