package pipelines

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/pipelines/rows"
)

func rowsFile(name string) string { return filepath.Join("rows", "testdata", name) }

// sklearnFits is what rows/testdata/make.py wrote.
type sklearnFits struct {
	Cases map[string]struct {
		Scores []struct {
			Lambda         float64 `json:"lambda"`
			R2             float64 `json:"r2"`
			R2Standardised float64 `json:"r2_standardised"`
		} `json:"scores"`
		Best      float64     `json:"best"`
		W         [][]float64 `json:"w"`
		Intercept []float64   `json:"intercept"`
		Carried   []float64   `json:"carried"`
	} `json:"cases"`
}

// TestFitOfFilesIsScikitLearns fits the rows that scikit-learn fitted, from files of three formats, carries a
// vector across the map, and compares every number.
func TestFitOfFilesIsScikitLearns(t *testing.T) {
	var want sklearnFits
	b, err := os.ReadFile(rowsFile("fits.json"))
	if err == nil {
		err = json.Unmarshal(b, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	vector := filepath.Join(t.TempDir(), "v.json")
	if err := os.WriteFile(vector, []byte(`{"directions": [{"layer": 3, "values": [1, 2, 3, 4, 5, 6]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	set := func(more ...string) []string {
		return append([]string{"folds=3", "lambda_values=[0.01, 1, 100]", "lambda_unit=absolute"}, more...)
	}
	for name, o := range map[string]FitOptions{
		"blocks":           {Source: "x.npy", Target: "y.npy", Set: set()},
		"blocks relative":  {Source: "x.arrow", Target: "y64.npy", Set: set("lambda_unit=relative")},
		"groups":           {Source: "parts.safetensors:h.*", Target: "y.npy", Groups: rowsFile("groups.txt"), Set: set()},
		"groups uncentred": {Source: "x64.arrow", Target: "y.npy", Groups: rowsFile("groups.npy"), Set: set("fit.centre=false")},
	} {
		o.Source, o.Target, o.Layers = rowsFile(o.Source), rowsFile(o.Target), Layers{3, 5}
		r, err := FitFiles(t.Context(), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := want.Cases[name]
		for i, s := range c.Scores {
			got := r.CV.Penalties[i]
			// Both work in float64 on sums of 60 rows: ten digits and more agree.
			if got.Lambda != s.Lambda || math.Abs(got.R2-s.R2) > 1e-10 || math.Abs(got.R2Standardised-s.R2Standardised) > 1e-10 {
				t.Errorf("%s: %+v, want %+v", name, got, s)
			}
		}
		if r.Lambda != c.Best || r.Pairs != 60 {
			t.Errorf("%s: lambda %g of %d pairs, want %g of 60", name, r.Lambda, r.Pairs, c.Best)
		}
		near := func(what string, got float32, want float64) {
			if math.Abs(float64(got)-want) > 0x1p-22*(1+math.Abs(want)) { // stored as float32
				t.Errorf("%s: %s is %g, want %g", name, what, got, want)
			}
		}
		for i, row := range c.W {
			for j, w := range row {
				near("a weight", r.Map.W[i*4+j], w)
			}
		}
		for j, v := range c.Intercept {
			near("the intercept", r.Map.Intercept[j], v)
		}
		v, _, err := Transfer(r.Map, Layers{-1, -1}, vector)
		if err != nil || v.Meta.Layer != 5 {
			t.Fatalf("%s: carried to layer %d, %v", name, v.Meta.Layer, err)
		}
		for j, x := range c.Carried {
			near("the carried vector", v.Row.Values[j], x)
		}
	}
}

// TestFitMeasuresTheScales: alpha 1 of a carried vector is known, as of one that an experiment carried.
func TestFitMeasuresTheScales(t *testing.T) {
	o := FitOptions{Source: rowsFile("x.npy"), Target: rowsFile("y.npy"), Layers: Layers{-1, -1}}
	r, err := FitFiles(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	norm := func(file string) float64 {
		f, err := rows.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h, sum := make([]float32, f.Width), 0.0
		for i := range f.Rows {
			if err := f.Read(h, i); err != nil {
				t.Fatal(err)
			}
			squares := 0.0
			for _, v := range h {
				squares += float64(v) * float64(v)
			}
			sum += math.Sqrt(squares)
		}
		return sum / float64(f.Rows)
	}
	if x, y := norm(o.Source), norm(o.Target); math.Abs(r.Map.SourceResidual-x) > 1e-12*x || math.Abs(r.Map.Scales.Residual-y) > 1e-12*y {
		t.Errorf("residuals of %g and %g, want %g and %g", r.Map.SourceResidual, r.Map.Scales.Residual, x, y)
	}
}

// TestFitTellsEverythingAtOnce: what is wrong with flags, files and settings, and what is not there.
func TestFitTellsEverythingAtOnce(t *testing.T) {
	x, y := rowsFile("x.npy"), rowsFile("y.npy")
	short := filepath.Join(t.TempDir(), "two.txt")
	if err := os.WriteFile(short, []byte(strings.Repeat("a\nb\n", 30)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    FitOptions
		is   error
		want []string
	}{
		{FitOptions{Source: "nowhere.npy", Target: "none.npy"}, ErrMissing, []string{"-source nowhere.npy: no such file", "-target none.npy: no such file"}},
		{FitOptions{Source: "nowhere.npy", Target: rowsFile("make.py"), Set: []string{"folds=1"}}, ErrConfig,
			[]string{"-source nowhere.npy: no such file", "make.py: it is neither", "folds: 1; want 2 to 100"}},
		{FitOptions{Source: x, Target: y, Set: []string{"alpha_values=[1]", "fold=3", "folds=1"}}, ErrConfig,
			[]string{"-set alpha_values=[1]: no key of fit; there are lambda_values, lambda_unit, folds, fit.method, fit.centre, fit.rank, seed", "-set fold=3", "folds: 1; want 2 to 100"}},
		{FitOptions{Source: x, Target: y, Set: []string{"fit.method=lasso", "lambda_values=[-1]", "lambda_unit=miles", "fit.rank=3"}}, ErrConfig,
			[]string{"fit.method: \"lasso\"", "lambda_values: -1", "lambda_unit: \"miles\"", "fit.rank"}},
		{FitOptions{Source: x, Target: y, Set: []string{"folds=many"}}, ErrConfig, []string{"folds"}},
		{FitOptions{Source: x, Target: y, Set: []string{"fit=ridge"}}, ErrConfig, []string{"fit"}},
		{FitOptions{Source: x, Target: y, Set: []string{"folds=61"}}, ErrConfig, []string{"has 60 rows, fewer than the 61 folds"}},
		{FitOptions{Source: x, Target: rowsFile("parts.safetensors:h.0"), Groups: rowsFile("x.npy")}, ErrConfig,
			[]string{"has 60 rows, -target", "has 10; row i of both must be a pair", "x.npy: values of type F32; want integers"}},
		{FitOptions{Source: x, Target: y, Groups: short}, ErrConfig, []string{"2 groups for 5 folds", "-set folds=N asks for fewer"}},
		{FitOptions{Source: x, Target: y, Groups: "nowhere.txt"}, ErrMissing, []string{"-groups nowhere.txt: no such file"}},
	} {
		if c.o.Layers == (Layers{}) {
			c.o.Layers = Layers{-1, -1}
		}
		_, err := FitFiles(t.Context(), c.o)
		if !errors.Is(err, c.is) {
			t.Errorf("%+v: %v, want %v", c.o, err, c.is)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", c.o, err, want)
			}
		}
	}
}

// own writes activations of this program: three rows a document.
func own(t *testing.T, layer int, end int32, values func(i, j int) float32) string {
	t.Helper()
	a := &artifacts.Activations{Meta: artifacts.Meta{Model: "m", ModelDigest: "d", Layer: layer, Positions: "last", Hidden: 2}, Dim: 2}
	for i := range 30 {
		a.Document, a.Token = append(a.Document, string(rune('a'+i/3))), append(a.Token, "x")
		a.Text, a.End, a.Fold = append(a.Text, int32(i)), append(a.End, end), append(a.Fold, int32(i/3))
		a.Residual = append(a.Residual, values(i, 0), values(i, 1))
	}
	path := filepath.Join(t.TempDir(), "own.arrow")
	var b bytes.Buffer
	if err := a.Encode(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestActivationsOfThisProgramSayWhatTheyAre: their documents are the groups, their places must agree, and the
// map knows their models and layers.
func TestActivationsOfThisProgramSayWhatTheyAre(t *testing.T) {
	f := func(i, j int) float32 { return float32(math.Sin(float64(i*(j+2)) + float64(j))) }
	x, y, other := own(t, 3, 7, f), own(t, 5, 7, f), own(t, 5, 8, f)
	r, err := FitFiles(t.Context(), FitOptions{Source: x, Target: y, Layers: Layers{-1, -1}})
	if err != nil || r.Folding != "whole documents of -source" || len(r.Notes) != 0 || r.Map.Source.Layer != 3 || r.Map.Target.Layer != 5 || r.Map.Target.ModelDigest != "d" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := FitFiles(t.Context(), FitOptions{Source: x, Target: other, Layers: Layers{-1, -1}}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "no pair") {
		t.Errorf("other places: %v", err)
	}
	if _, err := FitFiles(t.Context(), FitOptions{Source: x, Target: y, Layers: Layers{4, -1}}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "-source_layer 4") || !strings.Contains(err.Error(), "says that it is layer 3") {
		t.Errorf("another layer: %v", err)
	}
}

// TestFitMakesTheSameBytes on one core as on all, and again.
func TestFitMakesTheSameBytes(t *testing.T) {
	made := func() []byte {
		r, err := FitFiles(t.Context(), FitOptions{Source: rowsFile("x.npy"), Target: rowsFile("y.npy"), Groups: rowsFile("groups.json"), Layers: Layers{-1, -1}})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := errors.Join(Exported{Map: &r.Map}.Write(&b, "safetensors"), r.WriteJSON(&b)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := made()
	if !slices.Equal(first, made()) {
		t.Error("a second fit differs")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if !slices.Equal(first, made()) {
		t.Error("a fit on one core differs")
	}
}
