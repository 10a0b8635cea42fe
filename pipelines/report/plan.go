package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
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
	for _, steps := range plan.ByName() {
		rows = append(rows, planned(steps, costs))
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

// planned is the line of a stage, or of all stages of a sweep that have its name.
func planned(steps []pipelines.Step, costs pipelines.Costs) []string {
	one := steps[0]
	if len(steps) == 1 {
		return []string{one.Stage.Name, string(one.State), fmt.Sprint(one.Stage.Units), took(costs, one), strings.Join(one.Why, "; ")}
	}
	units := 0
	for _, s := range steps {
		units += s.Stage.Units
	}
	return []string{one.Stage.Name, States(steps), fmt.Sprint(units), took(costs, steps...), Reasons(steps)}
}

// States counts the states of stages: "3 hit, 2 run".
func States(steps []pipelines.Step) string {
	plan := pipelines.Plan{Steps: steps}
	var parts []string
	for _, state := range []pipelines.State{pipelines.Hit, pipelines.Run, pipelines.Open, pipelines.Unneeded} {
		if n := plan.Count(state); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

// Reasons says why stages are in their states, each reason once and only the first ones.
func Reasons(steps []pipelines.Step) string {
	const most = 2
	var all []string
	for _, s := range steps {
		if text := strings.Join(s.Why, "; "); text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if more := len(all) - most; more > 0 {
		all = append(all[:most], fmt.Sprintf("%d more reasons", more))
	}
	return strings.Join(all, "; or ")
}

// took is what the units of stages are expected to take, or nothing.
func took(costs pipelines.Costs, steps ...pipelines.Step) string {
	seconds, any := 0., false
	for _, s := range steps {
		if _, ok := costs[s.Stage.ID]; ok {
			seconds, any = seconds+costs.Of(s.Stage.ID), true
		}
	}
	if !any {
		return ""
	}
	return pipelines.Roughly(seconds)
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
		Cells string          `json:"cells,omitempty"` // of a sweep that have the stage, if not all have

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
		one := step{Stage: s.Stage.Name, State: s.State, Units: s.Stage.Units, Why: s.Why, Cells: plan.Where(s.Stage.ID), Seconds: math.Round(1000*costs.Of(s.Stage.ID)) / 1000}
		if s.State == pipelines.Hit || s.State == pipelines.Run {
			one.Key = s.Key.String()
		}
		out.Stages = append(out.Stages, one)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
