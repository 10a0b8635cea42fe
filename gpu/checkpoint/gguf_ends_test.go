package checkpoint

import (
	"slices"
	"testing"
)

// TestGenerationEndsWhereLlamaCppEndsIt gives metadata and tokens, and the texts of those that end a text.
func TestGenerationEndsWhereLlamaCppEndsIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		meta   map[string]any
		tokens []string
		types  []int32
		want   []string
		kinds  []int32
	}{
		{name: "eos alone", meta: map[string]any{"eos": uint32(1)}, tokens: []string{"a", "b"}, want: []string{"b"}},
		{name: "nothing", tokens: []string{"a", "b"}},
		{name: "a turn's end", meta: map[string]any{"eos": uint32(0), "eot": uint32(1)}, tokens: []string{"<s>", "<turn>"}, want: []string{"<s>", "<turn>"}},
		{name: "a message's end", meta: map[string]any{"eom": uint32(1)}, tokens: []string{"a", "m"}, want: []string{"m"}},
		{name: "known by their texts, of whatever kind", meta: map[string]any{"eos": uint32(0)}, tokens: []string{"a", "<|im_end|>", "<end_of_turn>", "<|eot_id|>"},
			types: []int32{3, 1, 4, 3}, want: []string{"a", "<|im_end|>", "<end_of_turn>", "<|eot_id|>"}, kinds: []int32{3, 3, 3, 3}},
		{name: "the last of equal texts", tokens: []string{"<|im_end|>", "a", "<|im_end|>"}, want: []string{"<|im_end|>"}, kinds: []int32{1, 1, 3}},
		{name: "harmony", meta: map[string]any{"eos": uint32(0)}, tokens: []string{"<|return|>", "<|call|>", "<|end|>"}, want: []string{"<|return|>", "<|call|>"}, kinds: []int32{3, 3, 4}},
		{name: "Phi", tokens: []string{"<|end|>", "<|user|>"}, types: []int32{3, 3}, want: []string{"<|end|>"}},
		{name: "Gemma 4", tokens: []string{"</s>", "<eos>", "<|tool_response>"}, want: []string{"<eos>", "<|tool_response>"}, kinds: []int32{1, 3, 3}},
		{name: "code, found by text", tokens: []string{"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|fim_middle|>"}, want: []string{"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"}},
		{name: "code, named", meta: map[string]any{"fim_pad": uint32(1)}, tokens: []string{"<|fim_pad|>", "p"}, want: []string{"p"}},
		{name: "an id that there is not", meta: map[string]any{"eot": uint32(7)}, tokens: []string{"a"}},
	} {
		m := &ggufModel{meta: map[string]any{}}
		for key, id := range c.meta {
			m.meta["tokenizer.ggml."+key+"_token_id"] = id
		}
		v := &GGUFVocab{Model: "gpt2", Tokens: c.tokens, Types: c.types, EOS: -1}
		v.EOS = m.tokenID("eos", -1, v)
		m.findEnds(v)
		var got []string
		for _, id := range v.Ends {
			got = append(got, v.Tokens[id])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q end a text, want %q", c.name, got, c.want)
		}
		if c.kinds != nil && !slices.Equal(v.Types, c.kinds) {
			t.Errorf("%s: types %v, want %v", c.name, v.Types, c.kinds)
		}
	}
}
