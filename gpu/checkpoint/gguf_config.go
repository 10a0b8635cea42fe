package checkpoint

import "math"

// Configurations with the keys of transformers' config.json. What GGUF does not record is
// set as llama.cpp sets it (src/llama-model.cpp and src/models of
// https://github.com/ggml-org/llama.cpp).

// baseConfig has what all families but the first Qwen share.
func (m *ggufModel) baseConfig(class, modelType string) map[string]any {
	hidden := m.int("embedding_length")
	headDim := m.intOr("attention.key_length", hidden/m.heads)
	if v := m.intOr("attention.value_length", headDim); v != headDim {
		m.problem("heads of %d for keys and %d for values", headDim, v)
	}
	if headDim == 0 {
		m.problem("%d heads for %d values", m.heads, hidden)
	}
	c := map[string]any{
		"architectures":           []string{class},
		"model_type":              modelType,
		"vocab_size":              m.vocabSize(),
		"hidden_size":             hidden,
		"intermediate_size":       m.int("feed_forward_length"),
		"num_hidden_layers":       m.blocks(),
		"num_attention_heads":     m.heads,
		"num_key_value_heads":     m.kvHeads,
		"head_dim":                headDim,
		"hidden_act":              "silu",
		"max_position_embeddings": m.int("context_length"),
		"rms_norm_eps":            m.floatOr("attention.layer_norm_rms_epsilon", 1e-6),
		"rope_theta":              m.floatOr("rope.freq_base", 10000),
		"tie_word_embeddings":     m.tensors["output.weight"] == nil,
	}
	if dims := m.intOr("rope.dimension_count", headDim); dims != headDim && headDim != 0 {
		c["partial_rotary_factor"] = float64(dims) / float64(headDim)
	}
	return c
}

// blocks is the number of blocks, each of which has at least one tensor.
func (m *ggufModel) blocks() int {
	n := m.int("block_count")
	if n > len(m.tensors) {
		m.problem("%d blocks in %d tensors", n, len(m.tensors))
		return 1
	}
	return n
}

// vocabSize is the number of rows of the embedding.
func (m *ggufModel) vocabSize() int {
	t := m.tensors["token_embd.weight"]
	if t == nil {
		m.problem("tensor token_embd.weight is missing")
		return 0
	}
	rows, _ := t.rows()
	return rows
}

// addTokens copies the ids of special tokens.
func addTokens(c map[string]any, v *GGUFVocab) {
	for name, id := range map[string]int{"bos_token_id": v.BOS, "eos_token_id": v.EOS, "pad_token_id": v.PAD} {
		if id >= 0 {
			c[name] = id
		}
	}
}

// llamaConfig serves LLaMA 1 to 3 and all that share its tensors: SmolLM2, and Mistral,
// which is told apart only by its window, where the file records one.
func llamaConfig(m *ggufModel) map[string]any {
	c := m.baseConfig("LlamaForCausalLM", "llama")
	if window := m.intOr("attention.sliding_window", 0); window > 0 {
		c["architectures"], c["model_type"], c["sliding_window"] = []string{"MistralForCausalLM"}, "mistral", window
	}
	c["attention_bias"] = m.tensors["blk.0.attn_q.bias"] != nil
	c["mlp_bias"] = m.tensors["blk.0.ffn_up.bias"] != nil
	return c
}

func qwen2Config(m *ggufModel) map[string]any {
	c := m.baseConfig("Qwen2ForCausalLM", "qwen2")
	c["use_sliding_window"] = false
	return c
}

func qwen3Config(m *ggufModel) map[string]any {
	c := m.baseConfig("Qwen3ForCausalLM", "qwen3")
	c["use_sliding_window"] = false
	c["attention_bias"] = m.tensors["blk.0.attn_q.bias"] != nil
	return c
}

func gemma2Config(m *ggufModel) map[string]any {
	c := m.baseConfig("Gemma2ForCausalLM", "gemma2")
	const blocks27B, period = 46, 2
	m.addGemma(c, blocks27B, period, m.intOr("attention.sliding_window", 4096))
	c["attn_logit_softcapping"] = orNull(m.floatOr("attn_logit_softcapping", 50))
	c["final_logit_softcapping"] = orNull(m.floatOr("final_logit_softcapping", 30))
	return c
}

func gemma3Config(m *ggufModel) map[string]any {
	c := m.baseConfig("Gemma3ForCausalLM", "gemma3_text")
	const blocks27B, period = 62, 6
	m.addGemma(c, blocks27B, m.intOr("attention.sliding_window_pattern", period), m.intOr("attention.sliding_window", 0))
	c["rope_local_base_freq"] = m.floatOr("rope.freq_base_swa", 10000)
	c["attn_logit_softcapping"] = orNull(m.floatOr("attn_logit_softcapping", 0))
	c["final_logit_softcapping"] = orNull(m.floatOr("final_logit_softcapping", 0))
	return c
}

// addGemma adds what Gemma 2 and 3 share: every period-th block sees everything, the others
// the last window tokens; a window of 0 is none. The attention's scale is that of its head
// size but for the 27B models, which only their number of blocks tells apart.
func (m *ggufModel) addGemma(c map[string]any, blocks27B, period, window int) {
	delete(c, "hidden_act")
	c["hidden_activation"] = "gelu_pytorch_tanh"
	blocks := c["num_hidden_layers"].(int)
	c["query_pre_attn_scalar"] = c["head_dim"]
	if blocks == blocks27B {
		c["query_pre_attn_scalar"] = c["hidden_size"].(int) / m.heads
	}
	types := make([]string, blocks)
	for i := range types {
		types[i] = "sliding_attention"
		if window == 0 || period == 0 || (i+1)%period == 0 {
			types[i] = "full_attention"
		}
	}
	c["layer_types"], c["sliding_window"] = types, nil
	if window > 0 {
		c["sliding_window"] = window
	}
}

func phi3Config(m *ggufModel) map[string]any {
	c := m.baseConfig("Phi3ForCausalLM", "phi3")
	c["original_max_position_embeddings"] = m.intOr("rope.scaling.original_context_length", c["max_position_embeddings"].(int))
	c["sliding_window"] = nil
	if window := m.intOr("attention.sliding_window", 0); window > 0 {
		c["sliding_window"] = window
	}
	return c
}

// qwenConfig has the keys of the first Qwen's own configuration class. Its
// intermediate_size counts w1 and w2 together. The file does not say whether the model
// uses logn attention and dynamic NTK, which matter only beyond the trained length;
// llama.cpp computes neither.
func qwenConfig(m *ggufModel) map[string]any {
	hidden := m.int("embedding_length")
	c := map[string]any{
		"architectures":       []string{"QWenLMHeadModel"},
		"model_type":          "qwen",
		"vocab_size":          m.vocabSize(),
		"hidden_size":         hidden,
		"intermediate_size":   m.int("feed_forward_length"),
		"num_hidden_layers":   m.blocks(),
		"num_attention_heads": m.heads,
		"kv_channels":         hidden / m.heads,
		"layer_norm_epsilon":  m.floatOr("attention.layer_norm_rms_epsilon", 1e-6),
		"rotary_emb_base":     m.floatOr("rope.freq_base", 10000),
		"rotary_pct":          1.0,
		"seq_length":          m.int("context_length"),
		"no_bias":             true,
		"scale_attn_weights":  true,
		"use_dynamic_ntk":     false,
		"use_logn_attn":       false,
		"tie_word_embeddings": m.tensors["output.weight"] == nil,
	}
	c["max_position_embeddings"] = c["seq_length"]
	return c
}

// orNull returns nil for 0: no capping.
func orNull(cap float32) any {
	if cap == 0 || math.IsInf(float64(cap), 0) {
		return nil
	}
	return cap
}
