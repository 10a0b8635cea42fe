package arch_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// with is the llama configuration with some keys changed; a nil value removes the key.
func with(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(gputest.Configs["llama"]), &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range changes {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		changes map[string]any
		want    []string
	}{
		"unknown family":     {map[string]any{"model_type": "mamba"}, []string{`model_type "mamba" is not supported`, "llama, mistral"}},
		"no family":          {map[string]any{"model_type": nil}, []string{`model_type "" is not supported`}},
		"rope type":          {map[string]any{"rope_scaling": map[string]any{"rope_type": "spiral"}}, []string{`rope_type "spiral" is not supported`}},
		"rope factor":        {map[string]any{"rope_scaling": map[string]any{"rope_type": "linear"}}, []string{"rope factor is 0"}},
		"llama3":             {map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8}}, []string{"low_freq_factor"}},
		"longrope":           {map[string]any{"rope_scaling": map[string]any{"rope_type": "longrope", "short_factor": []int{1}}}, []string{"1 short and 0 long factors"}},
		"activation":         {map[string]any{"hidden_act": "relu"}, []string{`hidden_act "relu" is not supported`}},
		"experts":            {map[string]any{"num_local_experts": 8}, []string{"mixtures of experts"}},
		"missing sizes":      {map[string]any{"hidden_size": nil, "vocab_size": nil}, []string{"hidden_size is 0", "vocab_size is 0"}},
		"absurd size":        {map[string]any{"vocab_size": 1 << 40}, []string{"vocab_size is 1099511627776"}},
		"absurd depth":       {map[string]any{"num_hidden_layers": 1 << 20}, []string{"num_hidden_layers is 1048576, want 1 to 2048"}},
		"unknown experts":    {map[string]any{"model_type": "mixtral", "num_local_experts": 8}, []string{`model_type "mixtral"`, "mixtures of experts"}},
		"window":             {map[string]any{"model_type": "mistral", "sliding_window": -4}, []string{"sliding_window is -4"}},
		"score scale":        {map[string]any{"model_type": "gemma2", "query_pre_attn_scalar": 0}, []string{"scale of attention scores is +Inf"}},
		"caps":               {map[string]any{"model_type": "gemma2", "attn_logit_softcapping": -1, "final_logit_softcapping": 0}, []string{"attn_logit_softcapping is -1", "final_logit_softcapping is 0"}},
		"phi3 yarn":          {map[string]any{"model_type": "phi3", "rope_scaling": map[string]any{"type": "yarn", "factor": 4}}, []string{`"yarn" is not supported for phi3`}},
		"no text model":      {map[string]any{"model_type": "gemma3"}, []string{"text_config is missing"}},
		"text model":         {map[string]any{"model_type": "gemma3", "text_config": map[string]any{"hidden_size": 8, "hidden_activation": "relu"}}, []string{`text_config.hidden_activation "relu"`, "num_hidden_layers is 0"}},
		"negative":           {map[string]any{"num_hidden_layers": -3}, []string{"num_hidden_layers is -3"}},
		"wrong types":        {map[string]any{"hidden_size": "big", "rms_norm_eps": []int{1}}, []string{`hidden_size is "big", want a whole number`, "rms_norm_eps is [1]"}},
		"fraction":           {map[string]any{"hidden_size": 48.5}, []string{"hidden_size is 48.5"}},
		"heads":              {map[string]any{"num_key_value_heads": 3}, []string{"num_key_value_heads 3 does not divide"}},
		"odd head":           {map[string]any{"head_dim": 7}, []string{"head_dim 7 is odd"}},
		"epsilon":            {map[string]any{"rms_norm_eps": 0}, []string{"epsilon is 0"}},
		"theta":              {map[string]any{"rope_theta": -1}, []string{"rope_theta is -1"}},
		"partial rotary":     {map[string]any{"partial_rotary_factor": 0.1}, []string{"1 of 12 elements of a head are rotated"}},
		"everything at once": {map[string]any{"hidden_act": "relu", "rope_scaling": map[string]any{"type": "x"}, "vocab_size": 0}, []string{"relu", `"x"`, "vocab_size"}},
	} {
		_, err := arch.ParseConfig(with(t, c.changes))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q, want it to say %q", name, err, want)
			}
		}
	}
	for _, text := range []string{"", "[]", "{", `"llama"`, "null", `{"model_type": 3}`} {
		if _, err := arch.ParseConfig([]byte(text)); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}

func TestParseConfigReadsBothSpellings(t *testing.T) {
	for name, text := range map[string]string{
		"rope_scaling":    `"rope_theta": 500000, "rope_scaling": {"type": "linear", "factor": 2}`,
		"rope_parameters": `"rope_parameters": {"rope_theta": 500000, "rope_type": "linear", "factor": 2}`,
	} {
		c, err := arch.ParseConfig([]byte(`{"model_type": "llama", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
			"num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 8, ` + text + "}"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := c.Ropes[0]; r.Type != "linear" || r.Theta != 500000 || r.Factor != 2 {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
	for name, text := range map[string]string{
		"old": `"rope_theta": 1000000, "rope_local_base_freq": 20000, "rope_scaling": {"rope_type": "linear", "factor": 8}`,
		"new": `"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8, "rope_theta": 1000000},
			"sliding_attention": {"rope_type": "default", "rope_theta": 20000}}`,
	} {
		c, err := arch.ParseConfig([]byte(`{"model_type": "gemma3_text", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 7, "head_dim": 4,
			"num_attention_heads": 4, "intermediate_size": 8, "max_position_embeddings": 8, ` + text + "}"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		global, local := c.Ropes[0], c.Ropes[1]
		if global.Theta != 1e6 || global.Factor != 8 || local.Theta != 2e4 || local.Type != "default" {
			t.Errorf("%s: read as %+v", name, c.Ropes)
		}
		if c.LocalRope[5] || !c.LocalRope[6] {
			t.Errorf("%s: every sixth block sees everything, read %v", name, c.LocalRope)
		}
	}
}

// TestEveryScalingInBothSpellings: the keys of transformers 4 and what version 5 writes for the same model.
func TestEveryScalingInBothSpellings(t *testing.T) {
	const sizes = `"vocab_size": 10, "hidden_size": 64, "num_hidden_layers": 7, "num_attention_heads": 4, "intermediate_size": 8, "max_position_embeddings": 256`
	const lists = `"short_factor": [1, 1.1, 1.2, 1.3, 1.4, 1.5], "long_factor": [2, 3, 4, 5, 6, 7]`
	for _, c := range []struct{ name, family, old, new string }{
		{"default", "qwen2", `"rope_theta": 1e6`, `"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}`},
		{"no type", "llama", `"rope_theta": 5e5`, `"rope_parameters": {"rope_theta": 5e5}`},
		{"no base", "llama", `"rope_scaling": {"type": "linear", "factor": 2}`, `"rope_parameters": {"rope_type": "linear", "factor": 2}`},
		{"null", "llama", `"rope_theta": 5e5, "rope_scaling": null`, `"rope_theta": 5e5, "rope_parameters": null`},
		{"dynamic", "llama", `"rope_theta": 5e5, "rope_scaling": {"type": "dynamic", "factor": 2}`, `"rope_parameters": {"rope_type": "dynamic", "rope_theta": 5e5, "factor": 2}`},
		{"llama3", "llama", `"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64}`,
			`"rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64}`},
		{"yarn", "qwen3", `"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 64, "beta_fast": 16, "beta_slow": 2}`,
			`"rope_parameters": {"rope_theta": 1e6, "rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 64, "beta_fast": 16, "beta_slow": 2}`},
		{"partial", "phi3", `"rope_theta": 1e4, "partial_rotary_factor": 0.75`, `"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.75}`},
		{"longrope", "phi3", `"original_max_position_embeddings": 32, "partial_rotary_factor": 0.75, "rope_scaling": {"type": "longrope", ` + lists + `}`,
			`"original_max_position_embeddings": 32, "rope_parameters": {"rope_type": "longrope", "rope_theta": 10000, "partial_rotary_factor": 0.75, ` + lists + `}`},
		{"its length inside", "phi3", `"original_max_position_embeddings": 32, "partial_rotary_factor": 0.75, "rope_scaling": {"type": "longrope", ` + lists + `}`,
			`"rope_parameters": {"rope_type": "longrope", "rope_theta": 10000, "partial_rotary_factor": 0.75, "original_max_position_embeddings": 32, ` + lists + `}`},
		{"two ropes", "gemma3_text", `"rope_theta": 1e6, "rope_local_base_freq": 2e4, "rope_scaling": {"rope_type": "linear", "factor": 8}`,
			`"rope_parameters": {"sliding_attention": {"rope_theta": 2e4}, "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8}}`},
	} {
		var read [2]*arch.Config
		for i, keys := range []string{c.old, c.new} {
			var err error
			if read[i], err = arch.ParseConfig([]byte(`{"model_type": "` + c.family + `", ` + sizes + ", " + keys + "}")); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for k := range read[i].Ropes {
				if r := &read[i].Ropes[k]; r.Type == "default" {
					r.Original = 0 // which only scaled ropes look at
				}
			}
		}
		if !reflect.DeepEqual(read[0].Ropes, read[1].Ropes) {
			t.Errorf("%s: the old keys are %+v, the new ones %+v", c.name, read[0].Ropes, read[1].Ropes)
		}
	}
}

// TestAbsentKeysMeanWhatTheFamilySays leaves out what transformers has a default for.
func TestAbsentKeysMeanWhatTheFamilySays(t *testing.T) {
	const sizes = `"vocab_size": 10, "hidden_size": 32, "num_hidden_layers": 30, "num_attention_heads": 8, "intermediate_size": 8`
	for _, c := range []struct {
		keys                           string
		positions, kvHeads, windowLast int
		eps                            float64
	}{
		{`"model_type": "llama"`, 2048, 8, 0, 1e-6},
		{`"model_type": "mistral"`, 131072, 8, 4096, 1e-6},
		{`"model_type": "mistral", "sliding_window": null`, 131072, 8, 0, 1e-6},
		{`"model_type": "qwen2"`, 32768, 8, 0, 1e-6},
		{`"model_type": "qwen2", "use_sliding_window": true`, 32768, 8, 4096, 1e-6},
		{`"model_type": "qwen2", "use_sliding_window": true, "max_window_layers": 30`, 32768, 8, 0, 1e-6},
		{`"model_type": "qwen3"`, 32768, 8, 0, 1e-6},
		{`"model_type": "gemma2"`, 8192, 4, 0, 1e-6},
		{`"model_type": "gemma3_text", "layer_types": null, "sliding_window_pattern": 7`, 131072, 4, 4096, 1e-6},
		{`"model_type": "phi3"`, 4096, 8, 0, 1e-5},
	} {
		got, err := arch.ParseConfig([]byte("{" + c.keys + ", " + sizes + "}"))
		if err != nil {
			t.Errorf("%s: %v", c.keys, err)
			continue
		}
		last := 0
		if got.Windows != nil {
			last = got.Windows[29]
		}
		if got.MaxPositions != c.positions || got.KVHeads != c.kvHeads || last != c.windowLast || got.NormEps != c.eps {
			t.Errorf("%s: %d positions, %d key heads, last window %d, epsilon %g, want %+v", c.keys, got.MaxPositions, got.KVHeads, last, got.NormEps, c)
		}
	}
}

// TestGemma3VisionIsItsTextModel reads the keys of google/gemma-3-4b-it, which leaves all
// defaults out: 3,880,263,168 parameters without the eyes.
func TestGemma3VisionIsItsTextModel(t *testing.T) {
	c, err := arch.ParseConfig([]byte(`{"architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106], "model_type": "gemma3",
		"text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
		"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}, "vision_config": {"hidden_size": 1152}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Parameters(); got != 3880263168 {
		t.Errorf("%d parameters", got)
	}
	if r := c.Ropes; r[0].Theta != 1e6 || r[0].Factor != 8 || r[1].Theta != 1e4 || c.Windows[0] != 1024 || c.Windows[5] != 0 {
		t.Errorf("ropes %+v, windows %v", r, c.Windows)
	}
	if !slices.Equal(c.EOS, []int32{1, 106}) {
		t.Errorf("end-of-text tokens %v", c.EOS)
	}
	if _, ok := c.Tensors()["language_model.model.layers.33.self_attn.k_norm.weight"]; !ok {
		t.Error("the text model's tensors are not under language_model")
	}
}

// TestQwenIsCounted checks shapes against the published Qwen-7B: 7,721,324,544 parameters.
func TestQwenIsCounted(t *testing.T) {
	c, err := arch.ParseConfig([]byte(`{"model_type": "qwen", "vocab_size": 151936, "hidden_size": 4096, "num_hidden_layers": 32,
		"num_attention_heads": 32, "kv_channels": 128, "intermediate_size": 22016, "max_position_embeddings": 32768, "seq_length": 8192,
		"layer_norm_epsilon": 1e-6, "rotary_emb_base": 10000, "rotary_pct": 1.0, "use_dynamic_ntk": true, "use_logn_attn": true,
		"no_bias": true, "scale_attn_weights": true, "tie_word_embeddings": false}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Parameters(); got != 7721324544 {
		t.Errorf("%d parameters", got)
	}
	if shape := c.Tensors()["transformer.h.31.mlp.w1.weight"]; len(shape) != 2 || shape[0] != 11008 || shape[1] != 4096 {
		t.Errorf("w1 is %v", shape)
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, c := range gputest.Configs {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := arch.ParseConfig(data)
		if err == nil && (c.Hidden <= 0 || c.Heads%c.KVHeads != 0 || c.Ropes[0].Dim%2 != 0) {
			t.Errorf("accepted %+v", c)
		}
	})
}
