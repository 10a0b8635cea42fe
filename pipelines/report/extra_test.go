package report

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// TestWhatIsNewIsShown gives it a report with what no table knows: lists, structs, maps and single values
// become tables, warnings become warnings, and what has its place is not repeated.
func TestWhatIsNewIsShown(t *testing.T) {
	type agreement struct {
		Kappa trial.Estimate `json:"kappa"`
	}
	type judged struct {
		Measure string `json:"measure"`
		agreement
		Agreement2 *trial.Estimate `json:"second_kappa"`
		Warnings   []string        `json:"warnings"`
	}
	type judge struct {
		Model   string         `json:"model"`
		Share   trial.Number   `json:"share"`
		Missing map[string]int `json:"missing"`
		List    []judged       `json:"list"`
	}
	type grown struct {
		Known       string    `json:"known"`
		Null        []float64 `json:"null_spread"`
		Judge       *judge    `json:"judge,omitempty"`
		Nobody      *judge    `json:"nobody,omitempty"`
		Power       float64   `json:"power"`
		Calibration []judged  `json:"calibration"`
		hidden      string
	}
	e := trial.Estimate{Value: .5, Low: .25, High: .75}
	list := []judged{{"trait", agreement{e}, nil, []string{"few texts"}}, {"coherence", agreement{e}, &e, nil}}
	report := grown{Known: "known", Null: []float64{1.5, 2}, Judge: &judge{"m", missing, map[string]int{"refused": 2, "429": 1}, list}, Power: .8, Calibration: list, hidden: "x"}
	var b strings.Builder
	for _, table := range extras("", report, "known") {
		fmt.Fprintf(&b, "%s (%s)\n", table.Name, table.Caption)
		table.writeMarkdown(&b)
	}
	want := `more (More of report.json: more)
| number | value |
|---|---:|
| power | 0.8 |
null-spread (Null spread)
| value |
|---:|
| 1.5 |
| 2 |
judge (More of report.json: judge)
| number | value |
|---|---|
| model | m |
| share | missing |
judge-missing (Judge: missing)
| missing | value |
|---|---:|
| 429 | 1 |
| refused | 2 |
judge-list (Judge: list)
| measure | kappa | second kappa |
|---|---:|---|
| trait | 0.50 \[0.25, 0.75\] |  |
| coherence | 0.50 \[0.25, 0.75\] | 0.50 \[0.25, 0.75\] |
calibration (How many of the texts that the map was fitted on resemble each persona: what it has seen of its register.)
| measure | kappa | second kappa |
|---|---:|---|
| trait | 0.50 \[0.25, 0.75\] |  |
| coherence | 0.50 \[0.25, 0.75\] | 0.50 \[0.25, 0.75\] |
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", &b, want)
	}
	if got := strings.Join(extraWarnings(report, "known"), "|"); got != "trait: few texts" {
		t.Errorf("warnings: %s", got)
	}
	if got := strings.Join(extraNames("", reflect.TypeFor[grown](), "known"), " "); got != "more null-spread judge judge-missing judge-list nobody nobody-missing nobody-list calibration" {
		t.Errorf("names: %s", got)
	}
	names, cells := extraCells(struct {
		trial.Criterion
		Cause string         `json:"cause"`
		More  int            `json:"prompts_needed"`
		Floor []trial.Number `json:"floor"`
	}{trial.Criterion{Name: "x"}, "too few prompts", 40, []trial.Number{.5, .7}}, placedInCriterion...)
	if strings.Join(names, "|") != "cause|prompts needed|floor" || cells[2].String() != "0.60 [0.50, 0.70]" || cells[0].String() != "too few prompts" || cells[1].String() != "40" {
		t.Errorf("a criterion that gives causes: %q, %v", names, cells)
	}
}

// TestPlacesExist: a key that has its place is one that there is, and every table that is made can be removed.
func TestPlacesExist(t *testing.T) {
	for _, c := range []struct {
		of     any
		placed []string
	}{{transforms.Report{}, placedInReport}, {trial.Evaluation{}, placedInEvaluation}, {trial.Criterion{}, placedInCriterion}, {transforms.VectorReport{}, placedInVector}, {trial.ConditionReport{}, placedInCondition}} {
		for _, key := range c.placed {
			if !slices.ContainsFunc(membersOf(c.of), func(m member) bool { return m.key == key }) {
				t.Errorf("%T has no %s", c.of, key)
			}
		}
	}
	for _, table := range tables(results(t, nil).Report) {
		if !slices.Contains(tableNames(), table.Name) {
			t.Errorf("table %s is not listed", table.Name)
		}
	}
}
