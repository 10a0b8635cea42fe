package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

const referenceFolder = "testdata/reference"

// A fixture is what an implementation of the method in Python makes of the experiment in
// testdata/reference: reference.py says what each number is, one function a stage.
type fixture struct {
	Pairs []struct {
		Text int     `json:"text"` // line of calibration.jsonl
		Ends []int32 `json:"ends"` // in characters
		Fold int     `json:"fold"`
	} `json:"pairs"`

	// Calibration says how much of it resembles each persona.
	Calibration map[string]transforms.CalibrationReport `json:"calibration"`

	CV               []map[string]float64 `json:"cross_validation"`
	Lambda           float64              `json:"lambda"`
	OneStandardError float64              `json:"one_standard_error"`
	LambdaAbsolute   float64              `json:"lambda_absolute"`
	DegreesOfFreedom float64              `json:"degrees_of_freedom"`
	LearningCurve    []map[string]float64 `json:"learning_curve"`
	Spectrum         []float64            `json:"spectrum"`
	LargestVariance  []int                `json:"largest_variance"`

	Scales  map[string]map[string]float64      `json:"scales"`
	Cosines map[string]map[string][][2]float64 `json:"cosines"` // persona, condition, draw: whole and without the largest

	Reliability map[string][2][2]float64            `json:"reliability"` // persona; source and target: of halves and of the whole
	Floors      map[string]map[string][2][3]float64 `json:"floors"`      // persona, condition; whole and without the largest: mean, 5 and 95 %

	LeastMargin float64           `json:"least_margin"`
	Anchors     []referenceAnchor `json:"anchors"`
	Rows        []referenceRow    `json:"rows"`
	Zero        struct {
		NLL       float64            `json:"nll_median"`
		Order     float64            `json:"order_median"`
		EndShare  float64            `json:"end_share"`
		Unsteered map[string]float64 `json:"unsteered_logit"`
		Positive  map[string]float64 `json:"positive_logit"`
		AUROC     map[string]float64 `json:"auroc"`
		// Separation has d' with its lower and its upper bound.
		Separation map[string]struct {
			AUROC  float64    `json:"auroc"`
			DPrime [3]float64 `json:"d_prime"`
		} `json:"separation"`
	} `json:"zero"`
	// Probe is what a probe of the source says, by persona.
	Probe map[string]struct {
		Unsteered  float64 `json:"unsteered_logit"`
		Positive   float64 `json:"positive_logit"`
		Weight     float64 `json:"weight"` // the length of its weights, over standardised dimensions
		Separation struct {
			AUROC  float64    `json:"auroc"`
			DPrime [3]float64 `json:"d_prime"`
		} `json:"separation"`
		Traits []trial.Number `json:"traits"` // of the rows, in their order; missing where a row is not of the persona
	} `json:"probe"`
	Pooled   referenceGroup   `json:"pooled"`
	Personas []referenceGroup `json:"personas"`

	tensors *safetensors.File
}

// tensor returns an array of fixture.safetensors.
func (f *fixture) tensor(t *testing.T, name string) []float32 {
	t.Helper()
	v, err := f.tensors.Float32(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func readFixture(t *testing.T) *fixture {
	t.Helper()
	f := new(fixture)
	text, err := os.ReadFile(filepath.Join(referenceFolder, "fixture.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, f); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(referenceFolder, "fixture.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if f.tensors, err = safetensors.Read(bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	return f
}

// A referenceRun is the program's run of the same experiment beside the fixture.
type referenceRun struct {
	*Experiment
	dir     string
	store   cache.Store
	outcome outcome
	want    *fixture
}

// TestEveryStageEqualsTheReference runs the program on the inputs of testdata/reference and compares
// stage after stage with what an independent implementation of the method computed: the first stage
// that differs is named, and what follows from it is not compared.
//
// With -short the run is stopped before texts are generated.
func TestEveryStageEqualsTheReference(t *testing.T) {
	c, err := LoadConfig(t.Context(), filepath.Join(referenceFolder, "config.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewExperiment(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	r := &referenceRun{Experiment: e, dir: t.TempDir(), want: readFixture(t)}
	stages := []struct {
		name    string
		compare func(*testing.T)
		long    bool
	}{
		{"pairs", r.comparePairs, false},
		{"residuals", r.compareResiduals, false},
		{"cross-validation", r.compareCrossValidation, false},
		{"map", r.compareMap, false},
		{"resemblance", r.compareResemblance, false},
		{"held-out maps", r.compareHeldOutMaps, false},
		{"persona vectors", r.comparePersonas, false},
		{"scales", r.compareScales, false},
		{"condition vectors", r.compareVectors, false},
		{"doses", r.compareDoses, false},
		{"trait scorers", r.compareScorers, false},
		{"anchors", r.compareAnchors, true},
		{"steered texts", r.compareTexts, true},
		{"likelihoods", r.compareLikelihoods, true},
		{"zero of the scores", r.compareZero, true},
		{"flags and scores", r.compareScores, true},
		{"cosines", r.compareCosines, true},
		{"probe", r.compareProbe, true},
		{"evaluation", r.compareEvaluation, true},
	}
	r.run(t)
	for _, s := range stages {
		if s.long && testing.Short() {
			continue
		}
		if !t.Run(s.name, s.compare) {
			t.Fatalf("the first stage that differs from the reference is %q; what follows from it is not compared", s.name)
		}
	}
}

// run runs the experiment, with -short only as far as the vectors and the trait scorers.
func (r *referenceRun) run(t *testing.T) {
	waiting := map[string]bool{"vectors": true, "trait": true, "resemblance": true}
	r.outcome = r.runIn(t, r.dir, func(ev Event, cancel context.CancelFunc) {
		if ev.Unit < 0 && ev.Ends() {
			delete(waiting, ev.Stage)
		}
		if len(waiting) == 0 && testing.Short() {
			cancel()
		}
	})
	if err := r.outcome.err; err != nil && !(testing.Short() && errors.Is(err, context.Canceled)) {
		t.Fatalf("run: %v", err)
	}
	r.store = open(t, r.dir)
}

// outputs lists what a stage stored, of one kind.
func (r *referenceRun) outputs(t *testing.T, stage, kind string) []cache.Output {
	t.Helper()
	all := r.step(t, r.dir, stage).Manifest
	return slices.DeleteFunc(slices.Clone(all), func(o cache.Output) bool { return o.Kind != kind })
}

// fetch decodes an output.
func fetch[T any](t *testing.T, s cache.Store, o cache.Output, decode func(io.Reader) (T, error)) T {
	t.Helper()
	v, err := artifacts.Fetch(t.Context(), s, o.Digest, decode)
	if err != nil {
		t.Fatalf("%s: %v", o.Name, err)
	}
	return v
}

// fetchJSON reads an output that is JSON.
func fetchJSON(t *testing.T, s cache.Store, o cache.Output, into any) {
	t.Helper()
	b, err := s.Read(t.Context(), o.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", o.Name, err)
	}
}

// near compares two numbers. A number that is missing equals only one that is missing too.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) && math.IsNaN(want) {
		return
	}
	if d := math.Abs(got - want); !(d <= tolerance) {
		t.Errorf("%s: %.9g, want %.9g (off by %.2g, allowed %.2g)", what, got, want, d, tolerance)
	}
}

// nearVector compares two vectors by the length of their difference.
func nearVector(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	near(t, what+", length of the difference", apart(got, want), 0, tolerance)
}

func apart(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// length returns ‖v‖.
func length(v []float32) float64 { return apart(v, make([]float32, len(v))) }
