package main

import (
	"fmt"
	"strings"
)

// A shape is a model's architecture.
type shape struct {
	name, family            string
	vocab, hidden, layers   int
	heads, kvHeads          int
	intermediate, positions int
	tied                    bool
	theta, epsilon, class   string
}

// shapes are SmolLM2-135M's, Qwen2.5-0.5B's and LLaMA-2-7B's, and one with which to try a script.
var shapes = []shape{
	{name: "tiny", family: "llama", vocab: 4096, hidden: 64, layers: 4, heads: 4, kvHeads: 2, intermediate: 128, positions: 512, tied: true, theta: "10000", epsilon: "1e-5", class: "LlamaForCausalLM"},
	{name: "135m", family: "llama", vocab: 49152, hidden: 576, layers: 30, heads: 9, kvHeads: 3, intermediate: 1536, positions: 8192, tied: true, theta: "100000", epsilon: "1e-5", class: "LlamaForCausalLM"},
	{name: "0.5b", family: "qwen2", vocab: 151936, hidden: 896, layers: 24, heads: 14, kvHeads: 2, intermediate: 4864, positions: 32768, tied: true, theta: "1000000", epsilon: "1e-6", class: "Qwen2ForCausalLM"},
	{name: "7b", family: "llama", vocab: 32000, hidden: 4096, layers: 32, heads: 32, kvHeads: 32, intermediate: 11008, positions: 4096, theta: "10000", epsilon: "1e-5", class: "LlamaForCausalLM"},
}

func shapeNames() (names []string) {
	for _, s := range shapes {
		names = append(names, s.name)
	}
	return names
}

func shapeOf(name string) (shape, error) {
	for _, s := range shapes {
		if s.name == name {
			return s, nil
		}
	}
	return shape{}, fmt.Errorf("-shape %q: want one of %s", name, strings.Join(shapeNames(), ", "))
}

// config is the shape's config.json. Token 2 ends a text, in the tokenizer as well.
func (s shape) config() string {
	return fmt.Sprintf(`{"architectures": [%q], "model_type": %q, "vocab_size": %d, "hidden_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d, `+
		`"num_key_value_heads": %d, "intermediate_size": %d, "max_position_embeddings": %d, "rms_norm_eps": %s, "rope_theta": %s, "hidden_act": "silu", `+
		`"tie_word_embeddings": %t, "initializer_range": 0.02, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2}`,
		s.class, s.family, s.vocab, s.hidden, s.layers, s.heads, s.kvHeads, s.intermediate, s.positions, s.epsilon, s.theta, s.tied)
}
