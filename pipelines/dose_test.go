package pipelines

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// openTiny opens the embedded target.
func openTiny(t *testing.T) *Model {
	t.Helper()
	m, err := OpenModel(t.Context(), "tiny:llama", onCPU)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// vectorFile writes the vector (3, 4, 0, …) of block 2, with what alpha 1 is in each unit if scales says.
func vectorFile(t *testing.T, m *Model, scales artifacts.Scales) string {
	t.Helper()
	values := make([]float32, m.decoder.Config().Hidden)
	values[0], values[1] = 3, 4
	path := filepath.Join(t.TempDir(), "vector.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := export.Vector{Meta: artifacts.Meta{Layer: 2, Hidden: len(values)}, Row: artifacts.Vector{Persona: "silly", Condition: "ridge", Norm: 5, Values: values}, Scales: scales}
	if err := export.WriteVector(f, export.JSON, v); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPushIsTheDose works out what probe and steer add: in every unit but absolute the vector's direction
// times alpha and the unit, whatever the vector's length.
func TestPushIsTheDose(t *testing.T) {
	m := openTiny(t)
	scaled := vectorFile(t, m, artifacts.Scales{Residual: 10, Spread: 20, Native: 2.5})
	bare := vectorFile(t, m, artifacts.Scales{})
	for _, c := range []struct {
		file  string
		unit  string
		alpha float64
		want  []float32
	}{
		{scaled, "residual", .5, []float32{3, 4}}, {scaled, "spread", .5, []float32{6, 8}}, {scaled, "native", 4, []float32{6, 8}},
		{scaled, "residual", -1, []float32{-6, -8}}, {scaled, "absolute", 2, []float32{6, 8}}, {scaled, "absolute", -1, []float32{-3, -4}},
		{bare, "residual", .5, []float32{1.5, 2}}, // 5 is measured
		{bare, "absolute", 2, []float32{6, 8}},
	} {
		list, err := m.pushes(Steering{File: c.file, Layer: -1, Alpha: c.alpha, Unit: c.unit}, func(layer int) (float64, error) {
			if layer != 2 {
				t.Errorf("the residual is measured at block %d, want 2", layer)
			}
			return 5, nil
		})
		if err != nil || len(list) != 1 {
			t.Fatalf("alpha %g %s: %d pushes (%v), want 1", c.alpha, c.unit, len(list), err)
		}
		p := list[0]
		if p.Site.Layer != 2 || !slices.Equal(p.Vector[:2], c.want) || linear.Norm(p.Vector[2:]) != 0 {
			t.Errorf("alpha %g %s: %v after block %d, want %v after block 2", c.alpha, c.unit, p.Vector[:2], p.Site.Layer, c.want)
		}
	}
	for _, unit := range []string{"spread", "native", "furlong"} {
		if _, err := m.pushes(Steering{File: bare, Layer: -1, Alpha: 1, Unit: unit}, func(int) (float64, error) { return 5, nil }); err == nil {
			t.Errorf("%s of a file that does not say what it is: accepted", unit)
		}
	}
}

// TestMeasuredResidual is the mean length of the residuals at the texts' last tokens.
func TestMeasuredResidual(t *testing.T) {
	m := openTiny(t)
	_, tokens, last, err := m.read([]string{"The old boat", "A dog sings in the ward"})
	if err != nil {
		t.Fatal(err)
	}
	norm := func(i int) float64 {
		n, err := m.meanNorm(context.Background(), tokens[i:i+1], last[i:i+1], 1)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	probes, err := m.Probe(t.Context(), ProbeOptions{Texts: []string{"The old boat"}, Layers: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	both, err := m.meanNorm(t.Context(), tokens, last, 1)
	// Texts read together and alone differ by rounding: 10⁻⁵ is a hundred roundings of float32.
	if want := (norm(0) + norm(1)) / 2; err != nil || math.Abs(both-want) > 1e-5*want || math.Abs(probes[0].Norms[0]-norm(0)) > 1e-5*want {
		t.Errorf("mean %g (%v), probe says %g; want %g, the mean of %g and %g", both, err, probes[0].Norms[0], want, norm(0), norm(1))
	}
}

// TestStagesReadInTheOrderOfTheirKind: what a stage reads, and in which order, is part of its key.
func TestStagesReadInTheOrderOfTheirKind(t *testing.T) {
	want := map[string][]string{
		"pairs": nil, "capture.source": {"pairs"}, "capture.target": {"pairs"}, "gram": {"capture.source", "capture.target"}, "fit": {"gram", "capture.source", "capture.target"},
		"personas.source": nil, "personas.target": nil, "vectors": {"fit", "personas.source", "personas.target", "capture.source", "capture.target", "fit.held_out", "gram"},
		"cosines":     {"fit", "personas.source", "personas.target", "fit.held_out"},
		"resemblance": {"pairs", "trait"}, "fit.held_out": {"capture.source", "capture.target", "resemblance", "fit", "gram"},
		"trait": nil, "anchors": nil, "anchors.score": {"anchors"}, "yardstick": {"anchors", "anchors.score", "trait"}, "gate": {"yardstick"},
		"probe.fit": nil, "anchors.probe": {"anchors", "probe.fit"}, "probe": {"generate", "probe.fit"},
		"generate": {"vectors"}, "score": {"generate"}, "evaluate": {"yardstick", "generate", "score", "trait", "vectors", "fit", "pairs", "resemblance", "cosines", "probe.fit", "anchors.probe", "probe"},
	}
	stages := laid(t, parsed(t, everything(), nil)).stages
	for _, s := range stages {
		if inputs, ok := want[s.Name]; !ok || !slices.Equal(s.Inputs, inputs) {
			t.Errorf("%s reads %v, want %v", s.Name, s.Inputs, inputs)
		}
		if waits := s.Name == "generate" || s.Kind == "capture" || s.Name == "probe.fit"; waits != (s.After == "gate") || !waits && s.After != "" {
			t.Errorf("%s waits for %q; generation, capture and the probes, and nothing else, wait for the gate", s.Name, s.After)
		}
	}
	if len(stages) != len(want) {
		t.Errorf("%d stages, want %d", len(stages), len(want))
	}
}

// TestSpeechIsSteeredByTheMeasuredDose: a session adds alpha times the prompt's own residual where the file
// says nothing, so the text of alpha .5 is that of an absolute dose of half that length.
func TestSpeechIsSteeredByTheMeasuredDose(t *testing.T) {
	m := openTiny(t)
	file := vectorFile(t, m, artifacts.Scales{})
	const prompt = "The old boat"
	_, tokens, last, err := m.read([]string{prompt})
	if err != nil {
		t.Fatal(err)
	}
	norm, err := m.meanNorm(t.Context(), tokens, last, 2)
	if err != nil {
		t.Fatal(err)
	}
	speak := func(alpha float64, unit string, steered bool) string {
		s := &Session{Model: m, Steer: Steering{File: file, Layer: -1, Alpha: alpha, Unit: unit}, Sampling: transforms.Sampling{MaxNewTokens: 16}}
		text, err := s.Speak(t.Context(), prompt, steered, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	measured, absolute := speak(2, "residual", true), speak(2*norm/5, "absolute", true)
	if plain := speak(2, "residual", false); measured != absolute || measured == plain {
		t.Errorf("alpha 2 residual says %q, the same length absolute %q, without a vector %q", measured, absolute, plain)
	}
}
