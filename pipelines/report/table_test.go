package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

var update = flag.Bool("golden", false, "write the golden files") // Beam has a flag -update

// invented is a report of numbers that were made up: ridge near the oracle, a control without
// effect, one persona whose scorer is unknown if blind.
func invented(t *testing.T, blind bool) []byte {
	t.Helper()
	effect := map[string]float64{"none": 1, "ridge": 3.6, "oracle": 3.8, "zero_pad": 1.2, "shuffled_pairs": 1.1}
	var rows []trial.Row
	for _, persona := range []string{"angry", "silly"} {
		for condition, trait := range effect {
			for prompt := range 20 {
				for i, alpha := range []float64{.5, 1.5} {
					if condition == "none" && i == 1 {
						continue
					}
					r := trial.Row{Condition: condition, Persona: persona, Alpha: alpha, Prompt: prompt, Tokens: 20, Coherence: 4.5 - .1*float64(prompt%3), Perplexity: 9,
						Trait: trait + .2*float64(prompt%5) - .4, Collapsed: i == 1 && prompt%2 == 0}
					if condition == "none" {
						r.Alpha = 0
					}
					if blind && persona == "silly" {
						r.Trait = math.NaN()
					}
					rows = append(rows, r)
				}
			}
		}
	}
	o := trial.DefaultOptions()
	o.Controls = []string{"zero_pad", "interpolation", "random_projection", "random_direction", "shuffled_pairs"}
	o.Resamples, o.AUROC = 400, map[string]float64{"angry": .97, "silly": .95}
	if blind {
		delete(o.AUROC, "silly")
	}
	e, err := trial.Evaluate(rows, o)
	if err != nil {
		t.Fatal(err)
	}
	r := transforms.Report{Evaluation: e, LeftOut: map[string]int{"no tokens": 2, "a reason before it": 11},
		Experiment: transforms.Facts{SourceModel: "tiny:qwen2", TargetModel: "tiny:llama", SourceLayer: 1, TargetLayer: 2, Positions: "last", Pairs: 5000, Alphas: []float64{.5, 1.5}, AlphaUnit: "residual", Generations: 360},
		Fit: transforms.FitReport{Method: "ridge", Lambda: .01, LambdaAbsolute: 3, DegreesOfFreedom: 81.4, Pairs: 5000, Warnings: []string{"a note about the fit"},
			LearningCurve: []linear.CurvePoint{{N: 400, Held: linear.Score{R2: .52}}, {N: 4000, Held: linear.Score{R2: .7}}},
			CV:            &linear.CV{Scores: []linear.LambdaScore{{Lambda: .001, R2: .6}, {Lambda: .01, R2: .71, R2Standardised: .66, R2Median: .69}}}},
		Vectors: []transforms.VectorReport{
			{Persona: "angry", Condition: "ridge", Cosine: []trial.Number{.91}, Norm: []float64{3}, Scales: transforms.Scales{Residual: 40, Spread: 10, Native: 4}},
			{Persona: "silly", Condition: "ridge", Cosine: []trial.Number{.87}, Norm: []float64{3}, Scales: transforms.Scales{Residual: 40, Spread: 10, Native: 4}}}}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTable compares the tables of invented reports with what they looked like when a person last
// read them.
func TestTable(t *testing.T) {
	for name, blind := range map[string]bool{"table": false, "missing": true} {
		var out bytes.Buffer
		if err := Table(&out, invented(t, blind)); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
		for i, line := range strings.Split(out.String(), "\n") {
			if strings.TrimRight(line, " \t") != line {
				t.Errorf("%s: line %d ends in spaces: %q", name, i+1, line)
			}
		}
		for _, word := range []string{"NaN", "%!", "map["} {
			if strings.Contains(out.String(), word) {
				t.Errorf("%s: the table says %q\n%s", name, word, &out)
			}
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is now (-golden accepts it)\n%s", path, got)
	}
}

// TestLengthsFollowTheUnit looks at the column of absolute lengths.
func TestLengthsFollowTheUnit(t *testing.T) {
	var r transforms.Report
	if err := json.Unmarshal(invented(t, false), &r); err != nil {
		t.Fatal(err)
	}
	for unit, want := range map[string]string{"residual": "20", "spread": "5", "native": "by vector", "absolute": "by vector"} {
		r.Experiment.AlphaUnit = unit
		if got := length(r, .5); got != want {
			t.Errorf("alpha 0.5 in unit %s: %q, want %q", unit, got, want)
		}
	}
}

// TestPlan prints a plan with a stage in every state.
func TestPlan(t *testing.T) {
	stage := func(name string, units int) transforms.Stage { return transforms.Stage{Name: name, Units: units} }
	plan := &pipelines.Plan{Steps: []pipelines.Step{
		{Stage: stage("pairs", 1), State: pipelines.Hit, Key: cache.ActionKey{1}},
		{Stage: stage("gram", 10), State: pipelines.Unneeded},
		{Stage: stage("fit", 1), State: pipelines.Run, Why: []string{"lambda_values: [1] → [2]"}},
		{Stage: stage("vectors", 1), State: pipelines.Open, Why: []string{"fit comes first"}},
	}}
	var out bytes.Buffer
	if err := Plan(&out, []pipelines.Fact{{Name: "source", Value: "a model"}, {Name: "map", Value: "96 → 128"}}, plan); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan", out.Bytes())
	out.Reset()
	if err := PlanJSON(&out, []pipelines.Fact{{Name: "source", Value: "a model"}}, plan); err != nil {
		t.Fatal(err)
	}
	golden(t, "planjson", out.Bytes())
	out.Reset()
	if err := Plan(&out, nil, &pipelines.Plan{Steps: plan.Steps[:1]}); err != nil || !strings.HasSuffix(out.String(), "\nnothing has to be done\n") {
		t.Errorf("a plan of hits ends with %q (%v)", out.String(), err)
	}
}

// A full is a disk without room.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestWriteErrorsComeOut prints to a full disk.
func TestWriteErrorsComeOut(t *testing.T) {
	if err := Table(full{}, invented(t, false)); !errors.Is(err, errFull) {
		t.Errorf("table on a full disk: %v", err)
	}
	if err := Plan(full{}, nil, &pipelines.Plan{}); !errors.Is(err, errFull) {
		t.Errorf("plan on a full disk: %v", err)
	}
}

// FuzzTable looks for reports that make it panic.
func FuzzTable(f *testing.F) {
	for _, text := range []string{``, `{}`, `null`, `{"fit":{"cross_validation":{}},"evaluation":{}}`, `{"fit":{"cross_validation":{}},"evaluation":{"personas":[{"persona":"a"}],"scorers":[]}}`,
		`{"fit":{"cross_validation":{}},"evaluation":{"pooled":{"conditions":[{"role":"mapped","by_alpha":[{"alpha":1}]},{"role":"oracle"}]}}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		if err := Table(&out, b); err != nil && out.Len() > 0 {
			t.Errorf("an error (%v) and a table", err)
		}
	})
}
