package report

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

var missing = trial.Number(math.NaN())

// everyone is how the groups are called: the pooled one has no persona.
func everyone(g trial.Group) string {
	if g.Persona == "" {
		return "all personas"
	}
	return g.Persona
}

// groups are the pooled group and one for each persona.
func groups(r transforms.Report) []trial.Group {
	return append([]trial.Group{r.Evaluation.Pooled}, r.Evaluation.Personas...)
}

// mappedName is the condition that is judged.
func mappedName(g trial.Group) string {
	for _, c := range g.Conditions {
		if c.Role == trial.RoleMapped {
			return c.Condition
		}
	}
	return "mapped"
}

// criteriaTable says what was asked for, what was found, and whether it is met.
func criteriaTable(g trial.Group) tabular {
	return criteriaOf("criteria", g.Verdict)
}

// heldOutTable is the same of the map that has not seen the personas' registers; without rows if there is none.
func heldOutTable(g trial.Group) tabular {
	if g.HeldOut == nil {
		return tabular{Name: "criteria-held-out"}
	}
	return criteriaOf("criteria-held-out", g.HeldOut.Verdict)
}

func criteriaOf(name string, v trial.Verdict) tabular {
	t := tabular{Name: name, Caption: "What the verdict asks for and what was found. The bound of an interval has to meet the requirement, not its middle; without what is called a gate there is no verdict at all.", Columns: []string{"criterion", "met", "required", "found"}}
	settle := false
	for _, c := range v.Criteria {
		settle = settle || c.MorePrompts > 0
	}
	for _, c := range v.Criteria {
		met := "✓ met"
		if !c.Pass {
			met = "✗ not met"
		}
		names, more := extraCells(c, placedInCriterion...)
		want := minus(c.Want)
		if c.Gate {
			want += " (gate)"
		}
		t.Columns = t.Columns[:4]
		if settle {
			t.Columns, more = append(t.Columns, "more prompts that would settle it"), append([]cell{words(about(c.MorePrompts))}, more...)
		}
		t.Columns = append(t.Columns, names...)
		t.Rows = append(t.Rows, append([]cell{words(c.Name), words(met), words(want), estimate(trial.Estimate{Value: c.Got, Low: c.Interval[0], High: c.Interval[1]}, "%.2f")}, more...))
	}
	return t
}

// about is a number of prompts, if there is one.
func about(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("about %d", n)
}

// primaryTable is the endpoint that was declared before the run.
func primaryTable(r transforms.Report) tabular {
	t := tabular{Name: "primary", Caption: "The comparisons that were declared before the run. Holm's correction is over all of one persona's, or of all personas.", Columns: []string{"persona", "against", "measure", "difference", "shown", "p", "p, Holm"}}
	for _, g := range groups(r) {
		for _, c := range g.Primary {
			shown := "✓ shown"
			if !c.Pass {
				shown = "✗ not shown"
			}
			row := []cell{words(everyone(g)), words(c.Versus), words(c.Measure), estimate(c.Difference, "%+.2f"), words(shown), words(""), words("")}
			if c.P > 0 {
				row[5], row[6] = number(float64(c.P), "%.2g"), number(float64(c.Holm), "%.2g")
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// conditionsTable is one line a condition, pooled over personas.
func conditionsTable(r transforms.Report) tabular {
	g := r.Evaluation.Pooled
	t := tabular{Name: "conditions", Caption: fmt.Sprintf("Every condition, all personas. Each prompt at the alpha (%s) chosen on the other half of the prompts. Brackets: %.0f %% intervals, prompts resampled, paired over conditions.", r.Experiment.AlphaUnit, 100*r.Evaluation.Options.Level),
		Columns: []string{"condition", "what it is", "trait", "coherence", "collapse", mappedName(g) + " − it, trait", "alpha", "texts", "without a trait"}}
	for _, c := range g.Conditions {
		difference := words("")
		if c.MappedMinusThis != nil {
			difference = estimate(c.MappedMinusThis.Trait, "%+.2f")
		}
		names, more := extraCells(c, placedInCondition...)
		t.Columns = append(t.Columns[:9], names...)
		t.Rows = append(t.Rows, append([]cell{words(c.Condition), words(part(c.Role)), estimate(c.Trait, "%.2f"), estimate(c.Coherence, "%.2f"), share(c.Collapse), difference, words(doses(c)), count(c.Texts), count(c.MissingTraits)}, more...))
	}
	return t
}

// part says what a condition's role is, to who reads of it for the first time.
func part(role string) string {
	switch role {
	case trial.RoleBaseline:
		return "unsteered"
	case trial.RoleMapped:
		return "the map that is judged"
	case trial.RoleHeldOut:
		return "a map that has not seen the persona"
	case trial.RoleOracle:
		return "the target's own vector"
	case trial.RoleOther:
		return "beside the verdict"
	}
	return role
}

// personasTable is one line a persona: what became of the mapped vector.
func personasTable(r transforms.Report) tabular {
	t := tabular{Name: "personas", Caption: "The mapped vector, persona by persona.", Columns: []string{"persona", "verdict", "trait", "coherence", "collapse", "recovery", "cosine with the target's own", "floor of the cosine"}}
	heldOut := slices.ContainsFunc(r.Evaluation.Personas, func(g trial.Group) bool { return g.HeldOut != nil })
	if heldOut {
		t.Columns = append(t.Columns, "verdict without its register")
	}
	for _, g := range r.Evaluation.Personas {
		word, _, _ := strings.Cut(g.Verdict.Meaning, ":")
		row := []cell{words(g.Persona), words(word), words(""), words(""), words(""), words("not stable"), words(""), words("")}
		for _, c := range g.Conditions {
			if c.Role == trial.RoleMapped {
				row[2], row[3], row[4] = estimate(c.Trait, "%.2f"), estimate(c.Coherence, "%.2f"), share(c.Collapse)
				if v := vectorOf(r, g.Persona, c.Condition); v != nil {
					row[6], row[7] = number(float64(v.Cosine[0]), "%.2f"), floor(v.Floor)
				}
			}
		}
		if heldOut {
			unseen := ""
			if g.HeldOut != nil {
				unseen, _, _ = strings.Cut(g.HeldOut.Verdict.Meaning, ":")
			}
			row = append(row, words(unseen))
		}
		if g.Recovery != nil {
			row[5] = estimate(*g.Recovery, "%.2f")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// scorersTable says what the trait scorer of each persona can tell apart: texts of people, and those from
// which the experiment starts.
func scorersTable(r transforms.Report) tabular {
	t := tabular{Name: "scorers", Caption: "How well each persona's trait scorer tells texts of the persona from others: from held-out texts of people, and from what the target writes unsteered, which is what it has to do here.",
		Columns: []string{"persona", "AUROC, texts of people", "AUROC, the target's unsteered texts", "d′, the target's unsteered texts"}}
	for _, s := range r.Evaluation.Scorers {
		people := trial.Estimate{Value: s.AUROC, Low: missing, High: missing}
		if s.Interval != nil {
			people.Low, people.High = s.Interval[0], s.Interval[1]
		}
		row := []cell{words(s.Persona), estimate(people, "%.3f"), words(""), words("")}
		if v, ok := r.Anchors.Separation[s.Persona]; ok {
			row[2], row[3] = estimate(v.AUROC, "%.3f"), estimate(v.DPrime, "%.2f")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// alphasTable is what every condition did at every alpha, for every persona and all of them.
func alphasTable(r transforms.Report) tabular {
	t := tabular{Name: "alphas", Caption: "Every condition at every alpha (" + r.Experiment.AlphaUnit + "), on all prompts.", Columns: []string{"persona", "condition", "alpha", "trait", "coherence", "collapse", "texts", "without a trait", "tokens", "perplexity"}}
	for _, g := range groups(r) {
		for _, c := range g.Conditions {
			for _, a := range c.ByAlpha {
				t.Rows = append(t.Rows, []cell{words(everyone(g)), words(c.Condition), number(a.Alpha, "%g"), estimate(a.Trait, "%.2f"), estimate(a.Coherence, "%.2f"), share(a.Collapse),
					count(a.Texts), count(a.MissingTraits), number(float64(a.Tokens), "%.1f"), number(float64(a.Perplexity), "%.1f")})
			}
		}
	}
	return t
}

// differencesTable is the mapped condition minus every other one.
func differencesTable(r transforms.Report) tabular {
	t := tabular{Name: "differences", Caption: "The mapped condition minus each other one, paired by prompt and seed.", Columns: []string{"persona", "condition", "trait", "coherence", "collapse", "trait at equal coherence", "trait at equal length"}}
	matched := func(e trial.Estimate) cell {
		if e.N == 0 {
			return words("")
		}
		return estimate(e, "%+.2f")
	}
	for _, g := range groups(r) {
		for _, c := range g.Conditions {
			if d := c.MappedMinusThis; d != nil {
				points := d.Collapse
				t.Rows = append(t.Rows, []cell{words(everyone(g)), words(c.Condition), estimate(d.Trait, "%+.2f"), estimate(d.Coherence, "%+.2f"), {estimate: &points, format: "%+.0f%%", scale: 100}, matched(d.AtEqualCoherence), matched(d.AtEqualLength)})
			}
		}
	}
	return t
}

// lambdasTable is the cross-validation.
func lambdasTable(r transforms.FitReport) tabular {
	cv := r.CV
	t := tabular{Name: "lambdas", Caption: fmt.Sprintf("Cross-validation of the map over %d folds: R² on pairs that were not fitted.", cv.Folds), Columns: []string{"lambda", "R²", "standard error", "R² standardised", "R² median", "degrees of freedom", "chosen"}}
	for _, p := range cv.Penalties {
		chosen := ""
		if p.Lambda == r.Lambda {
			chosen = "✓"
		}
		t.Rows = append(t.Rows, []cell{number(p.Lambda, "%g"), number(p.R2, "%.3f"), number(p.StandardError, "%.3f"), number(p.R2Standardised, "%.3f"), number(p.R2Median, "%.3f"), number(p.DegreesOfFreedom, "%.0f"), words(chosen)})
	}
	return t
}

// pairsTable is the learning curve.
func pairsTable(r transforms.FitReport) tabular {
	t := tabular{Name: "pairs", Caption: "Maps of fewer pairs, all scored on one fold that none of them was fitted on.", Columns: []string{"pairs", "R²", "R² standardised", "R² median"}}
	for _, c := range r.LearningCurve {
		t.Rows = append(t.Rows, []cell{count(c.N), number(c.Held.R2, "%.3f"), number(c.Held.R2Standardised, "%.3f"), number(c.Held.R2Median, "%.3f")})
	}
	return t
}

// measured are the tables of measures that the page and report.md show.
func measured(r transforms.Report) []tabular {
	all := slices.Concat([]tabular{scorersTable(r)}, measureTables(r), extraTables(r))
	return slices.DeleteFunc(all, func(t tabular) bool { return len(t.Rows) == 0 })
}

// tableNames are those of all tables that there may be.
func tableNames() []string {
	names := []string{"criteria", "criteria-held-out", "primary", "conditions", "personas", "scorers", "alphas", "differences", "cosines", "lambdas", "pairs"}
	names = append(names, measureTableNames...)
	names = append(names, extraNames("", reflect.TypeFor[transforms.Report](), placedInReport...)...)
	return append(names, extraNames("evaluation-", reflect.TypeFor[trial.Evaluation](), placedInEvaluation...)...)
}

// tables are all that are written as files, in the order of the page.
func tables(r transforms.Report) []tabular {
	all := []tabular{criteriaTable(r.Evaluation.Pooled), heldOutTable(r.Evaluation.Pooled), primaryTable(r), conditionsTable(r), personasTable(r), scorersTable(r), alphasTable(r), differencesTable(r), cosinesTable(r), lambdasTable(r.Fit), pairsTable(r.Fit)}
	all = append(append(all, measureTables(r)...), groupsTable(r))
	return slices.DeleteFunc(append(all, extraTables(r)...), func(t tabular) bool { return len(t.Rows) == 0 })
}
