package main

// positions is the longest text, in tokens, that a model is declared for.
const positions = 256

// A family is one of the two models: its shape and its tokenizer.
type family struct {
	name      string // its folder
	seed      uint64 // of the initial weights
	hidden    int
	blocks    int
	heads     int
	keyValues int // heads of keys and values
	inner     int // width of the feed-forward part
	bias      bool
	bos, eos  int // token ids; bos < 0: none
	tokenizer func(texts []string) (tokenizerJSON, tokenizerConfig []byte, err error)
}

// families are the source and the target. The widths differ so that no vector of one fits
// the other by accident; both are about as small as a model can be that keeps to a
// prompt's topic.
var families = []family{
	{
		name: "qwen2", seed: 1, hidden: 96, blocks: 4, heads: 4, keyValues: 2, inner: 256, bias: true,
		bos: -1, eos: vocabulary - 1, tokenizer: qwenTokenizer,
	},
	{
		name: "llama", seed: 2, hidden: 128, blocks: 4, heads: 4, keyValues: 2, inner: 352,
		bos: 1, eos: 2, tokenizer: llamaTokenizer,
	},
}

// config returns config.json, with the keys that transformers writes.
func (f family) config() ([]byte, error) {
	c := object{
		"model_type":              f.name,
		"vocab_size":              vocabulary,
		"hidden_size":             f.hidden,
		"intermediate_size":       f.inner,
		"num_hidden_layers":       f.blocks,
		"num_attention_heads":     f.heads,
		"num_key_value_heads":     f.keyValues,
		"hidden_act":              "silu",
		"max_position_embeddings": positions,
		"initializer_range":       0.02,
		"rms_norm_eps":            1e-6,
		"rope_theta":              10000.0,
		"rope_scaling":            nil,
		"tie_word_embeddings":     true,
		"attention_dropout":       0.0,
		"use_cache":               true,
		"torch_dtype":             "bfloat16",
		"bos_token_id":            nil,
		"eos_token_id":            f.eos,
	}
	if f.bos >= 0 {
		c["bos_token_id"] = f.bos
	}
	if f.bias {
		c["architectures"] = []string{"Qwen2ForCausalLM"}
		c["use_sliding_window"] = false
	} else {
		c["architectures"] = []string{"LlamaForCausalLM"}
		c["attention_bias"], c["mlp_bias"] = false, false
	}
	return marshal(c, "  ")
}

// generationConfig returns generation_config.json.
func (f family) generationConfig() ([]byte, error) {
	c := object{"eos_token_id": f.eos, "pad_token_id": f.eos}
	if f.bos >= 0 {
		c["bos_token_id"] = f.bos
	}
	return marshal(c, "  ")
}
