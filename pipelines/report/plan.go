package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// Plan prints what an experiment is, what a run would do and how long that takes, for a terminal of so many
// columns; 0: for no terminal.
func Plan(w io.Writer, facts []pipelines.Fact, plan *pipelines.Plan, costs pipelines.Costs, columns int) error {
	p := &printer{w: w, width: columns}
	var rows [][]string
	for _, f := range facts {
		rows = append(rows, []string{f.Name, f.Value})
	}
	p.columns(rows)
	p.line("")
	rows = [][]string{{"stage", "state", "units", "time", "why"}}
	for _, s := range plan.Steps {
		rows = append(rows, []string{s.Stage.Name, string(s.State), fmt.Sprint(s.Stage.Units), took(costs, s.Stage.Name), strings.Join(s.Why, "; ")})
	}
	p.columns(rows)
	p.line("")
	if plan.Done() {
		p.line("nothing has to be done")
	} else {
		p.line("%d stages: %d hits, %d to run, %d open (whether they run depends on bytes that are not made yet)", len(plan.Steps), plan.Count(pipelines.Hit), plan.Count(pipelines.Run), plan.Count(pipelines.Open))
	}
	return p.err
}

// took is what the units of a stage are expected to take, or nothing.
func took(costs pipelines.Costs, stage string) string {
	if _, ok := costs[stage]; !ok {
		return ""
	}
	return pipelines.Roughly(costs.Of(stage))
}

// PlanJSON writes the same for machines: "facts" by name, several of one name as lines of one text, and
// "stages" in the order of the data.
func PlanJSON(w io.Writer, facts []pipelines.Fact, plan *pipelines.Plan, costs pipelines.Costs) error {
	type step struct {
		Stage string          `json:"stage"`
		State pipelines.State `json:"state"`
		Units int             `json:"units"`
		Key   string          `json:"key,omitempty"` // of a hit or a run; that of an open stage is not known yet
		Why   []string        `json:"why,omitempty"`

		Seconds float64 `json:"seconds,omitempty"` // that it is expected to take, if it has to be computed
	}
	var out struct {
		Facts  map[string]string `json:"facts"`
		Stages []step            `json:"stages"`
	}
	out.Facts = map[string]string{}
	for _, f := range facts {
		if before, ok := out.Facts[f.Name]; ok {
			f.Value = before + "\n" + f.Value
		}
		out.Facts[f.Name] = f.Value
	}
	for _, s := range plan.Steps {
		one := step{Stage: s.Stage.Name, State: s.State, Units: s.Stage.Units, Why: s.Why, Seconds: math.Round(1000*costs.Of(s.Stage.Name)) / 1000}
		if s.State == pipelines.Hit || s.State == pipelines.Run {
			one.Key = s.Key.String()
		}
		out.Stages = append(out.Stages, one)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
