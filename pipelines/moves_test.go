package pipelines

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

// A move is one change of one field and what it does to the recipes.
type move struct {
	set  string   // the change, as -set takes it; empty: derived from the field's type and value
	base []string // settings that the change needs, applied before and after it

	// own are the stages whose own recipe changes while the bytes that they read stay the same.
	// Beside a stage that computes something else, that is the evaluation where it prints the field.
	own []string

	// first is what the documentation of the field promises: these stages and all that follow.
	first []string

	gone string // the stage that there is no longer, if there is one

	refused string // no value but one is accepted, so nothing can move; part of the message
}

var (
	captures = []string{"capture.source", "capture.target"}
	natives  = []string{"personas.source", "personas.target"}
	written  = []string{"anchors", "generate"}
	judged   = []string{"use_gpt4=true"}
	spoken   = append([]string{"anchors.score", "score"}, written...)
	probes   = []string{"probe.fit", "anchors.probe", "probe"}
)

// moves says, for every field of Config by its JSON name, which stages it moves. Several rows of a
// field show different changes. A field without a row fails the test.
var moves = map[string][]move{
	// The models, and where they are read.
	"source_model": {
		{set: "source_model=tiny:llama", own: append([]string{"pairs", "capture.source", "personas.source", "evaluate"}, probes...), first: []string{"pairs", "personas.source", "probe.fit"}},
		{set: "source_model=tiny:llama", base: []string{"positions=word_ends"}, // both personas stages keep to word ends that the two models share
			own: append([]string{"pairs", "capture.source", "personas.source", "personas.target", "evaluate"}, probes...), first: append([]string{"pairs", "probe.fit"}, natives...)}},
	"target_model": {
		{set: "target_model=tiny:qwen2", own: []string{"pairs", "anchors", "anchors.score", "capture.target", "personas.target", "generate", "score", "evaluate"}, first: []string{"pairs", "anchors", "personas.target"}}},
	"layer_idx":        {{own: slices.Concat(captures, natives, probes, []string{"generate", "evaluate"}), first: slices.Concat(captures, natives, []string{"probe.fit"})}},
	"source_layer_idx": {{own: append([]string{"capture.source", "personas.source", "evaluate"}, probes...), first: []string{"capture.source", "personas.source", "probe.fit"}}},
	"target_layer_idx": {{own: []string{"capture.target", "personas.target", "generate", "evaluate"}, first: []string{"capture.target", "personas.target"}}},
	"chat_template":    {{own: slices.Concat(captures, natives, spoken, probes, []string{"pairs"}), first: append([]string{"pairs", "anchors", "probe.fit"}, natives...)}},
	"template_date": {{set: "template_date=2026-11-27", base: []string{"chat_template=true"},
		own: slices.Concat(captures, natives, spoken, probes, []string{"pairs"}), first: append([]string{"pairs", "anchors", "probe.fit"}, natives...)}},

	// What is read.
	"calibration_texts":  {{set: `calibration_texts=["one text about boats","another about the sea","a third of a river","a fourth, of rain","a fifth"]`, own: []string{"pairs"}, first: []string{"pairs"}}},
	"n_training_samples": {{own: []string{"pairs", "evaluate"}, first: []string{"pairs"}}, {set: "n_training_samples=600", own: slices.Concat([]string{"pairs"}, captures, []string{"evaluate"}), first: []string{"pairs"}}},
	"positions":          {{set: "positions=word_ends", own: slices.Concat([]string{"pairs"}, captures, natives, []string{"evaluate"}), first: append([]string{"pairs"}, natives...)}},
	"persona_datasets": {
		{set: `persona_datasets.silly.positive_texts=["a","b"]`, own: append([]string{"trait", "probe.fit"}, natives...), first: append([]string{"trait", "probe.fit"}, natives...)},
		{set: `persona_datasets.silly.negative_texts=["a","b"]`, own: append([]string{"trait", "probe.fit"}, natives...), first: append([]string{"trait", "probe.fit"}, natives...)},
		{set: `persona_datasets.silly.prompt="Be serious."`, own: []string{"generate", "evaluate"}, first: []string{"generate"}},
		{set: `persona_datasets.silly.prompt="Be serious."`, base: judged, own: []string{"generate", "judge", "evaluate"}, first: []string{"generate"}},
		{set: "persona_datasets.silly.description=nonsense", base: judged, own: []string{"judge"}, first: []string{"judge"}},
		{set: "persona_datasets.silly.description=nonsense"}},

	// The map.
	"lambda_values": {{own: []string{"fit"}, first: []string{"fit"}}},
	"lambda_unit":   {{set: "lambda_unit=absolute", own: []string{"fit", "fit.held_out", "vectors"}, first: []string{"fit"}}},
	"folds":         {{own: []string{"gram"}, first: []string{"gram"}}},
	"fit.method": {{set: "fit.method=standardised", own: []string{"fit", "fit.held_out", "vectors"}, first: []string{"fit"}},
		{set: "fit.method=standardised", base: []string{without("shuffled_pairs"), `primary.versus=["none"]`}, own: []string{"fit", "fit.held_out"}, first: []string{"fit"}}},
	"fit.centre": {{own: []string{"fit", "fit.held_out", "vectors"}, first: []string{"fit"}}},
	"fit.rank":   {{set: "fit.rank=4", base: []string{"fit.method=low_rank", "fit.rank=3"}, own: []string{"fit", "fit.held_out", "vectors"}, first: []string{"fit"}}},

	// Steering. Some conditions need products of their own.
	"conditions": {
		{set: without("zero_pad"), own: []string{"vectors", "cosines", "generate", "score", "probe", "evaluate"}, first: []string{"vectors", "cosines"}},
		{set: without("prompt"), own: []string{"generate", "score", "probe", "evaluate"}, first: []string{"generate"}},
		{set: without("self"), own: []string{"fit", "vectors", "cosines", "generate", "score", "probe", "evaluate"}, first: []string{"fit"}},
		{set: without("ridge_held_out"), gone: "fit.held_out", own: []string{"vectors", "cosines", "generate", "score", "probe", "evaluate"}, first: []string{"vectors", "cosines"}},
		{set: without("shuffled_pairs"), base: []string{`primary.versus=["none"]`}, own: []string{"vectors", "generate", "score", "probe", "evaluate"}, first: []string{"vectors"}}},
	"alpha_values":    {{own: []string{"generate", "score", "probe", "evaluate"}, first: []string{"generate"}}, {set: "alpha_values=[0.25]", own: []string{"generate", "evaluate"}, first: []string{"generate"}}},
	"alpha_unit":      {{set: "alpha_unit=spread", own: []string{"generate", "evaluate"}, first: []string{"generate"}}},
	"steer_positions": {{set: "steer_positions=all", own: []string{"generate"}, first: []string{"generate"}}},

	// Generation.
	"test_prompts": {{set: `test_prompts=["The captain","A cook","The road","Snow"]`, own: []string{"generate"}, first: []string{"generate"}}},
	"n_test_prompts": {{own: []string{"anchors", "generate"}, first: []string{"anchors", "generate"}},
		{set: "n_test_prompts=4", base: []string{"n_seeds=12", "n_test_prompts=3"}, own: []string{"generate"}, first: []string{"generate"}}},
	"n_seeds": {{own: []string{"anchors", "generate"}, first: []string{"anchors", "generate"}}, // few texts have fewer anchors
		{set: "n_seeds=13", base: []string{"n_seeds=12"}, own: []string{"generate"}, first: []string{"generate"}}},
	"max_new_tokens": {{own: written, first: written}},
	"temperature":    {{own: written, first: written}},
	"top_p":          {{set: "top_p=0.5", own: written, first: written}},
	"top_k":          {{own: written, first: written}},
	"stop_at_eos":    {{own: []string{"anchors", "generate", "evaluate"}, first: written}}, // an ended text is no empty one: the evaluation must know

	// Judgement.
	"measures": {{set: "measures=[]", gone: "anchors.probe probe probe.fit", own: []string{"evaluate"}, first: []string{"evaluate"}},
		{set: `measures=["probe","judge"]`, base: judged}}, // use_gpt4 asks for the judge already
	"use_gpt4":                  {{own: []string{"judge", "evaluate"}, first: []string{"judge"}}},
	"judge.endpoint":            {{set: "judge.endpoint=http://127.0.0.1:8000/v1", base: judged}}, // the same model elsewhere is the same judge
	"judge.key_env":             {{set: "judge.key_env=SOME_KEY", base: judged}},
	"judge.concurrency":         {{base: judged}},
	"judge.requests_per_minute": {{base: judged}},
	"judge.max_requests":        {{base: judged}},
	"judge.max_tokens":          {{base: judged}},
	"judge.timeout":             {{base: judged}},
	"judge.model":               {{set: "judge.model=other", base: judged, own: []string{"judge"}, first: []string{"judge"}}, {set: "judge.model=other"}},
	"judge.temperature":         {{base: judged, own: []string{"judge"}, first: []string{"judge"}}},
	"judge.logprobs":            {{set: "judge.logprobs=off", base: judged, own: []string{"judge"}, first: []string{"judge"}}},
	"judge.reply_tokens":        {{base: judged, own: []string{"judge"}, first: []string{"judge"}}},
	"judge.on_failure":          {{set: "judge.on_failure=missing", base: judged, own: []string{"judge"}, first: []string{"judge"}}},
	"judge.rubrics.trait":       {{set: "judge.rubrics.trait=testdata/rubric.txt", base: judged, own: []string{"judge"}, first: []string{"judge"}}},
	"judge.rubrics.coherence":   {{set: "judge.rubrics.coherence=testdata/calm.txt", base: judged, own: []string{"judge"}, first: []string{"judge"}}},

	"primary.margin":    {{set: "primary.margin=0.3", own: []string{"evaluate"}, first: []string{"evaluate"}}},
	"primary.condition": {{set: "primary.condition=oracle", own: []string{"evaluate"}, first: []string{"evaluate"}}},
	"primary.versus":    {{set: `primary.versus=["none"]`, own: []string{"evaluate"}, first: []string{"evaluate"}}},
	"primary.measure":   {{set: "primary.measure=coherence", own: []string{"gate", "evaluate"}, first: []string{"gate", "evaluate"}}},

	// Everything that draws: the texts of the pairs, permutations, directions, tokens, resamples.
	"seed": {{own: []string{"pairs", "anchors", "vectors", "cosines", "generate", "evaluate"}, first: []string{"pairs", "anchors"}}},

	// Other devices than this one need a plugin; see TestDeviceMovesEveryStageThatRunsAModel.
	"device":        {{set: "device=abacus", refused: "device"}},
	"device_plugin": {{set: "device_plugin=x.so", refused: "device_plugin"}},
	"dtype":         {{set: "dtype=float8", refused: "dtype"}},

	"output_dir": {{set: "output_dir=elsewhere"}},
}

// without leaves one condition out.
func without(name string) string {
	left := slices.DeleteFunc(conditionNames(), func(c string) bool { return c == name })
	text, _ := json.Marshal(left) // a list of strings always encodes
	return "conditions=" + string(text)
}

// everything is an experiment in which every stage has something to do for every field.
func everything() settings {
	personas := settings{}
	for _, name := range []string{"silly", "pirate"} {
		p := persona(name, 4)
		p["prompt"] = "Be " + name + "."
		personas[name] = p
	}
	return settings{"layer_idx": 1, "n_training_samples": 200, "conditions": conditionNames(), "alpha_values": []float64{.5}, "alpha_unit": "residual", "persona_datasets": personas,
		"test_prompts": tiny.TestPrompts(tiny.Development, 6), "n_test_prompts": 4, "n_seeds": 1}
}

// TestEveryFieldMovesItsStages changes one field of Config at a time and looks which stages' own
// recipes change while what they read is held fixed: exactly those of its row must. What follows
// from that, because bytes flow on, must be exactly what the row's documentation promises.
func TestEveryFieldMovesItsStages(t *testing.T) {
	fields := leaves(t, reflect.ValueOf(ptr(parsed(t, everything(), nil))).Elem(), "")
	for _, name := range slices.Sorted(maps.Keys(moves)) {
		if _, ok := fields[name]; !ok {
			t.Errorf("the table has a row for %s, which is no field of Config", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		rows, ok := moves[name]
		if !ok {
			t.Errorf("field %s has no row: say which stages it moves", name)
			continue
		}
		for i, m := range rows {
			if m.set == "" {
				m.set = name + "=" + changed(t, name, fields[name])
			}
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) { m.check(t) })
		}
	}
}

func (m move) check(t *testing.T) {
	after := append(slices.Clone(m.base), m.set)
	if m.refused != "" {
		raw, err := override(everything().bytes(), after)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ParseConfig(raw, ""); err == nil || !strings.Contains(err.Error(), m.refused+": ") {
			t.Errorf("-set %s is not refused (%v): then it needs a row that says what it moves", m.set, err)
		}
		return
	}
	before, then := laid(t, parsed(t, everything(), m.base)), laid(t, parsed(t, everything(), after))
	recipes := map[string]string{}
	for _, s := range before.stages {
		recipes[s.Name] = recipe(s, "")
	}
	var own []string
	for _, s := range then.stages { // one that was not there before moves too
		if recipes[s.Name] != recipe(s, "") {
			own = append(own, s.Name)
		}
		delete(recipes, s.Name)
	}
	if gone := strings.Join(slices.Sorted(maps.Keys(recipes)), " "); gone != m.gone {
		t.Errorf("-set %s: the stages %q are gone, want %q", m.set, gone, m.gone)
	}
	if want := inOrder(then, m.own); !slices.Equal(own, want) {
		t.Errorf("-set %s moves the recipes of\n%v, want\n%v", m.set, own, want)
	}
	if got, want := downstream(then, own), downstream(then, m.first); !slices.Equal(got, want) {
		t.Errorf("-set %s moves in all\n%v; promised is\n%v", m.set, got, want)
	}
}

// TestStagesFollowWhatTheyRead is the other half: another manifest of any input is another recipe.
func TestStagesFollowWhatTheyRead(t *testing.T) {
	for _, s := range laid(t, parsed(t, everything(), nil)).stages {
		plain := recipe(s, "")
		for _, name := range s.Inputs {
			if recipe(s, name) == plain {
				t.Errorf("%s reads %s, but other bytes of it leave the recipe as it is", s.Name, name)
			}
		}
	}
}

// TestDeviceMovesEveryStageThatRunsAModel stands in for device and dtype: both, with chip and compiler where they
// decide bits, are the text that a model's recipe calls device.
func TestDeviceMovesEveryStageThatRunsAModel(t *testing.T) {
	before, after := laid(t, parsed(t, everything(), nil)), laid(t, parsed(t, everything(), nil))
	for _, word := range []string{"cpu", "float32"} {
		if !strings.Contains(after.Source.Device, word) {
			t.Errorf("the device is %q; %s is not in it", after.Source.Device, word)
		}
	}
	after.Source.Device, after.Target.Device = "another", "another"
	after.stages, after.personas = nil, nil
	after.lay()
	var moved []string
	for i, s := range before.stages {
		if recipe(s, "") != recipe(after.stages[i], "") {
			moved = append(moved, s.Name)
		}
	}
	if want := inOrder(before, slices.Concat(captures, natives, spoken, probes)); !slices.Equal(moved, want) {
		t.Errorf("another device moves %v, want %v", moved, want)
	}
}

// TestPathsMoveNothing copies both models into a folder: the same content has the same recipes.
func TestPathsMoveNothing(t *testing.T) {
	before := laid(t, parsed(t, everything(), nil))
	s := everything().with("source_model", copyModel(t, tiny.Source)).with("target_model", copyModel(t, tiny.Target))
	maps.Copy(s, settings{"positions": "last", "max_new_tokens": 28, "top_k": 0, "stop_at_eos": false, "calibration_texts": tiny.CalibrationTexts(tinyCalibrationSeed, before.NTraining)})
	after := laid(t, parsed(t, s, nil))
	for i, stage := range before.stages {
		if stage.Name == "anchors" || stage.Name == "evaluate" { // the anchors' prompts; the models' names
			continue
		}
		if got, want := recipe(after.stages[i], ""), recipe(stage, ""); got != want {
			t.Errorf("%s has another recipe for the same models in a folder: %v", stage.Name, cache.Diff(want, got))
		}
	}
}

func plain(t Texts) (list []string) {
	for _, row := range t.List {
		list = append(list, row.Text)
	}
	return list
}

// recipe is a stage's recipe with dummy inputs, one of them changed.
func recipe(s transforms.Stage, changed string) string {
	var inputs []transforms.Manifest
	for _, name := range s.Inputs {
		text := "bytes of " + name
		if name == changed {
			text = "other " + text
		}
		inputs = append(inputs, transforms.Manifest{{Name: "output", Kind: "kind", Digest: cache.Sum([]byte(text))}})
	}
	return s.Recipe(inputs).String()
}

// downstream lists the stages named and all that read them, directly or not.
func downstream(e *Experiment, first []string) []string {
	reached := map[string]bool{}
	var names []string
	for _, s := range e.stages { // in the order of the data
		if slices.Contains(first, s.Name) || slices.ContainsFunc(s.Inputs, func(in string) bool { return reached[in] }) {
			reached[s.Name] = true
			names = append(names, s.Name)
		}
	}
	return names
}

func inOrder(e *Experiment, names []string) (list []string) {
	for _, s := range e.stages {
		if slices.Contains(names, s.Name) {
			list = append(list, s.Name)
		}
	}
	return list
}

func parsed(t *testing.T, s settings, set []string) Config {
	t.Helper()
	raw, err := override(s.bytes(), set)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(t.Context(), s.bytes(), raw, "")
	if err != nil {
		t.Fatalf("%v: %v", set, err)
	}
	return c
}

func laid(t *testing.T, c Config) *Experiment {
	t.Helper()
	e, err := NewExperiment(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// leaves lists the fields of a struct by their dotted JSON names. A struct that reads itself from
// JSON is one field.
func leaves(t *testing.T, v reflect.Value, prefix string) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			// Where the configuration file was (TestPathsMoveNothing), and what plan says of units.
			if f.Name != "folder" && f.Name != "assumed" {
				t.Errorf("Config has an unexported field %s; can it change a byte?", f.Name)
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if _, reads := v.Field(i).Addr().Interface().(json.Unmarshaler); f.Type.Kind() == reflect.Struct && !reads {
			maps.Copy(out, leaves(t, v.Field(i), prefix+name+"."))
			continue
		}
		out[prefix+name] = v.Field(i)
	}
	return out
}

// changed is another value of a field, as JSON.
func changed(t *testing.T, name string, v reflect.Value) string {
	switch v.Kind() {
	case reflect.Int:
		return fmt.Sprint(v.Int() + 1)
	case reflect.Uint64:
		return fmt.Sprint(v.Uint() + 1)
	case reflect.Float64:
		return fmt.Sprint(v.Float()*2 + 1)
	case reflect.Bool:
		return fmt.Sprint(!v.Bool())
	case reflect.Pointer: // a layer that defaults to layer_idx, which is 1
		return "2"
	case reflect.Slice:
		if values, ok := v.Interface().([]float64); ok {
			text, _ := json.Marshal(append(slices.Clone(values), 77)) // finite numbers always encode
			return string(text)
		}
	}
	t.Fatalf("%s: a %s has no obvious other value; give its row a set", name, v.Type())
	return ""
}

func ptr[T any](v T) *T { return &v }
