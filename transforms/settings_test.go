package transforms

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
)

// A full is a store in which every action is found: units say under which key they would look, and
// compute nothing.
type full struct{ *cache.Memory }

func (full) Lookup(context.Context, cache.ActionKey) ([]cache.Output, bool, error) {
	return nil, true, nil
}

// Open gives a batch of one text, which differs as the digest does: a unit whose recipe is of texts reads them first.
func (full) Open(_ context.Context, d cache.Digest) (io.ReadCloser, error) {
	var b bytes.Buffer
	err := (&artifacts.Generations{Rows: []artifacts.Generation{{Text: d.String()}}}).Encode(&b)
	return io.NopCloser(&b), err
}

// A sample is a stage of a kind with every setting filled in.
type sample struct {
	settings any
	units    int
	inputs   []string
	outputs  []string // that the inputs offer, each of them all
}

var someModel = Model{Ref: "a", Digest: "d1", Open: "cpu", Device: "cpu float32", Template: false}

var somePersonas = []PersonaRef{{"silly", cache.Sum([]byte("s"))}, {"angry", cache.Sum([]byte("a"))}}

var samples = map[string]sample{
	"pairs":   {Pairs{Source: someModel.Text(), Target: TextModel{Digest: "d2"}, Texts: cache.Sum(nil), Samples: 10, Positions: "last", Seed: 1}, 1, nil, nil},
	"capture": {Capture{Model: someModel, Layer: 1, Positions: "last"}, 2, []string{"pairs"}, []string{shardName(0), shardName(1)}},
	"gram":    {Gram{Folds: 2}, 2, []string{"capture.source", "capture.target"}, nil},
	"fit": {Fit{Method: "ridge", Centre: true, Rank: 0, Lambdas: []float64{1, 2}, Unit: "relative", Self: false}, 1,
		[]string{"gram", "capture.source", "capture.target"}, nil},
	"personas": {Personas{Capture: Capture{Model: someModel, Layer: 1, Positions: "last"}, Partner: TextModel{Digest: "d2"}, Personas: somePersonas}, 2, nil, nil},
	"vectors": {VectorSettings{Conditions: []string{"ridge", "oracle"}, Personas: []string{"silly", "angry"}, Draws: 3, Seed: 1,
		Shuffled: Shuffled{Permutations: 2, Method: "ridge", Centre: true, Rank: 0, Unit: "relative"}}, 1,
		[]string{"fit", "personas.source", "personas.target", "capture.source", "capture.target", "fit.held_out", "gram"}, nil},
	"cosines": {Cosines{Conditions: []string{"ridge", "zero_pad"}, Personas: []string{"silly", "angry"}, Seed: 1}, 1,
		[]string{"fit", "personas.source", "personas.target", "fit.held_out"}, nil},
	"trait":       {Trait{Personas: somePersonas}, 2, nil, nil},
	"resemblance": {Resemblance{Personas: []string{"silly", "angry"}}, 2, []string{"pairs", "trait"}, []string{unitName(0, "scorer"), unitName(1, "scorer")}},
	"refit": {Refit{Method: "ridge", Centre: true, Rank: 0, Unit: "relative"}, 2, []string{"capture.source", "capture.target", "resemblance", "fit", "gram"},
		[]string{unitName(0, "texts"), unitName(1, "texts"), "report"}},
	"generate": {Generate{Model: someModel, Layer: 1, Prompts: []string{"a", "b"}, Seeds: 1, AlphaUnit: "residual", Positions: "response",
		Sampling: Sampling{MaxNewTokens: 8, Temperature: 1, TopP: 1}, Sampler: "gumbel/1", Seed: 1, Batches: []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "silly", Alpha: 1}}},
		2, []string{"vectors"}, []string{"ridge/silly", "ridge'/silly", "ridge/silly'", "none/"}},
	"score":     {Score{Model: someModel}, 2, []string{"generate"}, []string{unitName(0, "texts"), unitName(1, "texts")}},
	"probe.fit": {ProbeFit{Model: someModel, Layer: 1, Personas: somePersonas}, 2, nil, nil},
	"probe": {Probe{Model: someModel, Layer: 1, Personas: []string{"silly", "angry"}}, 2, []string{"generate", "probe.fit"},
		[]string{unitName(0, "texts"), unitName(1, "texts"), unitName(0, "probe"), unitName(1, "probe")}},
	"yardstick": {YardstickSettings{Personas: []string{"silly", "angry"}}, 1, []string{"anchors", "anchors.score", "trait"}, nil},
	"judge": {Judge{Settings: judge.Settings{Model: "j", Logprobs: judge.Auto, ReplyTokens: 16, Rubrics: judge.Rubrics{Trait: "{persona}?", Coherence: "ok?"}}, OnFailure: Stop,
		Personas: []judge.Persona{{Name: "silly", Description: "is silly"}}, Endpoint: judge.Endpoint{URL: judge.OpenAI, Concurrency: 1}, Seed: 1}, 2, []string{"generate"}, nil},
	"gate": {Gate{Measure: "trait"}, 1, []string{"yardstick"}, nil},
	"evaluate": {Evaluate{SourceModel: "a", TargetModel: "b", Personas: []string{"silly"}, Conditions: []string{"none"}, Alphas: []float64{1}, AlphaUnit: "residual",
		Primary: Primary{Condition: "ridge", Versus: []string{"none"}, Measure: "trait"}, Batches: []Batch{{Condition: "none"}}, Seed: 1},
		1, []string{"yardstick", "generate", "score", "trait", "vectors", "fit", "pairs", "resemblance", "cosines"}, nil},
}

// unread are settings that no unit of the kind reads, with the reason.
var unread = map[string]string{
	"trait.personas.0.name": "a scorer does not hold the persona's name",
	"trait.personas.1.name": "a scorer does not hold the persona's name",

	"probe.fit.personas.0.name": "a probe does not hold the persona's name",
	"probe.fit.personas.1.name": "a probe does not hold the persona's name",
}

// sampledKinds lists the kinds but that of the tests; one without a sample fails the test.
func sampledKinds(t *testing.T) (names []string) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if _, ok := samples[kind]; ok {
			names = append(names, kind)
		} else if kind != "test" && kind != "test.model" {
			t.Errorf("kind %s has no sample", kind)
		}
	}
	return names
}

// TestEverySettingMovesAUnit changes one setting of a kind at a time. The recipe of the stage moves
// by itself, from the whole struct; the units' recipes are written by hand, and one that forgets a
// setting would serve stale bytes. A key tagged key:"-" moves neither.
func TestEverySettingMovesAUnit(t *testing.T) {
	for _, kind := range sampledKinds(t) {
		s := samples[kind]
		before := keysOf(t, kind, s, s.settings)
		walk(t, reflect.ValueOf(s.settings), kind, true, func(path string, hashed bool, change func(reflect.Value)) {
			changed := copyOf(s.settings)
			change(changed.Elem())
			after := keysOf(t, kind, s, changed.Elem().Interface())
			reason, excused := unread[path]
			switch moved := !slices.Equal(before.units, after.units); {
			case excused && moved:
				t.Errorf("%s moves a unit, though %s", path, reason)
			case !excused && moved != hashed:
				t.Errorf("changing %s moves a unit: %t, want %t", path, moved, hashed)
			}
			if moved := before.stage != after.stage; moved != hashed {
				t.Errorf("changing %s moves the stage: %t, want %t", path, moved, hashed)
			}
		})
	}
}

// TestEveryInputMovesAUnit changes the bytes of one input at a time.
func TestEveryInputMovesAUnit(t *testing.T) {
	for kind, s := range samples {
		before := keysOf(t, kind, s, s.settings)
		for i, name := range s.inputs {
			other := slices.Clone(s.inputs)
			other[i] += "'"
			after := keysOf(t, kind, sample{s.settings, s.units, other, s.outputs}, s.settings)
			if slices.Equal(before.units, after.units) {
				t.Errorf("%s: other bytes of %s move no unit", kind, name)
			}
		}
	}
}

// TestVersionMovesEveryKey raises the version of one kind at a time: what an older program computed must
// not be found.
func TestVersionMovesEveryKey(t *testing.T) {
	for kind, s := range samples {
		before := keysOf(t, kind, s, s.settings)
		k := kinds[kind]
		raised := k
		raised.version++
		kinds[kind] = raised
		after := keysOf(t, kind, s, s.settings)
		kinds[kind] = k
		if before.stage == after.stage {
			t.Errorf("%s: another version has the same stage key", kind)
		}
		for i, key := range before.units {
			if key == after.units[i] {
				t.Errorf("%s: another version has the same key of unit %d", kind, i)
			}
		}
	}
}

// A stageKeys are the keys of a stage and of its units.
type stageKeys struct {
	stage cache.ActionKey
	units []string
}

func keysOf(t *testing.T, kind string, s sample, settings any) (keys stageKeys) {
	t.Helper()
	names := make([]string, len(s.inputs)) // the stages' names stay; their bytes follow s.inputs
	var inputs []Manifest
	for i, in := range s.inputs {
		names[i] = strings.TrimSuffix(in, "'")
		m := Manifest{{Name: "output", Kind: "kind", Digest: cache.Sum([]byte(in))}}
		for _, o := range s.outputs {
			kind := "kind"
			if strings.HasSuffix(o, ".texts") {
				kind = artifacts.KindGenerations
			}
			m = append(m, cache.Output{Name: o, Kind: kind, Digest: cache.Sum([]byte(in + o))})
		}
		inputs = append(inputs, m)
	}
	stage := NewStage(kind, kind, settings, s.units, names...)
	keys.stage = stage.Recipe(inputs).Key()
	for i := range s.units {
		key, err := kinds[kind].run(t.Context(), unit(stage, i, full{cache.NewMemory()}, inputs...), settings)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		keys.units = append(keys.units, key.String())
	}
	return keys
}

// copyOf copies settings deeply.
func copyOf(settings any) reflect.Value {
	v := reflect.New(reflect.TypeOf(settings))
	raw, err := json.Marshal(settings)
	if err == nil {
		err = json.Unmarshal(raw, v.Interface())
	}
	if err != nil {
		panic(err)
	}
	return v
}

// walk calls visit for every leaf of v, with a function that changes that leaf in a copy.
func walk(t *testing.T, v reflect.Value, path string, hashed bool, visit func(path string, hashed bool, change func(reflect.Value))) {
	digest := reflect.TypeFor[cache.Digest]()
	switch {
	case v.Type() == digest:
		visit(path, hashed, func(c reflect.Value) { c.Set(reflect.ValueOf(cache.Sum([]byte("other")))) })
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			walk(t, v.Field(i), path+"."+name, hashed && f.Tag.Get("key") != "-", func(path string, hashed bool, change func(reflect.Value)) {
				visit(path, hashed, func(c reflect.Value) { change(c.Field(i)) })
			})
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walk(t, v.Index(i), fmt.Sprintf("%s.%d", path, i), hashed, func(path string, hashed bool, change func(reflect.Value)) {
				visit(path, hashed, func(c reflect.Value) { change(c.Index(i)) })
			})
		}
	default:
		visit(path, hashed, func(c reflect.Value) { other(t, path, c) })
	}
}

// other changes a scalar.
func other(t *testing.T, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "'")
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float()*2 + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default:
		t.Fatalf("%s: teach this test to change a %s", path, v.Type())
	}
}
