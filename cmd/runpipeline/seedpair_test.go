package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// minimal is the minimal configuration of the document that the experiment comes from, with its
// lists filled in and nothing else changed.
const minimal = `{
  "source_model": "Qwen/Qwen-7B",
  "target_model": "meta-llama/Llama-2-7b-hf",
  "layer_idx": 16,
  "output_dir": "./results",
  "persona_datasets": {
    "silly": {
      "positive_texts": ["Happy playful text!", "What a giggly wobbly day!", "Bananas in my pyjamas, hooray!", "Tickle the moon with a feather!"],
      "negative_texts": ["Serious formal text.", "The meeting begins at nine.", "The report was filed on time.", "Please sign the form below."]
    }
  },
  "test_prompts": ["Tell me about AI.", "Describe your day.", "What is a bridge?", "How do plants grow?"]
}
`

// The configurations of the two repositories.
const (
	qwen7B = `{"architectures": ["QWenLMHeadModel"], "attn_dropout_prob": 0.0, "bf16": false, "emb_dropout_prob": 0.0, "fp16": false, "fp32": false,
		"hidden_size": 4096, "intermediate_size": 22016, "initializer_range": 0.02, "kv_channels": 128, "layer_norm_epsilon": 1e-06, "max_position_embeddings": 32768,
		"model_type": "qwen", "no_bias": true, "num_attention_heads": 32, "num_hidden_layers": 32, "onnx_safe": null, "rotary_emb_base": 10000, "rotary_pct": 1.0,
		"scale_attn_weights": true, "seq_length": 8192, "tie_word_embeddings": false, "tokenizer_class": "QWenTokenizer", "transformers_version": "4.32.0",
		"use_cache": true, "use_dynamic_ntk": true, "use_flash_attn": "auto", "use_logn_attn": true, "vocab_size": 151936}`
	llama7B = `{"architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
		"intermediate_size": 11008, "max_position_embeddings": 4096, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
		"pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null, "tie_word_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.31.0.dev0",
		"use_cache": true, "vocab_size": 32000}`
)

// A hubCache is a folder in the layout of the hub's cache.
type hubCache struct {
	t   *testing.T
	dir string
}

func newHubCache(t *testing.T) hubCache {
	dir := t.TempDir()
	t.Setenv("HF_HOME", dir)
	t.Setenv("HF_HUB_OFFLINE", "1")
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", dir)
	return hubCache{t, filepath.Join(dir, "hub")}
}

// add makes one file of a repository's main revision.
func (h hubCache) add(repo, name string, content []byte) {
	h.t.Helper()
	commit := strings.Repeat("0123456789", 4)
	folder := filepath.Join(h.dir, "models--"+strings.ReplaceAll(repo, "/", "--"))
	for path, b := range map[string][]byte{filepath.Join("refs", "main"): []byte(commit), filepath.Join("snapshots", commit, name): content} {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
}

// index adds model.safetensors.index.json: the tensors of every block, spread over shards in order.
func (h hubCache) index(repo string, shards, layers int, first, block, last []string) {
	h.t.Helper()
	var names []string
	names = append(names, first...)
	for l := range layers {
		for _, name := range block {
			names = append(names, fmt.Sprintf(name, l))
		}
	}
	names = append(names, last...)
	weights := map[string]string{}
	for i, name := range names {
		weights[name] = fmt.Sprintf("model-%05d-of-%05d.safetensors", 1+i*shards/len(names), shards)
	}
	b, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 15442649088}, "weight_map": weights})
	if err != nil {
		h.t.Fatal(err)
	}
	h.add(repo, "model.safetensors.index.json", b)
}

// tokenizers adds the tokenizer files: the 256 bytes for Qwen, that of tiny:llama for LLaMA.
func (h hubCache) tokenizers() {
	h.t.Helper()
	var ranks []byte
	for i := range 256 {
		ranks = fmt.Appendf(ranks, "%s %d\n", base64.StdEncoding.EncodeToString([]byte{byte(i)}), i)
	}
	h.add("Qwen/Qwen-7B", "qwen.tiktoken", ranks)
	h.add("Qwen/Qwen-7B", "tokenizer_config.json", []byte(`{"model_max_length": 32768, "tokenizer_class": "QWenTokenizer"}`))
	folder, _ := tiny.Folder(tiny.Target)
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		b, err := fs.ReadFile(folder, name)
		if err != nil {
			h.t.Fatal(err)
		}
		h.add("meta-llama/Llama-2-7b-hf", name, b)
	}
}

// TestMinimalConfigurationWithoutWeights plans the document's own pair from configurations,
// tokenizers and index files, and names the missing shards when it is to run.
func TestMinimalConfigurationWithoutWeights(t *testing.T) {
	h := newHubCache(t)
	h.tokenizers()
	h.add("Qwen/Qwen-7B", "config.json", []byte(qwen7B))
	h.index("Qwen/Qwen-7B", 8, 32, []string{"transformer.wte.weight"},
		[]string{"transformer.h.%d.attn.c_attn.bias", "transformer.h.%d.attn.c_attn.weight", "transformer.h.%d.attn.c_proj.weight", "transformer.h.%d.ln_1.weight",
			"transformer.h.%d.ln_2.weight", "transformer.h.%d.mlp.c_proj.weight", "transformer.h.%d.mlp.w1.weight", "transformer.h.%d.mlp.w2.weight"},
		[]string{"transformer.ln_f.weight", "lm_head.weight"})
	h.add("meta-llama/Llama-2-7b-hf", "config.json", []byte(llama7B))
	h.index("meta-llama/Llama-2-7b-hf", 2, 32, []string{"model.embed_tokens.weight"},
		[]string{"model.layers.%d.input_layernorm.weight", "model.layers.%d.mlp.down_proj.weight", "model.layers.%d.mlp.gate_proj.weight", "model.layers.%d.mlp.up_proj.weight",
			"model.layers.%d.post_attention_layernorm.weight", "model.layers.%d.self_attn.k_proj.weight", "model.layers.%d.self_attn.o_proj.weight",
			"model.layers.%d.self_attn.q_proj.weight", "model.layers.%d.self_attn.rotary_emb.inv_freq", "model.layers.%d.self_attn.v_proj.weight"},
		[]string{"model.norm.weight", "lm_head.weight"})
	t.Chdir(t.TempDir())
	if err := os.WriteFile("minimal.json", []byte(minimal), 0o644); err != nil {
		t.Fatal(err)
	}

	code, stdout, stderr := call(t, "plan", "-config", "minimal.json", "-cache", "cache")
	if code != exitDone {
		t.Fatalf("plan exits with %d\n%s", code, stderr)
	}
	for _, want := range []string{
		`source +Qwen/Qwen-7B: qwen, width 4096, 32 blocks, vocabulary 151936, 7\.72 billion parameters \(28\.8 GiB in float32\); layer 16`,
		`target +meta-llama/Llama-2-7b-hf: llama, width 4096, 32 blocks, vocabulary 32000, 6\.74 billion parameters \(25\.1 GiB in float32\); layer 16`,
		`map +4096 → 4096 from 5000 pairs`, `memory +about [0-9.]+ GiB`, `work +about [0-9.]+ (tr|quadr)illion floating-point operations`, `pairs +run`,
	} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("plan prints\n%s, without %q", stdout, want)
		}
	}

	code, _, stderr = call(t, "-config", "minimal.json", "-cache", "cache")
	if code != exitMissing {
		t.Errorf("run exits with %d, want %d", code, exitMissing)
	}
	for _, want := range []string{"model-00001-of-00008.safetensors", "model-00008-of-00008.safetensors", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "Qwen/Qwen-7B", "meta-llama/Llama-2-7b-hf"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("run says\n%s, without %q", stderr, want)
		}
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("plan and a run that cannot begin left %v behind", entries)
	}
}

// TestMinimalConfigurationOnRandomWeights runs the same file on models of exactly those two
// architectures that are as small as can be. The numbers mean nothing; that there are some does.
func TestMinimalConfigurationOnRandomWeights(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run on models of 18 blocks")
	}
	h := newHubCache(t)
	h.tokenizers()
	for repo, m := range map[string]struct {
		config  string
		changes map[string]any
	}{
		"Qwen/Qwen-7B": {qwen7B, map[string]any{"hidden_size": 24, "intermediate_size": 64, "kv_channels": 12, "num_attention_heads": 2, "num_hidden_layers": 18, "vocab_size": 512,
			"seq_length": 32, "max_position_embeddings": 256}}, // texts longer than seq_length use logn attention and dynamic NTK
		"meta-llama/Llama-2-7b-hf": {llama7B, map[string]any{"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 18, "vocab_size": 2048,
			"max_position_embeddings": 256}},
	} {
		config := changed(t, m.config, m.changes)
		h.add(repo, "config.json", config)
		h.add(repo, "model.safetensors", randomWeights(t, config))
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("minimal.json", []byte(minimal), 0o644); err != nil {
		t.Fatal(err)
	}
	small := []string{"-set", "n_training_samples=200", "-set", "max_new_tokens=6", "-set", "alpha_values=[1]", "-set", `alpha_unit="spread"`, "-set", "n_seeds=1"}
	code, stdout, stderr := call(t, append([]string{"-config", "minimal.json", "-cache", "cache"}, small...)...)
	if code != exitDone || !strings.HasPrefix(stdout, "Qwen/Qwen-7B layer 16 → meta-llama/Llama-2-7b-hf layer 16, 200 pairs (word_ends)") || !strings.Contains(stdout, "\nverdict: ") {
		t.Fatalf("run exits with %d\n%s%s", code, stdout, stderr)
	}
	code, again, stderr := call(t, append([]string{"-config", "minimal.json", "-cache", "cache"}, small...)...)
	if code != exitDone || again != stdout || !strings.Contains(stderr, "nothing had to be done") {
		t.Errorf("the second run exits with %d\n%s%s", code, again, stderr)
	}
}

// changed is a configuration with some keys changed.
func changed(t *testing.T, config string, changes map[string]any) []byte {
	t.Helper()
	var keys map[string]any
	if err := json.Unmarshal([]byte(config), &keys); err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		keys[key] = value
	}
	b, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// randomWeights is a safetensors file with every tensor that the configuration asks for.
func randomWeights(t *testing.T, config []byte) []byte {
	t.Helper()
	c, err := arch.ParseConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	model := gputest.Model(c, 5)
	var tensors []safetensors.Tensor
	for name, shape := range c.Tensors() {
		tensors = append(tensors, safetensors.Tensor{Name: name, Shape: shape, Data: model.Weights[name]})
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// call runs the command in this process.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &errs)
	code = a.main(t.Context(), args)
	return code, out.String(), errs.String()
}
