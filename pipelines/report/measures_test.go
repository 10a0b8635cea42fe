package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// inventedMeasures are those of an invented report: a probe that tells something of one persona, and a judge that
// answered in part.
func inventedMeasures() []transforms.MeasureReport {
	e := func(value, low, high float64, n int) trial.Estimate {
		return trial.Estimate{Value: trial.Number(value), Low: trial.Number(low), High: trial.Number(high), N: n}
	}
	none := trial.Estimate{Value: missing, Low: missing, High: missing}
	groups := []transforms.MeasuredGroup{{Persona: "angry", Condition: "none", Trait: 1.2, Coherence: missing, Texts: 20}, {Persona: "angry", Condition: "ridge", Alpha: .5, Trait: 3.1, Coherence: missing, Texts: 20}}
	return []transforms.MeasureReport{
		{Name: "probe", What: "a linear probe on the mean activation of tiny:qwen2, unsteered, after block 1, over the text alone", Scores: 349, Missing: map[string]int{"the text has no token behind its first": 11},
			Scales: []transforms.TraitScale{
				{Persona: "angry", Unsteered: -1, Positive: 3, AUROC: .99, Separation: trial.Separation{AUROC: e(.98, .95, 1, 120), DPrime: e(3.1, 2.6, 3.6, 120)}},
				{Persona: "silly", Unsteered: -1, Positive: 0, AUROC: .7, Separation: trial.Separation{AUROC: e(.7, .6, .8, 120), DPrime: e(.8, .4, 1.2, 120)}},
				{Persona: "few", Unsteered: missing, Positive: missing, AUROC: missing, Separation: trial.Separation{AUROC: none, DPrime: none}, Missing: "no probe, which needs more"}},
			Groups: groups, Agreement: []transforms.MeasuredAgreement{{Measure: "trait", Texts: transforms.AllTexts, Agreement: trial.Agreement{Kappa: e(.61, .5, .7, 340), Spearman: e(.66, .6, .71, 340)}},
				{Measure: "trait", Texts: "ridge", Agreement: trial.Agreement{Kappa: e(.12, -.1, .3, 80), Spearman: none}}},
			SecondMeasure: trial.SecondMeasure{Means: []trial.MeasureMean{{Condition: "none", Trait: e(1.2, 1.1, 1.3, 40)}, {Condition: "ridge", Trait: e(3.1, 2.9, 3.3, 40)}},
				Contrasts: []trial.Contrast{{Versus: "none", Difference: e(1.9, 1.7, 2.1, 40), Scorer: e(2.6, 2.3, 2.9, 40), Finding: trial.Agrees}, {Persona: "angry", Versus: trial.BestControl, Difference: e(-.2, -.3, -.1, 20), Scorer: e(2.4, 2.1, 2.6, 20), Finding: trial.Contradicts}}},
			Says: "the probe agrees that ridge is above none (+1.90 [1.70, 2.10]); of silly it tells nothing, its d′ being below 2", Warnings: []string{"few: no probe, which needs more"}},
		{Name: "judge", What: "judge-1", Scores: 300, Weighted: 200, Missing: map[string]int{"the judge refuses": 60}, Groups: groups,
			Agreement:     []transforms.MeasuredAgreement{{Measure: "coherence", Texts: transforms.AllTexts, Agreement: trial.Agreement{Kappa: e(.4, .3, .5, 300), Spearman: e(.45, .4, .5, 300)}}},
			SecondMeasure: trial.SecondMeasure{Means: []trial.MeasureMean{{Condition: "none", Trait: none}}, Contrasts: []trial.Contrast{{Versus: "none", Difference: none, Scorer: e(2.6, 2.3, 2.9, 40), Finding: trial.Unknown}}},
			Says:          "the judge cannot compare ridge with none", Warnings: []string{}},
	}
}

// TestMeasuresHaveTheirTables: each measure stands in each by its name, what is missing says so, and what tells
// nothing is said to.
func TestMeasuresHaveTheirTables(t *testing.T) {
	files, err := Files(results(t, texts()))
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, f := range files {
		content[f.Name] = string(f.Content)
	}
	for name, want := range map[string][]string{
		"tables/measures.csv":             {"probe,", "judge,judge-1,300,60: the judge refuses,The judge cannot compare ridge with none."},
		"tables/measures-means.csv":       {"condition,trait scorer,trait scorer low,trait scorer high,probe,probe low,probe high,judge,judge low,judge high", "ridge,3.6"},
		"tables/measures-differences.csv": {"probe,all personas,none,1.9,1.7,2.1,2.6,2.3,2.9,agrees", "probe,angry,best control,-0.2,-0.3,-0.1,2.4,2.1,2.6,contradicts", "judge,all personas,none,,,,2.6,2.3,2.9,missing"},
		"tables/measures-agreement.csv":   {"probe,trait,all,0.61,0.5,0.7,0.66,0.6,0.71,340", "probe,trait,ridge,0.12,-0.1,0.3,,,,80", "judge,coherence,all,"},
		"tables/measures-separation.csv":  {"probe,angry,0.99,,,0.98,0.95,1,3.1,2.6,3.6,something", "0.8,0.4,1.2,nothing", "probe,few,,,,,,,,,,\"no probe, which needs more\""},
		"tables/measures-groups.csv":      {"probe,angry,ridge,0.5,3.1,,20", "judge,angry,none,0,1.2,,20"},
		Page:                              {"t-measures-agreement", "The probe agrees that ridge is above none", "few: no probe, which needs more"},
		"report.md":                       {"The probe agrees that ridge is above none (+1.90 \\[1.70, 2.10\\])"},
	} {
		for _, want := range want {
			if !strings.Contains(content[name], want) {
				t.Errorf("%s lacks %q:\n%.3000s", name, want, content[name])
			}
		}
	}
	if strings.Contains(content[Page], "t-measures-groups") {
		t.Error("the page holds a line for every persona, condition, alpha and measure")
	}
}

// TestMeasuresAreOptional: without any there is no table of them, and their files are removed.
func TestMeasuresAreOptional(t *testing.T) {
	s := results(t, nil)
	s.Report.Measures = nil
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, f := range files {
		if f.Content == nil && strings.Contains(f.Name, "/measures") {
			gone = append(gone, f.Name)
		}
	}
	if len(gone) != 2*len(measureTableNames) {
		t.Errorf("without content: %q", gone)
	}
}

// TestScoresOfMeasuresAreInThePage by their names, missing ones as nothing.
func TestScoresOfMeasuresAreInThePage(t *testing.T) {
	s := results(t, texts()[:3])
	for i := range s.Texts {
		s.Texts[i].Measures = artifacts.Further{}
	}
	s.Texts[1].Measures.Add("probe", "trait", 3.14159)
	s.Texts[2].Measures.Add("judge", "coherence", 2)
	var found []string
	for _, n := range rowsData(s).Numbers {
		values, err := json.Marshal(n.Values)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, n.Name+" "+string(values))
	}
	for _, want := range []string{"judge coherence [null,null,2]", "probe trait [null,3.14,null]"} {
		if !slices.Contains(found, want) {
			t.Errorf("the numbers are %q, want %q among them", found, want)
		}
	}
}

// TestTerminalSaysWhatMeasuresSay in a line each, and how far they agree.
func TestTerminalSaysWhatMeasuresSay(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, invented(t, false), nil, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nmeasure probe, a linear probe on the mean activation of tiny:qwen2, unsteered, after block 1, over the text alone: 349 scores; the probe agrees that ridge is above none (+1.90 [1.70, 2.10]); of silly it tells nothing, its d′ being below 2\n",
		"\n  11 missing: the text has no token behind its first\n", "\n  note: few: no probe, which needs more\n",
		"\n  beside the scorer of trait: weighted kappa 0.61 [0.50, 0.70], Spearman 0.66 [0.60, 0.71], over 340 texts; within ridge 0.12 and missing, over 80\n",
		"\nmeasure judge, judge-1: 300 scores, 200 of them weighted by log-probabilities; the judge cannot compare ridge with none\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the terminal lacks %q:\n%s", want, &out)
		}
	}
}
