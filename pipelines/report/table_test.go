package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

var update = flag.Bool("golden", false, "write the golden files") // Beam has a flag -update

// invented is a report of numbers that were made up: ridge near the oracle, a control without
// effect, one persona whose scorer is unknown if blind.
func invented(t testing.TB, blind bool) []byte {
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
					if condition == "shuffled_pairs" {
						r.Draw = prompt
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
	o.Null = []string{"random_direction", "shuffled_pairs"}
	o.Resamples, o.AUROC = 400, map[string]float64{"angry": .97, "silly": .95}
	apart := trial.Separation{AUROC: trial.Estimate{Value: .98, Low: .95, High: 1, N: 120}, DPrime: trial.Estimate{Value: 3.1, Low: 2.6, High: 3.6, N: 120}}
	o.Separation = map[string]trial.Separation{"angry": apart, "silly": apart}
	if blind {
		delete(o.AUROC, "silly")
	}
	e, err := trial.Evaluate(rows, o)
	if err != nil {
		t.Fatal(err)
	}
	r := transforms.Report{Evaluation: e, Measures: inventedMeasures(), LeftOut: map[string]int{"no tokens": 2, "a reason before it": 11},
		Experiment: transforms.Facts{SourceModel: "tiny:qwen2", TargetModel: "tiny:llama", SourceLayer: 1, TargetLayer: 2, Positions: "last", Pairs: 5000, Alphas: []float64{.5, 1.5}, AlphaUnit: "residual", Generations: 360},
		Fit: transforms.FitReport{Method: "ridge", Lambda: .01, LambdaAbsolute: 3, DegreesOfFreedom: 81.4, Pairs: 5000, Warnings: []string{"a note about the fit"},
			LearningCurve: []linear.CurvePoint{{N: 400, Held: linear.Goodness{R2: .52}}, {N: 4000, Held: linear.Goodness{R2: .7}}},
			CV:            &linear.CV{Penalties: []linear.PenaltyFit{{Lambda: .001, R2: .6}, {Lambda: .01, R2: .71, R2Standardised: .66, R2Median: .69}}}},
		Calibration: []transforms.CalibrationReport{
			{Persona: "angry", Texts: 5000, Resembling: 519, Pairs: 5000, PairsResembling: 519, Share: .1038, Threshold: .06},
			{Persona: "silly", Texts: 5000, Pairs: 5000, Share: trial.Number(math.NaN()), Threshold: trial.Number(math.NaN()), Warnings: []string{"a note about its texts"}}},
		Vectors: []transforms.VectorReport{
			inventedVector("angry", .91, .42), inventedVector("silly", .87, .88)}}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inventedVector is of a cosine and its floor: 0.87 of silly is no more than that.
func inventedVector(persona string, cosine, high trial.Number) transforms.VectorReport {
	whole := trial.Floor{Mean: high - .2, Low: high - .5, High: high, Permutations: 200}
	without := trial.Floor{Mean: high - .3, Low: high - .6, High: high - .1, Permutations: 200}
	return transforms.VectorReport{Persona: persona, Condition: "ridge", Cosine: []trial.Number{cosine}, CosineWithout: []trial.Number{cosine - .1}, Floor: &whole, FloorWithout: &without,
		SourceReliability: trial.Reliability{Halves: .6, Whole: .75, Splits: 100}, TargetReliability: trial.Reliability{Halves: .25, Whole: .4, Splits: 100},
		Norm: []float64{3}, Scales: artifacts.Scales{Residual: 40, Spread: 10, Native: 4}}
}

// texts are what an invented report is about: a text that would retitle a terminal and reverse the
// line, one that is long, one that collapsed; and texts of other alphas, which are not judged.
func texts() (all []artifacts.Sample) {
	for _, persona := range []string{"angry", "silly"} {
		for _, condition := range []string{"none", "ridge", "oracle", "zero_pad"} {
			for _, alpha := range []float64{1.5, .5} {
				for prompt := range int32(2) {
					for seed := range uint64(2) {
						t := artifacts.Sample{Persona: persona, Condition: condition, Alpha: alpha, Prompt: prompt, Seed: seed + 42,
							PromptText: "The boat " + strings.Repeat("of the old man ", int(prompt)*9), Text: fmt.Sprintf(" %s alpha %g seed %d", condition, alpha, seed+42)}
						t.Measures.Add("probe", "trait", 1+alpha)
						switch condition {
						case "none":
							t.Alpha = 0
							t.Text = " a\x1b]0;title\a \u202eline\nand 日本語"
						case "oracle":
							t.Text += strings.Repeat("\x1b", 100)
							t.Collapse = []string{"repetition: 9 times"}
						}
						all = append(all, t)
					}
				}
			}
		}
	}
	return all
}

// TestExamplesAreOfOnePromptAndSeed looks at what is shown beside what there is: no other alpha, no
// other seed, nothing that moves the cursor, no line that does not end.
func TestExamplesAreOfOnePromptAndSeed(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, invented(t, false), texts(), 0); err != nil {
		t.Fatal(err)
	}
	_, shown, ok := strings.Cut(out.String(), "\npersona angry, prompt \"The boat \", seed 42, cut:\n")
	if !ok {
		t.Fatalf("no texts of angry:\n%s", &out)
	}
	for _, want := range []string{`  none                   " a\x1b]0;title\a \u202eline\nand 日本語"`, `  ridge 0.5              " ridge alpha 0.5 seed 42"`, `  oracle 0.5, collapsed  " oracle alpha 0.5 seed 42\x1b`} {
		if !strings.Contains(shown, want) {
			t.Errorf("the texts lack %q:\n%s", want, shown)
		}
	}
	for _, not := range []string{"alpha 1.5", "seed 43", "zero_pad", "\x1b", "\u202e"} {
		if strings.Contains(shown, not) {
			t.Errorf("the texts hold %q:\n%s", not, shown)
		}
	}
	if !strings.Contains(shown, "\npersona silly, prompt \"The boat of the old man") {
		t.Errorf("the second persona is not shown with the second prompt:\n%s", shown)
	}
	for line := range strings.Lines(shown) {
		if n := utf8.RuneCountInString(line); n > 130 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
}

// TestTable compares the tables of invented reports with what they looked like when a person last
// read them.
func TestTable(t *testing.T) {
	for name, blind := range map[string]bool{"table": false, "missing": true} {
		var out bytes.Buffer
		if err := Table(&out, invented(t, blind), texts(), 0); err != nil {
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

// TestWordsOfNumbers: a bound that decides is named, and nothing is said of an interval that is not there.
func TestWordsOfNumbers(t *testing.T) {
	nan := trial.Number(math.NaN())
	gap := trial.Estimate{Value: nan, Low: nan, High: nan}
	g := trial.Group{Verdict: trial.Verdict{Criteria: []trial.Criterion{
		{Name: "trait", Want: "above 2.5", Got: 2.62, Interval: [2]trial.Number{2.41, 2.83}},
		{Name: "collapse", Want: "below 0.3", Got: .25, Interval: [2]trial.Number{.2, .34}},
		{Name: "more", Want: "above 0", Got: .33, Interval: [2]trial.Number{-.06, .59}, MorePrompts: 7},
		{Name: "met", Want: "above 1", Got: 2, Interval: [2]trial.Number{1.5, 2.5}, Pass: true},
		{Name: "auroc", Want: "at least 0.9", Got: .8, Interval: [2]trial.Number{nan, nan}},
	}}, Conditions: []trial.ConditionReport{
		{Condition: "ridge", Role: trial.RoleMapped, Trait: trial.Estimate{Value: 3, Low: nan, High: nan}, Coherence: gap, Collapse: gap},
		{Condition: "blind", Trait: gap, Coherence: gap, Collapse: trial.Estimate{Value: .5, Low: .25, High: .75}, MappedMinusThis: &trial.Differences{Trait: gap}},
		{Condition: "even", Trait: gap, Coherence: gap, Collapse: gap, MappedMinusThis: &trial.Differences{Trait: trial.Estimate{Value: .1, Low: -1, High: 1}}},
	}}
	var out bytes.Buffer
	p := &printer{w: &out}
	p.group("title", g)
	p.verdict(g)
	for _, want := range []string{
		"NOT MET  trait: want above 2.5, got 2.62 [2.41, 2.83], whose interval begins at 2.41\n",
		"NOT MET  collapse: want below 0.3, got 0.25 [0.20, 0.34], whose interval ends at 0.34\n",
		"NOT MET  more: want above 0, got 0.33 [-0.06, 0.59], whose interval begins at -0.06; about 7 more prompts would narrow it enough\n",
		"met      met: want above 1, got 2.00 [1.50, 2.50]\n", "NOT MET  auroc: want at least 0.9, got 0.80\n",
		"  ridge      3.00     missing    missing\n", "  blind      missing  missing    50 [25, 75]%  missing\n", "+0.10 [-1.00, +1.00] ~\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
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
	stage := func(name string, units int) transforms.Stage {
		return transforms.Stage{Name: name, ID: name, Units: units}
	}
	plan := &pipelines.Plan{Steps: []pipelines.Step{
		{Stage: stage("pairs", 1), State: pipelines.Hit, Key: cache.ActionKey{1}},
		{Stage: stage("gram", 10), State: pipelines.Unneeded},
		{Stage: stage("fit", 1), State: pipelines.Run, Why: []string{"lambda_values: [1] → [2]"}},
		{Stage: stage("vectors", 1), State: pipelines.Open, Why: []string{"fit comes first"}},
	}}
	costs := pipelines.Costs{"fit": {{Pace: "algebra", Seconds: 8.24}}, "vectors": {{Pace: "algebra", Seconds: 200}}}
	var out bytes.Buffer
	if err := Plan(&out, []pipelines.Fact{{Name: "source", Value: "a model"}, {Name: "map", Value: "96 → 128"}}, plan, costs, 0); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan", out.Bytes())
	out.Reset()
	if err := PlanJSON(&out, []pipelines.Fact{{Name: "source", Value: "a model"}, {Name: "note", Value: "one"}, {Name: "note", Value: "another"}}, plan, costs); err != nil {
		t.Fatal(err)
	}
	golden(t, "planjson", out.Bytes())
	out.Reset()
	if err := Plan(&out, nil, &pipelines.Plan{Steps: plan.Steps[:1]}, nil, 0); err != nil || !strings.HasSuffix(out.String(), "\nnothing has to be done\n") {
		t.Errorf("a plan of hits ends with %q (%v)", out.String(), err)
	}
}

// A full is a disk without room.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestWriteErrorsComeOut prints to a full disk.
func TestWriteErrorsComeOut(t *testing.T) {
	if err := Table(full{}, invented(t, false), nil, 0); !errors.Is(err, errFull) {
		t.Errorf("table on a full disk: %v", err)
	}
	if err := Plan(full{}, nil, &pipelines.Plan{}, nil, 0); !errors.Is(err, errFull) {
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
		if err := Table(&out, b, texts(), 0); err != nil && out.Len() > 0 {
			t.Errorf("an error (%v) and a table", err)
		}
	})
}
