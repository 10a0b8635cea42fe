package pipelines

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/gpu"
)

// layersFile writes a file as other programs do, with one vector for each of some layers: layer l has
// l+1 in place 0.
func layersFile(t *testing.T, width int, layers ...int) string {
	t.Helper()
	type direction struct {
		Layer  int       `json:"layer"`
		Values []float32 `json:"values"`
	}
	var list []direction
	for _, l := range layers {
		d := direction{l, make([]float32, width)}
		d.Values[0] = float32(l + 1)
		list = append(list, d)
	}
	b, err := json.Marshal(map[string]any{"directions": list})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "layers.json")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEveryLayerOfAFileIsSteered adds all vectors of a file, each after its own block, as llama.cpp does;
// -layer picks one.
func TestEveryLayerOfAFileIsSteered(t *testing.T) {
	m := openTiny(t)
	file := layersFile(t, m.decoder.Config().Hidden, 3, 1)
	all, err := m.pushes(Steering{File: file, Layer: -1, Alpha: .5, Unit: "absolute", Positions: "all"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		got = append(got, fmt.Sprintf("%d: %g %v", p.Site.Layer, p.Vector[0], p.Positions))
	}
	if want := []string{"1: 1 all", "3: 2 all"}; !slices.Equal(got, want) {
		t.Errorf("pushes %q, want %q", got, want)
	}
	one, err := m.pushes(Steering{File: file, Layer: 3, Alpha: 1, Unit: "absolute"}, nil)
	if err != nil || len(one) != 1 || one[0].Site.Layer != 3 || one[0].Vector[0] != 4 || one[0].Positions != gpu.Response {
		t.Errorf("layer 3 alone: %+v, %v", one, err)
	}
	s := Steering{File: file, Layer: -1, Alpha: 1}
	notes, err := m.Resolve(&s)
	if err != nil || !strings.Contains(strings.Join(notes, "\n"), "holds 2 layers, 1 to 3, and all are added") {
		t.Errorf("notes %q, %v", notes, err)
	}
	deep := layersFile(t, m.decoder.Config().Hidden, 1, 4)
	if _, err := m.Resolve(&Steering{File: deep, Layer: -1, Alpha: 1}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "layer 4: model tiny:llama has layers 0 to 3") {
		t.Errorf("a layer that the model has not: %v", err)
	}
}

// TestEachLayerHasItsOwnMeasuredDose: in the unit residual every layer is steered by alpha times its own
// mean residual norm.
func TestEachLayerHasItsOwnMeasuredDose(t *testing.T) {
	m := openTiny(t)
	file := layersFile(t, m.decoder.Config().Hidden, 1, 3)
	all, err := m.pushes(Steering{File: file, Layer: -1, Alpha: .5, Unit: "residual"}, func(layer int) (float64, error) { return float64(10 * layer), nil })
	if err != nil || len(all) != 2 || all[0].Vector[0] != 5 || all[1].Vector[0] != 15 {
		t.Errorf("pushes %+v, %v; want lengths 5 and 15", all, err)
	}
}

// TestSteeringListsEverythingWrong names every word that it does not know at once.
func TestSteeringListsEverythingWrong(t *testing.T) {
	m := openTiny(t)
	_, err := m.pushes(Steering{File: layersFile(t, m.decoder.Config().Hidden, 1), Layer: -1, Alpha: 1, Unit: "miles", Positions: "everywhere"}, nil)
	for _, want := range []string{`-alpha_unit: unknown unit "miles"`, `-positions: unknown positions "everywhere"; want one of response, all, last_prompt`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// TestVectorOfAnotherEncoding accepts a vector of other files of the same model with a note, and refuses
// one as soon as any of width, type, number of blocks and tokenizer differs or is not known.
func TestVectorOfAnotherEncoding(t *testing.T) {
	m := openTiny(t)
	here, err := m.place()
	if err != nil {
		t.Fatal(err)
	}
	here.Layer, here.ModelDigest, here.Model = 2, strings.Repeat("5", 64), "other.gguf"
	note, err := m.belongs("v.gguf", here)
	if err != nil || !strings.Contains(note, "v.gguf was taken from other files, other.gguf (55555555); tiny:llama (") {
		t.Errorf("note %q, %v", note, err)
	}
	for name, change := range map[string]func(*artifacts.Meta){
		"width":                func(a *artifacts.Meta) { a.Hidden++ },
		"type":                 func(a *artifacts.Meta) { a.ModelType = "qwen2" },
		"blocks":               func(a *artifacts.Meta) { a.Blocks++ },
		"tokenizer":            func(a *artifacts.Meta) { a.Tokenizer = "00" },
		"an unknown type":      func(a *artifacts.Meta) { a.ModelType = "" },
		"unknown blocks":       func(a *artifacts.Meta) { a.Blocks = 0 },
		"unknown tokenizer":    func(a *artifacts.Meta) { a.Tokenizer = "" },
		"nothing but a digest": func(a *artifacts.Meta) { *a = artifacts.Meta{ModelDigest: a.ModelDigest, Layer: 2} },
	} {
		v := here
		change(&v)
		if note, err := m.belongs("v.gguf", v); !errors.Is(err, ErrConfig) {
			t.Errorf("%s differs: %q, %v; want it refused", name, note, err)
		}
	}
	if digest, err := m.digest(); err != nil {
		t.Fatal(err)
	} else if here.ModelDigest = digest; true {
		if note, err := m.belongs("v.gguf", here); note != "" || err != nil {
			t.Errorf("of these very files: %q, %v", note, err)
		}
	}
	if note, err := m.belongs("v.gguf", artifacts.Meta{Layer: 1, ModelType: "mistral"}); err != nil || !strings.Contains(note, "made for a model of type mistral") {
		t.Errorf("a hint of another type: %q, %v", note, err)
	}
}

// TestUnitOfAFile: alpha is in the unit that the vector was made for, absolute if the file says nothing
// or has its dose.
func TestUnitOfAFile(t *testing.T) {
	for _, c := range []struct {
		v    export.Vector
		want string
		why  string
	}{
		{export.Vector{}, "absolute", "names no unit"},
		{export.Vector{AlphaUnit: "spread"}, "spread", "the experiment"},
		{export.Vector{AlphaUnit: "absolute"}, "absolute", "the experiment"},
		{export.Vector{AlphaUnit: "absolute", Notes: map[string]string{noteDose: "alpha 1 in unit spread"}}, "absolute", "dose already"},
	} {
		if unit, why := unitOf(c.v); unit != c.want || !strings.Contains(why, c.why) {
			t.Errorf("%+v: %s, %s; want %s, %s", c.v, unit, why, c.want, c.why)
		}
	}
}

// TestTheUnitIsToldWhereItMatters: alpha 0 adds nothing in any unit. The unit is settled all the same, for
// the alpha that a conversation may set next.
func TestTheUnitIsToldWhereItMatters(t *testing.T) {
	m := openTiny(t)
	file := layersFile(t, m.decoder.Config().Hidden, 1)
	for _, c := range []struct {
		alpha float64
		unit  string
		told  bool
	}{{1, "", true}, {-.5, "", true}, {0, "", false}, {1, "residual", false}} {
		s := Steering{File: file, Layer: -1, Alpha: c.alpha, Unit: c.unit}
		notes, err := m.Resolve(&s)
		if err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(strings.Join(notes, "\n"), "is in unit"); told != c.told || s.Unit != cmp.Or(c.unit, "absolute") {
			t.Errorf("alpha %g in unit %q: notes %q and unit %s, want a note: %t", c.alpha, c.unit, notes, s.Unit, c.told)
		}
	}
}

// TestLlamaCppLine gives the factor with which llama.cpp adds what alpha 1 adds here.
func TestLlamaCppLine(t *testing.T) {
	v := export.Vector{Meta: artifacts.Meta{Layer: 3}, AlphaUnit: "spread", Scales: artifacts.Scales{Residual: 100, Spread: 10}, Row: artifacts.Vector{Norm: 5, Values: []float32{3, 4}}}
	if line := strings.Join(LlamaCpp("my file.gguf", v), "\n"); !strings.Contains(line, "--control-vector-scaled 'my file.gguf':2 adds alpha 1 in unit spread") || !strings.Contains(line, "every token, the prompt's too") {
		t.Errorf("%s", line)
	}
	v.AlphaUnit = "absolute"
	if line := strings.Join(LlamaCpp("v.gguf", v), "\n"); !strings.Contains(line, "--control-vector v.gguf\n") {
		t.Errorf("with its dose: %s", line)
	}
}
