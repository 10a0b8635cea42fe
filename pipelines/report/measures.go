package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// measures says of each further measure whether it finds the direction that the trait scorer finds, and how far it
// agrees with it.
func (p *printer) measures(r transforms.Report) {
	for i, m := range r.Measures {
		if i == 0 {
			p.line("")
		}
		p.line("measure %s, %s: %s; %s", m.Name, m.What, scoresOf(m), m.Says)
		for _, reason := range sortedKeys(m.Missing) {
			p.line("  %d missing: %s", m.Missing[reason], reason)
		}
		for _, warning := range m.Warnings {
			p.line("  note: %s", warning)
		}
		for _, a := range m.Agreement {
			if a.Texts == transforms.AllTexts {
				p.line("  beside the scorer of %s: weighted kappa %s, Spearman %s, over %d texts%s", a.Measure, interval(a.Kappa, "%.2f", 1), interval(a.Spearman, "%.2f", 1), a.Kappa.N, alone(m, a.Measure))
			}
		}
	}
}

// scoresOf counts a measure's scores.
func scoresOf(m transforms.MeasureReport) string {
	text := fmt.Sprintf("%d scores", m.Scores)
	if m.Weighted > 0 {
		text += fmt.Sprintf(", %d of them weighted by log-probabilities", m.Weighted)
	}
	return text
}

// alone is the agreement within one condition, after that over all.
func alone(m transforms.MeasureReport, measure string) string {
	for _, a := range m.Agreement {
		if a.Measure == measure && a.Texts != transforms.AllTexts {
			return fmt.Sprintf("; within %s %s and %s, over %d", a.Texts, value(a.Kappa, "%.2f", 1), value(a.Spearman, "%.2f", 1), a.Kappa.N)
		}
	}
	return ""
}

// measureTables are those of the further measures that a reader wants; without rows if there are none.
func measureTables(r transforms.Report) []tabular {
	return []tabular{measuresTable(r), measureMeansTable(r), contrastsTable(r), agreementTable(r), scalesTable(r)}
}

// measureTableNames are those of all of them, and of the groups, which are in a file alone.
var measureTableNames = []string{"measures", "measures-means", "measures-differences", "measures-agreement", "measures-separation", "measures-groups"}

// measuresTable is one line a measure.
func measuresTable(r transforms.Report) tabular {
	t := tabular{Name: "measures", Caption: "Further measures of the trait, which stand beside the verdict and do not change it.", Columns: []string{"measure", "what takes it", "scores", "missing", "what it says"}}
	for _, m := range r.Measures {
		var missing []string
		for _, reason := range sortedKeys(m.Missing) {
			missing = append(missing, fmt.Sprintf("%d: %s", m.Missing[reason], reason))
		}
		t.Rows = append(t.Rows, []cell{words(m.Name), words(m.What), count(m.Scores), words(strings.Join(missing, "; ")), words(capital(minus(m.Says)) + ".")})
	}
	return t
}

// measureMeansTable is one line a condition, with a column for each measure beside the trait scorer.
func measureMeansTable(r transforms.Report) tabular {
	t := tabular{Name: "measures-means", Caption: "The trait by each measure, all personas, each condition at the alphas at which it is judged. Each measure on the texts that it has a score of; collapsed texts are left out. Alphas are not chosen anew in the resamples of the further measures.",
		Columns: []string{"condition", "trait scorer"}}
	if len(r.Measures) == 0 {
		return t
	}
	for _, m := range r.Measures {
		t.Columns = append(t.Columns, m.Name)
	}
	for _, c := range r.Evaluation.Pooled.Conditions {
		row := []cell{words(c.Condition), estimate(c.Trait, "%.2f")}
		for _, m := range r.Measures {
			mean := trial.Estimate{Value: missing, Low: missing, High: missing}
			if i := slices.IndexFunc(m.Means, func(b trial.MeasureMean) bool { return b.Condition == c.Condition }); i >= 0 {
				mean = m.Means[i].Trait
			}
			row = append(row, estimate(mean, "%.2f"))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// contrastsTable says whether the measures find the direction.
func contrastsTable(r transforms.Report) tabular {
	mapped := mappedName(r.Evaluation.Pooled)
	t := tabular{Name: "measures-differences", Caption: mapped + " minus the unsteered texts and minus the best control by each measure, and by the trait scorer in the same way: prompts resampled, alphas as they were judged.",
		Columns: []string{"measure", "persona", mapped + " −", "difference", "by the trait scorer", "direction"}}
	for _, m := range r.Measures {
		for _, c := range m.Contrasts {
			persona := c.Persona
			if persona == "" {
				persona = "all personas"
			}
			t.Rows = append(t.Rows, []cell{words(m.Name), words(persona), words(c.Versus), estimate(c.Difference, "%+.2f"), estimate(c.Scorer, "%+.2f"), words(string(c.Finding))})
		}
	}
	return t
}

// agreementTable says how far each measure agrees with the program's own scores, text by text.
func agreementTable(r transforms.Report) tabular {
	t := tabular{Name: "measures-agreement", Caption: "How far each measure agrees with the trait scorer, or with coherence, text by text. Over all texts conditions that lie far apart make any two measures agree; within one condition, at its judged alphas, they do not.",
		Columns: []string{"measure", "of", "texts", "weighted kappa", "Spearman", "number of texts"}}
	for _, m := range r.Measures {
		for _, a := range m.Agreement {
			t.Rows = append(t.Rows, []cell{words(m.Name), words(a.Measure), words(a.Texts), estimate(a.Kappa, "%.2f"), estimate(a.Spearman, "%.2f"), count(a.Kappa.N)})
		}
	}
	return t
}

// scalesTable says how well a measure tells personas from unsteered texts.
func scalesTable(r transforms.Report) tabular {
	t := tabular{Name: "measures-separation", Caption: fmt.Sprintf("How well each measure tells held-out texts of the persona from texts of people without it, and from what the target writes unsteered. Below d′ %d its scores are shown and tell nothing.", trial.MinDPrime),
		Columns: []string{"measure", "persona", "AUROC, texts of people", "AUROC, the target's unsteered texts", "d′, the target's unsteered texts", "tells"}}
	for _, m := range r.Measures {
		for _, s := range m.Scales {
			tells := "something"
			switch {
			case s.Missing != "":
				tells = s.Missing
			case !(s.Separation.DPrime.Value >= trial.MinDPrime):
				tells = "nothing"
			}
			t.Rows = append(t.Rows, []cell{words(m.Name), words(s.Persona), estimate(trial.Estimate{Value: s.AUROC, Low: missing, High: missing}, "%.3f"), estimate(s.Separation.AUROC, "%.3f"), estimate(s.Separation.DPrime, "%.2f"), words(tells)})
		}
	}
	return t
}

// groupsTable is every mean of every measure: a line a persona, condition and alpha.
func groupsTable(r transforms.Report) tabular {
	t := tabular{Name: "measures-groups", Caption: "Means by each measure of every condition at every alpha (" + r.Experiment.AlphaUnit + "), on all prompts.", Columns: []string{"measure", "persona", "condition", "alpha", "trait", "coherence", "texts"}}
	for _, m := range r.Measures {
		for _, g := range m.Groups {
			t.Rows = append(t.Rows, []cell{words(m.Name), words(g.Persona), words(g.Condition), number(g.Alpha, "%g"), number(float64(g.Trait), "%.2f"), number(float64(g.Coherence), "%.2f"), count(g.Texts)})
		}
	}
	return t
}
