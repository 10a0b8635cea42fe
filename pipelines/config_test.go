package pipelines

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// general settings of two models that are not looked for, complete.
func pair() settings {
	return settings{"source_model": "owner/a", "target_model": "owner/b", "layer_idx": 3,
		"persona_datasets": settings{"silly": settings{"positive_texts": []string{"ha"}, "negative_texts": []string{"hm"}}},
		"test_prompts":     []string{"Tell me", "Once upon"}}
}

// TestProblemsAreNamed gives one bad configuration after another and looks for the words that a
// person needs. What is wrong twice must not hide what is wrong once.
func TestProblemsAreNamed(t *testing.T) {
	cases := []struct {
		name string
		raw  string   // the file
		set  []string // -set
		want []string // in the message
	}{
		{"unknown key", `{"lamda_values": [1]}`, nil, []string{`lamda_values: unknown key; the nearest known one is "lambda_values"`}},
		{"unknown nested key", `{"fit": {"centred": true}}`, nil, []string{`fit: unknown key "centred"; the nearest known one is "centre"`}},
		{"unknown key of a persona", `{"persona_datasets": {"silly": {"positives": []}}}`, nil, []string{`unknown key "positives"; the nearest known one is "positive_texts"`}},
		{"unknown key of a text", `{"calibration_texts": [{"txt": "a"}]}`, nil, []string{`calibration_texts[1]: unknown key "txt"; the nearest known one is "text"`}},
		{"string for a number", `{"n_seeds": "3"}`, nil, []string{"n_seeds: want a whole number, got a JSON string"}},
		{"fraction for a whole number", `{"folds": 2.5}`, nil, []string{"folds: want a whole number, got 2.5"}},
		{"number for a list", `{"alpha_values": 0.5}`, nil, []string{"alpha_values: want a list, got "}},
		{"list for a number", `{"seed": [1]}`, nil, []string{"seed: want a whole number from 0 to 18446744073709551615, got a JSON array"}},
		{"string in a list of numbers", `{"lambda_values": [1, "x"]}`, nil, []string{"lambda_values[2]: want a number, got a JSON string"}},
		{"negative seed", `{"seed": -1}`, nil, []string{"seed: want a whole number from 0 to 18446744073709551615, got -1"}},
		{"bool as a word", `{"stop_at_eos": "yes"}`, nil, []string{"stop_at_eos: want true or false, got a JSON string"}},
		{"null", `{"top_k": null}`, nil, []string{"top_k: null; leave the key out for its default"}},
		{"null in a list", `{"lambda_values": [1, null]}`, nil, []string{"lambda_values[2]: null"}},
		{"null in an object", `{"fit": {"centre": null}}`, nil, []string{"fit.centre: null"}},
		{"null persona", `{"persona_datasets": {"silly": null}}`, nil, []string{"persona_datasets.silly: null"}},
		{"key twice", `{"seed": 1, "folds": 3, "seed": 2}`, nil, []string{"seed: the key is given twice"}},
		{"persona twice", `{"persona_datasets": {"a": {"positive_texts":["x"],"negative_texts":["y"]}, "a": {"positive_texts":["x"],"negative_texts":["y"]}}}`, nil, []string{"persona_datasets.a: the key is given twice"}},
		{"key twice, deep", `{"fit": {"method": "ridge", "method": "ols"}}`, nil, []string{"fit.method: the key is given twice"}},
		{"key in another case, deep", `{"fit": {"method": "ridge", "Method": "ols"}}`, nil, []string{`fit: unknown key "Method"; the nearest known one is "method"`}},
		{"key in another case", `{"Seed": 3}`, nil, []string{`Seed: unknown key; the nearest known one is "seed"`}},
		{"key in another case, in an override", `{}`, []string{`fit={"method":"ridge","Method":"ols"}`}, []string{`fit: unknown key "Method"`}},
		{"key twice, in an override", `{}`, []string{`fit={"method":"ridge","method":"ols"}`}, []string{"-set fit=", "method: the key is given twice"}},
		{"brace after the object", `{"seed": 1}}`, nil, []string{"line 1, column 12: text after the end of the JSON value: '}'"}},
		{"not UTF-8", "{\"seed\": 1,\n \"output_dir\": \"a\xffb\"}", nil, []string{"line 2, column 18: the byte 0xff in a string, which is not UTF-8"}},
		{"not UTF-8, in an override", `{}`, []string{"output_dir=a\xffb"}, []string{"the byte 0xff in a string, which is not UTF-8"}},
		{"half a surrogate pair", `{"test_prompts": ["a\ud83d", "b"]}`, nil, []string{`line 1, column 21: \ud83d in a string is half of a surrogate pair`}},
		{"half a surrogate pair, in an override", `{}`, []string{`test_prompts=["a\udc00","b"]`}, []string{`\udc00 in a string is half of a surrogate pair`}},
		{"nested too deep", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), nil, []string{"nested deeper than 64"}},
		{"nested too deep, by an override", `{}`, []string{strings.Repeat("a.", 100) + "b=1"}, []string{"nested deeper than 64"}},
		{"key twice, with an override", `{"seed": 1, "seed": 2}`, []string{"seed=3"}, []string{"seed: the key is given twice"}},

		{"no JSON", "{\n\"seed\": 1,\n}", nil, []string{"not a JSON object: line 3, column 1: want a key in quotes"}},
		{"a list", `[]`, nil, []string{"not a JSON object: want an object, got a JSON array"}},
		{"null file", `null`, nil, []string{"not a JSON object: null"}},
		{"null file, with an override", `null`, []string{"seed=1"}, []string{"not a JSON object: null"}},
		{"text after the object", `{"seed": 1} more`, nil, []string{"not a JSON object: line 1, column 13: text after the end"}},
		{"text after the object, with an override", `{"seed": 1} more`, []string{"seed=1"}, []string{"not a JSON object: line 1, column 13: text after the end"}},
		{"empty file", ``, nil, []string{"not a JSON object"}},

		{"NaN", `{}`, []string{"temperature=NaN"}, []string{"temperature: want a number, got a JSON string"}},
		{"Inf", `{}`, []string{"top_p=+Inf"}, []string{"top_p: want a number, got a JSON string"}},
		{"NaN in a list", `{}`, []string{"lambda_values=[1, NaN]"}, []string{"lambda_values: want a list, got a JSON string"}},
		{"beyond a float", `{}`, []string{"temperature=1e999"}, []string{"temperature=1e999: want a number", "got 1e999"}},
		{"beyond a float, in a list", `{}`, []string{"alpha_values=[1e999]"}, []string{"alpha_values=[1e999]: [1]: want a number", "got 1e999"}},
		{"override without a value", `{}`, []string{"seed"}, []string{"-set seed: want key=value"}},
		{"override without a key", `{}`, []string{"=1"}, []string{"-set =1: want key=value"}},
		{"override through a number", `{"seed": 1}`, []string{"seed.x=1"}, []string{"-set seed.x=1: seed is not an object"}},
		{"override of an unknown key", `{}`, []string{"tempereture=1"}, []string{`tempereture: unknown key; the nearest known one is "temperature"`}},

		{"one model", `{"source_model": "a/b"}`, nil, []string{"target_model: missing", "persona_datasets: missing", "test_prompts: 0 prompts"}},
		{"negative layer", `{"layer_idx": -1}`, nil, []string{"layer_idx: source layer -1", "layer_idx: target layer -1"}},
		{"too few pairs", `{"n_training_samples": 9}`, nil, []string{"n_training_samples: 9; want 10 to 1000000 pairs"}},
		{"too many pairs", `{"n_training_samples": 10000000}`, nil, []string{"n_training_samples: 10000000; want 10 to 1000000 pairs"}},
		{"more pairs than the grammar writes", `{"n_training_samples": 200000}`, nil, []string{"n_training_samples: 200000; the embedded pair's own texts give up to 100000 pairs"}},
		{"too many lambdas", `{"lambda_values": [` + strings.Repeat("1,", 1000) + `2]}`, nil, []string{"lambda_values: 1001 values; want at most 1000"}},
		{"too many alphas", `{"alpha_values": [` + strings.Repeat("1,", 100) + `2]}`, nil, []string{"alpha_values: 101 values; want at most 100"}},
		{"too many texts in a batch", `{"n_test_prompts": 1000, "n_seeds": 1000}`, nil, []string{"n_test_prompts × n_seeds: 1000000 texts in a batch; want at most 100000"}},
		{"a text that is a library", `{"test_prompts": ["a", "` + strings.Repeat("boat ", 300_000) + `"]}`, nil, []string{"test_prompts: text 2 has 1500000 bytes; want at most 1048576"}},
		{"one fold", `{"folds": 1}`, nil, []string{"folds: 1; want 2 to 100"}},
		{"no lambda", `{"lambda_values": []}`, nil, []string{"lambda_values: empty"}},
		{"negative lambda", `{"lambda_values": [-1]}`, nil, []string{"lambda_values: -1;"}},
		{"lambda twice", `{"lambda_values": [1, 0.1, 1.0]}`, nil, []string{"lambda_values: a value appears twice"}},
		{"lambda unit", `{"lambda_unit": "relativ"}`, nil, []string{`lambda_unit: "relativ"; want one of relative, absolute`}},
		{"alpha 0", `{"alpha_values": [0]}`, nil, []string{"alpha_values: 0; want finite numbers other than 0 (the condition none is alpha 0)"}},
		{"alpha twice", `{"alpha_values": [1, 1]}`, nil, []string{"alpha_values: a value appears twice"}},
		{"no alpha", `{"alpha_values": []}`, nil, []string{"alpha_values: empty"}},
		{"alpha unit", `{"alpha_unit": "sigma"}`, nil, []string{`alpha_unit: "sigma"; want one of residual, spread, native, absolute`}},
		{"positions", `{"positions": "mean"}`, nil, []string{`positions: "mean"; want one of last, word_ends`}},
		{"date", `{"chat_template": true, "template_date": "27 Nov 2026"}`, nil, []string{`template_date: "27 Nov 2026"; want a date as YYYY-MM-DD`}},
		{"date without a template", `{"template_date": "2026-11-27"}`, nil, []string{"template_date: only chat templates have a date, and chat_template is false"}},
		{"steer positions", `{"steer_positions": "prompt"}`, nil, []string{`steer_positions: "prompt"; want one of response, all, last_prompt`}},
		{"method", `{"fit": {"method": "lasso"}}`, nil, []string{`fit.method: "lasso"; want one of ridge`}},
		{"rank of a ridge", `{"fit": {"rank": 3}}`, nil, []string{"fit.rank: only low_rank has a rank"}},
		{"low rank without rank", `{"fit": {"method": "low_rank"}}`, nil, []string{"fit.rank: 0; low_rank wants at least 1"}},

		{"unknown condition", `{"conditions": ["none", "rigde"]}`, nil, []string{`conditions: unknown condition "rigde"; the nearest known one is "ridge"`}},
		{"condition twice", `{"conditions": ["none", "ridge", "shuffled_pairs", "ridge"]}`, nil, []string{`conditions: "ridge" appears twice`}},
		{"no conditions", `{"conditions": []}`, nil, []string{"conditions: empty"}},
		{"without none", `{"conditions": ["ridge", "shuffled_pairs"]}`, nil, []string{"conditions: none is missing; every comparison starts from it"}},
		{"default endpoint without its condition", `{"conditions": ["none", "oracle"]}`, nil, []string{`primary: condition "ridge" is not among the conditions`}},
		{"endpoint without its condition", `{"conditions": ["none", "ridge"], "primary": {"condition": "ridge", "versus": ["oracle"], "measure": "trait"}}`, nil, []string{`primary: condition "oracle" is not among the conditions`}},
		{"endpoint none", `{"primary": {"condition": "none"}}`, nil, []string{"primary.condition: none is what the others are compared with"}},
		{"margin", `{"primary": {"margin": -0.1}}`, nil, []string{"primary.margin: -0.1; want 0 to 4 points of trait"}},
		{"measure", `{"primary": {"measure": "fluency"}}`, nil, []string{`primary.measure: "fluency"; want one of trait, coherence, collapse`}},
		{"measures, all at once", `{"measures": ["prob", "probe", "judge", "probe"]}`, nil, []string{"3 problems", `measures: unknown measure "prob"; the nearest known one is "probe"`, `measures: "probe" appears twice`, `measures: "judge" sends the texts to the endpoint of judge, which use_gpt4 has to allow, and it is false`}},
		{"measures of a wrong type", `{"measures": "probe"}`, nil, []string{"measures: want a list"}},
		{"prompt condition without a prompt", `{"conditions": ["none", "ridge", "shuffled_pairs", "prompt"], "persona_datasets": {"silly": {"positive_texts": ["ha"], "negative_texts": ["hm"]}}}`, nil, []string{"persona_datasets.silly.prompt: the condition prompt needs a text that asks for the persona"}},

		{"more prompts than there are", `{"test_prompts": ["a", "b"], "n_test_prompts": 3}`, nil, []string{"test_prompts: 2 prompts, fewer than n_test_prompts 3"}},
		{"one prompt", `{"test_prompts": ["a"]}`, nil, []string{"n_test_prompts: 1; want 2 to 10000"}},
		{"prompt twice", `{"test_prompts": ["a", "b", "a"]}`, nil, []string{`test_prompts: prompt 3 repeats an earlier one: "a"`}},
		{"empty prompt", `{"test_prompts": ["a", " \t"]}`, nil, []string{"test_prompts: text 2 is empty"}},
		{"no seeds", `{"n_seeds": 0}`, nil, []string{"n_seeds: 0; want 1 to 1000"}},
		{"no tokens", `{"max_new_tokens": 0}`, nil, []string{"max_new_tokens: 0; want 1 to 4096"}},
		{"negative temperature", `{"temperature": -0.1}`, nil, []string{"temperature: -0.1; want 0 to 100"}},
		{"top_p 0", `{"top_p": 0}`, nil, []string{"top_p: 0; want more than 0, at most 1"}},
		{"top_k", `{"top_k": -1}`, nil, []string{"top_k: -1; want 0 (all) or more"}},
		{"few calibration texts", `{"calibration_texts": ["a", "b"]}`, nil, []string{"calibration_texts: 2 texts, fewer than the 5 folds"}},
		{"calibration texts of a wrong type", `{"calibration_texts": 3}`, nil, []string{"calibration_texts: want a file name or a list of texts"}},

		{"persona with one side empty", `{"persona_datasets": {"silly": {"positive_texts": ["ha"], "negative_texts": []}}}`, nil, []string{"persona_datasets.silly.negative_texts: empty"}},
		{"persona without a side", `{"persona_datasets": {"silly": {"negative_texts": ["hm"]}}}`, nil, []string{"persona_datasets.silly.positive_texts: empty"}},
		{"persona with an empty text", `{"persona_datasets": {"silly": {"positive_texts": ["ha", ""], "negative_texts": ["hm"]}}}`, nil, []string{"persona_datasets.silly.positive_texts: text 2 is empty"}},
		{"persona with equal sides", `{"persona_datasets": {"silly": {"positive_texts": ["ha"], "negative_texts": ["ha"]}}}`, nil, []string{"persona_datasets.silly: positive_texts and negative_texts are the same, which gives no vector"}},
		{"no personas", `{"persona_datasets": {}}`, nil, []string{"persona_datasets: missing"}},
		{"persona with a path for a name", `{"persona_datasets": {"../x": {"positive_texts": ["ha"], "negative_texts": ["hm"]}}}`, nil, []string{"persona_datasets.../x: a persona's name is letters"}},

		{"judge, all at once", `{"use_gpt4": true, "judge": {"endpoint": "https://me:secret@host/v1", "model": "", "temperature": 3, "logprobs": "yes", "reply_tokens": 0, "on_failure": "zero",
			"concurrency": 0, "requests_per_minute": -1, "max_requests": -1, "max_tokens": -1, "timeout": 0, "api_key": "secret"}}`, nil,
			[]string{"12 problems", "judge.endpoint: it holds a user", "judge.model: missing", "judge.temperature: 3;", `judge.logprobs: "yes"; want one of auto, off`, "judge.reply_tokens: 0;", `judge.on_failure: "zero"; want one of stop, missing`,
				"judge.concurrency: 0;", "judge.requests_per_minute: -1;", "judge.max_requests: -1;", "judge.max_tokens: -1;", "judge.timeout: 0;", `judge: unknown key "api_key"; the nearest known one is "key_env"`}},
		{"rubric of a wrong type", `{"judge": {"rubrics": {"trait": ["rate it"]}}}`, nil, []string{"judge.rubrics.trait: want a file name"}},
		{"rubric without a persona", `{"judge": {"rubrics": {"trait": "testdata/calm.txt"}}}`, nil, []string{"judge.rubrics.trait: neither {persona} nor {description} is in it"}},
		{"rubric with a persona too many", `{"judge": {"rubrics": {"coherence": "testdata/rubric.txt"}}}`, nil, []string{"judge.rubrics.coherence: {persona} stands for nothing here"}},
		{"rubric that is a folder", `{"judge": {"rubrics": {"trait": "testdata"}}}`, nil, []string{"judge.rubrics.trait: testdata: a folder, want a file"}},
		{"long description", `{"persona_datasets": {"silly": {"positive_texts": ["ha"], "negative_texts": ["hm"], "description": "` + strings.Repeat("a", 65537) + `"}}}`, nil, []string{"persona_datasets.silly.description: 65537 bytes"}},
		{"device", `{"device": "tpu"}`, nil, []string{`device: "tpu": no such device (want cpu, xla-cpu or cuda;`}},
		{"device with a number", `{"device": "cpu:1"}`, nil, []string{`device: "cpu:1": no such device`}},
		{"plugin of the processor", `{"device_plugin": "x.so"}`, nil, []string{`device_plugin: x.so, but the device is cpu`}},
		{"dtype", `{"dtype": "int8"}`, nil, []string{`dtype: "int8"; want one of float32`}},
		{"no output folder", `{"output_dir": ""}`, nil, []string{"output_dir: empty"}},

		{"all at once", `{"lamda": 1, "folds": 1, "n_seeds": "x", "top_p": 2, "conditions": ["non"]}`, []string{"temperature=-1"},
			[]string{"problems\n", "lamda: unknown key", "folds: 1;", "n_seeds: want a whole number", "top_p: 2;", `unknown condition "non"`, "temperature: -1;"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw, err := override([]byte(c.raw), c.set)
			if err == nil {
				_, err = ParseConfig(raw, "")
			}
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("%s %v: error %v, want ErrConfig", c.raw, c.set, err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s %v: message\n%v\nlacks %q", c.raw, c.set, err, want)
				}
			}
			for _, word := range []string{"json:", "Go struct", "Go value", "pipelines."} {
				if strings.Contains(err.Error(), word) {
					t.Errorf("%s %v: message\n%v\nspeaks Go: %q", c.raw, c.set, err, word)
				}
			}
		})
	}
}

// TestUnitsOfValuesWithoutAUnit follows the document that the keys come from: a list that is given
// without its unit is absolute; a default brings its own.
func TestUnitsOfValuesWithoutAUnit(t *testing.T) {
	for _, c := range []struct {
		set           settings
		alpha, lambda string
	}{
		{pair(), "spread", "relative"},
		{pair().with("alpha_values", []float64{1}), "absolute", "relative"},
		{pair().with("lambda_values", []float64{1}), "spread", "absolute"},
		{pair().with("alpha_values", []float64{1}).with("alpha_unit", "native"), "native", "relative"},
		{pair().with("lambda_values", []float64{1}).with("lambda_unit", "relative"), "spread", "relative"},
		{settings{}, "residual", "relative"},
		{settings{"alpha_values": []float64{1}}, "absolute", "relative"},
	} {
		got := parsed(t, c.set, nil)
		if got.AlphaUnit != c.alpha || got.LambdaUnit != c.lambda {
			t.Errorf("%s: units %s and %s, want %s and %s", c.set.bytes(), got.AlphaUnit, got.LambdaUnit, c.alpha, c.lambda)
		}
	}
}

// TestOverriddenValuesKeepTheUnitInForce: -set changes what it names and nothing else.
func TestOverriddenValuesKeepTheUnitInForce(t *testing.T) {
	for _, c := range []struct {
		file          settings
		set           []string
		alpha, lambda string
	}{
		{pair(), []string{"alpha_values=[1]", "lambda_values=[1]"}, "spread", "relative"},
		{settings{}, []string{"alpha_values=[1]", "lambda_values=[1]"}, "residual", "relative"},
		{pair().with("alpha_unit", "native"), []string{"alpha_values=[1]"}, "native", "relative"},
		{pair().with("alpha_values", []float64{2}), []string{"alpha_values=[1]"}, "absolute", "relative"},
		{pair().with("alpha_values", []float64{2}).with("alpha_unit", "native"), []string{"alpha_values=[1]"}, "native", "relative"},
		{pair().with("alpha_values", []float64{2}), []string{"alpha_unit=residual"}, "residual", "relative"},
		{pair().with("lambda_values", []float64{2}), []string{"lambda_values=[1]"}, "spread", "absolute"},
		{pair(), []string{"alpha_values=[1]", "alpha_unit=absolute"}, "absolute", "relative"},
	} {
		got := parsed(t, c.file, c.set)
		if got.AlphaUnit != c.alpha || got.LambdaUnit != c.lambda {
			t.Errorf("%s with %q: units %s and %s, want %s and %s", c.file.bytes(), c.set, got.AlphaUnit, got.LambdaUnit, c.alpha, c.lambda)
		}
	}
}

// TestLayersThatNobodyChoseRun: models of folders have no layer of their own, so each is read at a share of
// its depth, which is written down; a layer that is given stays, and the last block is the deepest.
func TestLayersThatNobodyChoseRun(t *testing.T) {
	models := small().with("source_model", copyModel(t, tiny.Source)).with("target_model", copyModel(t, tiny.Target))
	delete(models, "layer_idx")
	for _, c := range []struct {
		set            settings
		source, target int
	}{{models, 2, 2}, {models.with("target_layer_idx", 0), 2, 0}, {models.with("layer_idx", 1), 1, 1}, {models.with("layer_idx", 1).with("source_layer_idx", 3), 3, 1}} {
		e := c.set.experiment(t)
		if e.SourceLayer() != c.source || e.TargetLayer() != c.target {
			t.Errorf("%s: layers %d and %d, want %d and %d", c.set.bytes(), e.SourceLayer(), e.TargetLayer(), c.source, c.target)
		}
		written, err := json.Marshal(e.Config)
		again := settings{}
		if err == nil {
			err = json.Unmarshal(written, &again)
		}
		if e := again.experiment(t); err != nil || e.SourceLayer() != c.source || e.TargetLayer() != c.target {
			t.Errorf("written down: layers %d and %d (%v), want %d and %d", e.SourceLayer(), e.TargetLayer(), err, c.source, c.target)
		}
	}
	for blocks, want := range map[int]int{1: 0, 2: 1, 18: 10, 30: 17} {
		c := Config{assumed: []string{"layer_idx"}}
		c.resolveLayers(blocks, blocks)
		if c.SourceLayer() != want || c.TargetLayer() != want {
			t.Errorf("%d blocks: layers %d and %d, want %d", blocks, c.SourceLayer(), c.TargetLayer(), want)
		}
	}
}

// TestDefaults compares the two sets of defaults with the documentation's table.
func TestDefaults(t *testing.T) {
	tinyConfig, general := DefaultConfig(), parsed(t, pair(), nil)
	for _, c := range []struct {
		key         string
		tiny, other any
	}{
		{"layer_idx", 3, 3},
		{"n_training_samples", 5000, 5000},
		{"positions", "last", "word_ends"},
		{"lambda_values", []float64{1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10}, []float64{1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10}},
		{"folds", 5, 5},
		{"conditions", []string{"none", "zero_pad", "interpolation", "random_projection", "ridge", "ridge_held_out", "oracle", "random_direction", "shuffled_pairs", "prompt"},
			[]string{"none", "zero_pad", "interpolation", "random_projection", "ridge", "ridge_held_out", "oracle", "random_direction", "shuffled_pairs"}},
		{"n_test_prompts", 30, 2},
		{"n_seeds", 3, 3},
		{"max_new_tokens", 28, 40},
		{"temperature", .8, .8}, {"top_p", .95, .95}, {"top_k", 0, 50}, {"stop_at_eos", false, true},
		{"steer_positions", "response", "response"},
		{"seed", uint64(42), uint64(42)}, {"device", "cpu", "cpu"}, {"dtype", "float32", "float32"}, {"output_dir", "./results", "./results"},
	} {
		for i, config := range []Config{tinyConfig, general} {
			got := leaves(t, reflect.ValueOf(&config).Elem(), "")[c.key].Interface()
			if want := []any{c.tiny, c.other}[i]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s of %s: %v, want %v", c.key, config.SourceModel, got, want)
			}
		}
	}
	if got, want := tinyConfig.PersonaDatasets.Names(), []string{"angry", "pirate", "silly"}; !slices.Equal(got, want) {
		t.Errorf("personas of the embedded experiment: %v, want %v", got, want)
	}
	if got, want := plain(tinyConfig.TestPrompts), tiny.TestPrompts(tiny.Quoted, 30); !slices.Equal(got, want) {
		t.Errorf("prompts of the embedded experiment: %q …, want the quoted set", got[0])
	}
	if p := general.Primary; p.Condition != "ridge" || p.Measure != "trait" || !slices.Equal(p.Versus, []string{"none", "shuffled_pairs"}) {
		t.Errorf("primary endpoint: %+v", p)
	}
	if general.Fit != (Fit{Method: "ridge", Centre: true}) {
		t.Errorf("fit: %+v", general.Fit)
	}
}

// TestOneConfigurationLeavesTheNextAlone parses a configuration with its own lists, then the
// defaults: decoding into a shared default would change them.
func TestOneConfigurationLeavesTheNextAlone(t *testing.T) {
	want := parsed(t, pair(), nil)
	parsed(t, pair(), []string{`conditions=["none","self","oracle","ridge"]`, `primary={"condition":"oracle","versus":["none"]}`, "lambda_values=[7]", "alpha_values=[9]"})
	if got := parsed(t, pair(), nil); !reflect.DeepEqual(got, want) {
		t.Errorf("after another configuration the defaults are %+v, want %+v", got, want)
	}
	if got := conditionNames(); !slices.Equal(got, []string{"none", "zero_pad", "interpolation", "random_projection", "ridge", "ridge_held_out", "oracle", "random_direction", "shuffled_pairs", "prompt", "self"}) {
		t.Errorf("conditions that there are: %v", got)
	}
}

// TestOverrides sets values of every type through -set.
func TestOverrides(t *testing.T) {
	c := parsed(t, pair(), []string{"seed=18446744073709551615", "temperature=0.25", "fit.centre=false", "fit.method=low_rank", "fit.rank=2", `primary.versus=["none"]`,
		"lambda_values=[0.5,2]", "source_model=tiny:llama", `output_dir="a b"`, `persona_datasets.silly.prompt=Be silly.`, "target_layer_idx=0", "stop_at_eos=false", "stop_at_eos=true"})
	if c.Seed != 1<<64-1 || c.Temperature != .25 || c.Fit != (Fit{Method: "low_rank", Rank: 2}) || !slices.Equal(c.Primary.Versus, []string{"none"}) || c.Primary.Condition != "ridge" ||
		!slices.Equal(c.LambdaValues, []float64{.5, 2}) || c.SourceModel != "tiny:llama" || c.OutputDir != "a b" || c.PersonaDatasets.Sets["silly"].Prompt != "Be silly." ||
		c.SourceLayer() != 3 || c.TargetLayer() != 0 || !c.StopAtEOS {
		t.Errorf("after overrides: %+v", c)
	}
}

// TestTextsFromFiles reads each form of file. Relative names start at the configuration's folder.
func TestTextsFromFiles(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"lines.txt":     "The first\r\n\n  \nThe second\n",
		"rows.jsonl":    `{"text": "The first"}` + "\n\n" + `{"document": "d", "text": "The second"}` + "\n",
		"list.json":     ` ["The first", {"document": "d", "text": "The second"}]`,
		"personas.json": `{"silly": {"positive_texts": ["ha"], "negative_texts": ["hm"]}}`,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"lines.txt", "rows.jsonl", "list.json", filepath.Join(dir, "list.json")} {
		c, err := ParseConfig(pair().with("test_prompts", name).with("calibration_texts", name).with("persona_datasets", "personas.json").with("folds", 2).bytes(), dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		document := "d"
		if name == "lines.txt" {
			document = ""
		}
		want := []Text{{Text: "The first"}, {Document: document, Text: "The second"}}
		if !reflect.DeepEqual(c.TestPrompts.List, want) || !reflect.DeepEqual(c.CalibrationTexts.List, want) {
			t.Errorf("%s: %v and %v, want %v", name, c.TestPrompts.List, c.CalibrationTexts.List, want)
		}
		if !reflect.DeepEqual(c.PersonaDatasets.Sets, map[string]Persona{"silly": {Positive: []string{"ha"}, Negative: []string{"hm"}}}) {
			t.Errorf("%s: personas %v", name, c.PersonaDatasets.Sets)
		}
	}
}

// TestDefaultEndpointFollowsTheConditions runs fewer conditions than the default endpoint names.
func TestDefaultEndpointFollowsTheConditions(t *testing.T) {
	for _, more := range []string{"", `, "primary": {"measure": "coherence"}`} {
		c, err := ParseConfig([]byte(`{"conditions": ["none", "ridge"]`+more+`}`), "")
		if want := []string{"none"}; err != nil || !slices.Equal(c.Primary.Versus, want) {
			t.Errorf("conditions none and ridge%s: endpoint against %q, error %v; want %q", more, c.Primary.Versus, err, want)
		}
	}
}

// TestBadFiles names the file and what is wrong in it; a file that is not there is another
// kind of error, unless something else is wrong as well.
func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		key, name, content string // no content: no file
		missing            bool
		want               string
	}{
		{"test_prompts", "none.txt", "", true, "test_prompts: none.txt: no such file or directory"},
		{"calibration_texts", "none.jsonl", "", true, "calibration_texts: none.jsonl: no such file or directory"},
		{"persona_datasets", "none.json", "", true, "persona_datasets: none.json: no such file or directory"},
		{"source_model", "./none", "", true, "source_model: ./none: no such file or directory"},
		{"target_model", "none.gguf", "", true, "target_model: none.gguf: no such file or directory"},
		{"test_prompts", "empty.txt", "\n\n", false, "test_prompts: empty.txt: no text in it"},
		{"test_prompts", "empty.json", "[]", false, "test_prompts: empty.json: no text in it"},
		{"test_prompts", "name.json", `"other.json"`, false, "test_prompts: name.json: want a list, got a JSON string"},
		{"calibration_texts", "empty.txt", "\n", false, "calibration_texts: empty.txt: no text in it"},
		{"calibration_texts", "bad.jsonl", "{\"text\": \"a\"}\n{\"text\": 3}\n", false, "calibration_texts: bad.jsonl: line 2: text: want a string, got "},
		{"calibration_texts", "key.jsonl", "{\"txt\": \"a\"}\n", false, `calibration_texts: key.jsonl: line 1: txt: unknown key; the nearest known one is "text"`},
		{"calibration_texts", "table.csv", "a,b\n", false, "calibration_texts: table.csv: want a .txt, .jsonl or .json file"},
		{"test_prompts", "latin.txt", "caf\xe9\nb\n", false, "test_prompts: latin.txt: line 1: not UTF-8"},
		{"persona_datasets", "null.json", "null", false, "persona_datasets: null.json: null; want an object"},
		{"persona_datasets", "list.json", "[]", false, "persona_datasets: list.json: want an object, got a JSON array"},
		{"persona_datasets", "twice.json", `{"a":{"positive_texts":["x"],"negative_texts":["y"]},"a":{"positive_texts":["x"],"negative_texts":["y"]}}`, false, "persona_datasets: twice.json: a: the key is given twice"},
		{"persona_datasets", "side.json", `{"a":{"positive_texts":["x"]}}`, false, "persona_datasets.a.negative_texts: empty"},
	} {
		if c.content != "" {
			if err := os.WriteFile(filepath.Join(dir, c.name), []byte(c.content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := ParseConfig(pair().with(c.key, c.name).bytes(), dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrMissing) != c.missing || errors.Is(err, ErrConfig) == c.missing {
			t.Errorf("%s %s: %v (missing: %t), want %q (missing: %t)", c.key, c.name, err, errors.Is(err, ErrMissing), c.want, c.missing)
		}
		if !c.missing {
			continue
		}
		_, err = ParseConfig(pair().with(c.key, c.name).with("folds", 0).bytes(), dir)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "folds: 0") {
			t.Errorf("%s %s and no folds: %v, want both told as ErrConfig", c.key, c.name, err)
		}
	}
}

// TestConfigurationFileOfNoUse distinguishes a file that is not there from one that is no JSON.
func TestConfigurationFileOfNoUse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.json")
	if _, err := LoadConfig(t.Context(), name, nil); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "x.json: no such file") {
		t.Errorf("no file: %v, want ErrMissing", err)
	}
	if err := os.WriteFile(name, []byte("seed = 1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig(t.Context(), name, nil); !errors.Is(err, ErrConfig) {
		t.Errorf("no JSON: %v, want ErrConfig", err)
	}
}

// TestConfigurationsOfTheRepository parses the files that are shipped. Whether their models have been
// fetched is another matter: what is missing is told only if nothing else is wrong.
func TestConfigurationsOfTheRepository(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "configs", "*-*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("configurations: %v %v", paths, err)
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasPrefix(filepath.Base(path), "personas-") })
	cells := map[string]int{"sweep-layers.json": 9, "sweep-samples.json": 5}
	for _, path := range paths {
		all, err := LoadSweep(t.Context(), path, nil)
		if want := max(1, cells[filepath.Base(path)]); len(all) != want {
			t.Errorf("%s has %d experiments, want %d", path, len(all), want)
		}
		delete(cells, filepath.Base(path))
		if errors.Is(err, ErrMissing) {
			for line := range strings.Lines(err.Error()) {
				if !strings.Contains(line, ".gguf") {
					t.Errorf("%s: beside a model, %s", path, line)
				}
			}
		} else if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for _, c := range all {
			if b, err := json.Marshal(c.Config); err != nil || len(b) == 0 {
				t.Errorf("%s: written again: %v", path, err)
			}
		}
	}
	if len(cells) > 0 {
		t.Errorf("no file for %v", cells)
	}
}

// TestWrittenConfigurationReadsBack writes a configuration and reads it again.
func TestWrittenConfigurationReadsBack(t *testing.T) {
	for _, s := range []settings{pair(), pair().with("calibration_texts", []any{settings{"document": "d", "text": "a"}, "b", "c", "d", "e"}), everything()} {
		want := parsed(t, s, nil)
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseConfig(b, "")
		if err != nil {
			t.Errorf("%s: %v", b, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("read back: %+v, want %+v", got, want)
		}
	}
}

// FuzzParseConfig looks for panics, and for configurations that are accepted but whose stages
// cannot be laid out.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{}`), "seed=1")
	f.Add([]byte(`null`), "fit.centre=false")
	f.Add([]byte(`{"conditions": ["none","self"], "primary": {"condition":"self","versus":["none"]}, "n_training_samples": 10}`), "alpha_values=[1,2]")
	f.Add([]byte(`{"test_prompts": ["a","b"], "persona_datasets": {"x": {"positive_texts":["a"],"negative_texts":["b"]}}}`), "a.b.c=1")
	f.Add([]byte(`{"calibration_texts": [{"document":"d","text":"a"},"b","c","d","e"]}`), "x")
	f.Add([]byte(`{"test_prompts": "../../../etc/hosts"}`), "source_layer_idx=3")
	f.Fuzz(func(t *testing.T, raw []byte, set string) {
		raw, err := override(raw, []string{set})
		if err != nil {
			return
		}
		var size struct {
			N float64 `json:"n_training_samples"`
		}
		if json.Unmarshal(raw, &size); size.N > 10_000 { // texts are written for each: correct, and slow
			return
		}
		c, err := ParseConfig(raw, t.TempDir())
		if err != nil {
			if !errors.Is(err, ErrConfig) && !errors.Is(err, ErrMissing) {
				t.Errorf("error %v is of neither kind", err)
			}
			return
		}
		if isTinyPair(&c) && c.Validate() == nil {
			if _, err := NewExperiment(t.Context(), c, true); err != nil && !errors.Is(err, ErrConfig) && !errors.Is(err, ErrMissing) {
				t.Errorf("experiment: %v", err)
			}
		}
	})
}

// TestEveryKeyIsDocumented looks for each key of the configuration in configs/README.md.
func TestEveryKeyIsDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "configs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Config]().Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" && !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("configs/README.md does not mention %s", name)
		}
	}
}

// TestOpeningsAreShort takes the first half of texts, and no more of documents than an opening needs.
func TestOpeningsAreShort(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{" ", ""},
		{"The", "The"},
		{"The old  boat waits here", "The old boat"},
		{strings.Repeat("é", 600), strings.Repeat("é", 256)},
		{"a" + strings.Repeat("é", 600), "a" + strings.Repeat("é", 255)},
		{strings.Repeat("boats ", 1000), strings.Repeat("boats ", 85) + "bo"},
	} {
		if got := opening(c.text); got != c.want {
			t.Errorf("opening of %.20q…: %d bytes %q, want %d bytes %q", c.text, len(got), got, len(c.want), c.want)
		}
	}
}

// TestCompleteConfigurationIsTheSameExperiment: what run.json keeps of a configuration, defaults
// included, is a configuration, and of the same experiment.
func TestCompleteConfigurationIsTheSameExperiment(t *testing.T) {
	for name, raw := range map[string][]byte{"embedded": nil, "small": small().bytes(), "seed units": pair().with("alpha_values", []float64{1}).bytes()} {
		c, err := ParseConfig(raw, "")
		if err != nil {
			t.Fatal(name, err)
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(name, err)
		}
		c.assumed = nil // it is written down now
		again, err := ParseConfig(written, "")
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%s: read again (%v):\n%+v\nwant\n%+v", name, err, again, c)
		}
	}
}
