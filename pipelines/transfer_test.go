package pipelines

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
)

// saved writes a file of vectors or a map.
func saved(t *testing.T, name string, x Exported) string {
	t.Helper()
	format, err := ParseFormat(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := x.Write(f, format); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTransferIsTheConditionRidge: the source's own vector, exported and carried across the stored map
// and across the exported one, is what the experiment steers with, with the same scales.
func TestTransferIsTheConditionRidge(t *testing.T) {
	dir, _ := finished(t)
	e, store := small().experiment(t), open(t, dir)
	get := func(name string) Exported {
		x, err := e.Export(t.Context(), store, ExportOptions{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	want := get("vectors/ridge/silly").Vector
	stored, err := e.StoredMap(t.Context(), store, "fit/map")
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadMap(saved(t, "map.safetensors", get("fit/map")))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"v.json", "v.safetensors", "v.gguf"} {
		vector := saved(t, format, get("personas.source/silly"))
		for name, m := range map[string]export.Map{"stored": stored, "exported": read} {
			got, notes, err := Transfer(m, Layers{-1, -1}, vector)
			if err != nil || len(notes) > 0 {
				t.Fatalf("%s, %s map: %q, %v", format, name, notes, err)
			}
			if !slices.Equal(got.Row.Values, want.Row.Values) || got.Row.Norm != want.Row.Norm {
				t.Errorf("%s, %s map: carried to %v, steered with %v", format, name, got.Row.Values[:3], want.Row.Values[:3])
			}
			// The native scale is worked back through a division and a multiplication.
			if math.Abs(got.Scales.Native-want.Scales.Native) > 1e-12*want.Scales.Native {
				t.Errorf("%s, %s map: native %g, want %g", format, name, got.Scales.Native, want.Scales.Native)
			}
			got.Scales.Native = want.Scales.Native
			if got.Scales != want.Scales || got.Meta != want.Meta || got.AlphaUnit != want.AlphaUnit || got.Row.Persona != "silly" || got.Row.Condition != "ridge" {
				t.Errorf("%s, %s map: %+v of %+v, want %+v of %+v", format, name, got.Scales, got.Meta, want.Scales, want.Meta)
			}
		}
	}
	if _, _, err := Transfer(stored, Layers{-1, -1}, saved(t, "v.json", get("personas.target/silly"))); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "the map starts at layer 3 of tiny:qwen2") {
		t.Errorf("the target's own vector: %v, want it refused", err)
	}
	if _, err := e.StoredMap(t.Context(), store, "vectors/ridge/silly"); !errors.Is(err, ErrConfig) {
		t.Errorf("a vector as a map: %v", err)
	}
}

// byHand maps (x, y, z) to (x + 3z, 2y).
func byHand() export.Map {
	return export.Map{Map: artifacts.Map{Source: artifacts.Meta{Layer: 5, Hidden: 3}, Target: artifacts.Meta{Layer: 7, Hidden: 2}, Method: "ridge", Rows: 3, Cols: 2,
		W: []float32{1, 0, 0, 2, 3, 0}, Intercept: []float32{100, 100}}, AlphaUnit: "native", Scales: artifacts.Scales{Residual: 40, Spread: 8}, SourceResidual: 10}
}

// TestTransferByHand works a vector out: without the means, at the map's layers, with what alpha 1 is
// there in every unit.
func TestTransferByHand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "foreign.json")
	if err := os.WriteFile(file, []byte(`{"directions": [{"layer": 4, "values": [9, 9, 9]}, {"layer": 5, "values": [3, 2, 0]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	w, notes, err := Transfer(byHand(), Layers{-1, -1}, file)
	if err != nil || !slices.Equal(w.Row.Values, []float32{3, 4}) || w.Row.Norm != 5 || w.Meta.Layer != 7 || w.AlphaUnit != "native" {
		t.Fatalf("carried to %+v, %v; want (3, 4) at layer 7", w, err)
	}
	if want := (artifacts.Scales{Residual: 40, Spread: 8, Native: 40 * math.Sqrt(13) / 10}); w.Scales != want {
		t.Errorf("scales %+v, want %+v", w.Scales, want)
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "holds 2 layers: the map carries layer 5") || !strings.Contains(all, "nothing says that") {
		t.Errorf("notes %q", notes)
	}
	zero := byHand()
	zero.W = make([]float32, 6)
	if _, _, err := Transfer(zero, Layers{-1, -1}, file); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "to zero") {
		t.Errorf("a map to nothing: %v", err)
	}
}

// TestTransferAsksForLayers: the layers of another program's map have to be named, and those that a map
// knows cannot be named otherwise.
func TestTransferAsksForLayers(t *testing.T) {
	one := filepath.Join(t.TempDir(), "one.json")
	two := filepath.Join(t.TempDir(), "two.json")
	for path, text := range map[string]string{one: `{"directions": [{"layer": 5, "values": [3, 2, 0]}]}`, two: `{"directions": [{"layer": 4, "values": [9, 9, 9]}, {"layer": 5, "values": [3, 2, 0]}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	foreign := byHand()
	foreign.Source.Layer, foreign.Target.Layer = artifacts.UnknownLayer, artifacts.UnknownLayer
	for _, c := range []struct {
		m      export.Map
		file   string
		layers Layers
		want   string // of the error; empty: carried to layer 7
	}{
		{foreign, one, Layers{-1, -1}, "-layer: the map does not say"},
		{foreign, one, Layers{-1, 7}, ""},
		{foreign, one, Layers{4, 7}, "vector was taken at layer 5, the map starts at layer 4"},
		{foreign, two, Layers{-1, 7}, "name it with -source_layer"},
		{foreign, two, Layers{5, 7}, ""},
		{byHand(), one, Layers{5, 7}, ""},
		{byHand(), one, Layers{5, 6}, "-layer 6: the map says that it is layer 7"},
		{byHand(), one, Layers{4, 7}, "-source_layer 4: the map says that it is layer 5"},
	} {
		w, _, err := Transfer(c.m, c.layers, c.file)
		switch {
		case c.want == "" && (err != nil || w.Meta.Layer != 7 || !slices.Equal(w.Row.Values, []float32{3, 4})):
			t.Errorf("%s, %+v: %+v, %v", filepath.Base(c.file), c.layers, w, err)
		case c.want != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s, %+v: %v, want %q", filepath.Base(c.file), c.layers, err, c.want)
		}
	}
}
