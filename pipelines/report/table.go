// Package report writes an experiment's results for people, from evaluated rows alone: every
// number that it prints is in report.json, and every text in rows.jsonl.
package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Table prints the verdict table of a report.json, and a few of the texts that it is about, for a terminal
// of so many columns; 0: for no terminal, in lines as long as they are.
func Table(w io.Writer, reportJSON []byte, texts []artifacts.Sample, columns int) error {
	r, err := decodeReport(reportJSON)
	if err != nil {
		return err
	}
	p := &printer{w: w, width: columns}
	x := r.Experiment
	p.line("%s layer %d → %s layer %d, %d pairs (%s), %d generations", x.SourceModel, x.SourceLayer, x.TargetModel, x.TargetLayer, x.Pairs, x.Positions, x.Generations)
	p.fit(r)
	p.calibration(r.Calibration)
	p.line("")
	p.group("all personas, each condition at its own alpha ("+x.AlphaUnit+"), chosen on the other half of the prompts", r.Evaluation.Pooled)
	p.line("")
	p.verdict(r.Evaluation.Pooled)
	p.line("")
	p.personas(r)
	p.alphas(r)
	p.measures(r)
	p.warnings(r)
	p.examples(r, texts)
	return p.err
}

// A printer writes lines of at most a width, if it is not 0, and remembers the first error.
type printer struct {
	w     io.Writer
	width int
	err   error
}

func (p *printer) line(format string, args ...any) {
	for _, l := range Wrap(strings.TrimRight(fmt.Sprintf(format, args...), " "), p.width) {
		p.print(l)
	}
}

// print writes a line that is not broken.
func (p *printer) print(line string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(line, " "))
	}
}

func (p *printer) fit(r transforms.Report) {
	p.fitted(r.Fit)
	for _, reason := range slices.Sorted(maps.Keys(r.LeftOut)) {
		p.line("  note: %d calibration texts are left out: %s", r.LeftOut[reason], reason)
	}
}

// fitted says which map it is and how well it predicts.
func (p *printer) fitted(r transforms.FitReport) {
	text := "map: " + r.Method
	if r.Lambda != 0 {
		text += fmt.Sprintf(", lambda %g", r.Lambda)
	}
	for _, s := range r.CV.Penalties {
		if s.Lambda == r.Lambda {
			text += fmt.Sprintf(", held-out R² %.2f (standardised %.2f, median %.2f)", s.R2, s.R2Standardised, s.R2Median)
		}
	}
	if r.DegreesOfFreedom != 0 {
		text += fmt.Sprintf(", %.0f effective degrees of freedom a target dimension", r.DegreesOfFreedom)
	}
	p.line("%s", text)
	if curve := r.LearningCurve; len(curve) > 0 {
		text = "held-out R² by number of pairs:"
		for _, c := range curve {
			text += fmt.Sprintf(" %d %.2f,", c.N, c.Held.R2)
		}
		p.line("%s", strings.TrimSuffix(text, ","))
	}
	for _, warning := range r.Warnings {
		p.line("  note: %s", warning)
	}
}

// calibration says how much of what the map was fitted on resembles each persona.
func (p *printer) calibration(reports []transforms.CalibrationReport) {
	var parts []string
	for _, c := range reports {
		if !c.Share.Missing() {
			parts = append(parts, fmt.Sprintf("%s %d of %d (%.1f%%)", c.Persona, c.Resembling, c.Texts, 100*float64(c.Share)))
		}
	}
	if parts != nil {
		p.line("calibration texts that resemble a persona: %s", strings.Join(parts, ", "))
	}
	for _, c := range reports {
		for _, warning := range c.Warnings {
			p.line("  note: %s: %s", c.Persona, warning)
		}
	}
}

// group prints one line a condition.
func (p *printer) group(title string, g trial.Group) {
	p.line("%s", title)
	rows := [][]string{{"condition", "trait", "coherence", "collapse", "ridge − it, trait", "alpha"}}
	mapped := ""
	for _, c := range g.Conditions {
		if c.Role == trial.RoleMapped {
			mapped = c.Condition
		}
	}
	rows[0][4] = mapped + " − it, trait"
	for _, c := range g.Conditions {
		difference := ""
		if d := c.MappedMinusThis; d != nil {
			difference = interval(d.Trait, "%+.2f", 1)
			if !d.Trait.Value.Missing() && !d.Trait.ExcludesZero() {
				difference += " ~"
			}
		}
		rows = append(rows, []string{c.Condition, interval(c.Trait, "%.2f", 1), interval(c.Coherence, "%.2f", 1), percent(c.Collapse), difference, doses(c)})
	}
	p.columns(rows)
	p.line("  ~ the interval includes 0. Brackets: 95 %% intervals, prompts resampled and alphas chosen anew, paired over conditions.")
}

// doses lists the alphas that were used, smallest and largest.
func doses(c trial.ConditionReport) string {
	if len(c.Alphas) == 0 {
		return ""
	}
	low, high := c.Alphas[0].Even, c.Alphas[0].Even
	for _, a := range c.Alphas {
		low, high = min(low, a.Even, a.Odd), max(high, a.Even, a.Odd)
	}
	switch {
	case low == 0 && high == 0:
		return ""
	case low == high:
		return fmt.Sprintf("%g", low)
	}
	return fmt.Sprintf("%g…%g", low, high)
}

func interval(e trial.Estimate, format string, scale float64) string {
	if e.Value.Missing() {
		return "missing"
	}
	one := func(n trial.Number) string { return fmt.Sprintf(format, scale*float64(n)) }
	if e.Low.Missing() || e.High.Missing() {
		return one(e.Value)
	}
	return fmt.Sprintf("%s [%s, %s]", one(e.Value), one(e.Low), one(e.High))
}

// percent is an interval of a share.
func percent(e trial.Estimate) string {
	if e.Value.Missing() {
		return "missing"
	}
	return interval(e, "%.0f", 100) + "%"
}

// value is an estimate without its interval.
func value(e trial.Estimate, format string, scale float64) string {
	if e.Value.Missing() {
		return "missing"
	}
	return fmt.Sprintf(format, scale*float64(e.Value))
}

func (p *printer) verdict(g trial.Group) {
	p.outcome("verdict", g.Verdict)
	for _, c := range g.Primary {
		word := "shown"
		if !c.Pass {
			word = "not shown"
		}
		line := fmt.Sprintf("primary endpoint: better than %s in %s %s: %s", c.Versus, c.Measure, word, interval(c.Difference, "%+.2f", 1))
		if !c.Holm.Missing() {
			line += fmt.Sprintf(", p %.2g of %d comparisons (Holm)", float64(c.Holm), len(g.Primary))
		}
		p.line("%s", line)
	}
	if g.Recovery != nil {
		p.line("recovery of the oracle's effect: %s", interval(*g.Recovery, "%.2f", 1))
	}
	if s := g.Null.Spread; !s.Missing() {
		names := strings.Join(g.Null.Conditions, ", ")
		if s > 0 {
			p.line("vectors at random (%s) move the trait by ±%.2f: that is in every difference between a vector and none or a control", names, float64(s))
		} else {
			p.line("vectors at random (%s) are not shown to differ in what they do to the trait", names)
		}
	}
	if h := g.HeldOut; h != nil {
		p.line("")
		p.outcome("a register that the calibration does not contain ("+h.Condition+")", h.Verdict)
		if h.Recovery != nil {
			p.line("recovery of the oracle's effect: %s", interval(*h.Recovery, "%.2f", 1))
		}
	}
}

// outcome prints a verdict with its criteria and what would settle it.
func (p *printer) outcome(title string, v trial.Verdict) {
	p.line("%s: %s", title, v.Meaning)
	for _, cause := range v.Causes {
		p.line("  because %s", cause)
	}
	for _, c := range v.Criteria {
		mark := "met"
		if !c.Pass {
			mark = "NOT MET"
		}
		got := "missing"
		if !c.Got.Missing() {
			got = fmt.Sprintf("%.2f", float64(c.Got))
			if !c.Interval[0].Missing() {
				got += fmt.Sprintf(" [%.2f, %.2f]", float64(c.Interval[0]), float64(c.Interval[1]))
				if !c.Pass {
					got += counts(c)
				}
			}
		}
		p.line("  %-8s %s: want %s, got %s", mark, c.Name, c.Want, got)
	}
	if v.Superior {
		p.line("  it does better than the target's own vector")
	}
}

// counts says which bound of an interval a criterion asks something of, where the value alone might meet it, and
// what would bring it there.
func counts(c trial.Criterion) (text string) {
	switch word, _, _ := strings.Cut(c.Want, " "); word {
	case "above", "at":
		text = fmt.Sprintf(", whose interval begins at %.2f", float64(c.Interval[0]))
	case "below":
		text = fmt.Sprintf(", whose interval ends at %.2f", float64(c.Interval[1]))
	}
	if c.MorePrompts > 0 {
		text += fmt.Sprintf("; about %d more prompts would narrow it enough", c.MorePrompts)
	}
	return text
}

// personas prints one line a persona.
func (p *printer) personas(r transforms.Report) {
	rows := [][]string{{"persona", "verdict", "trait", "coherence", "collapse", "recovery", "cosine", "its floor", "scorer AUROC"}}
	for i, g := range r.Evaluation.Personas {
		word, _, _ := strings.Cut(g.Verdict.Meaning, ":")
		row := []string{g.Persona, word, "", "", "", "", "", "", ""}
		for _, c := range g.Conditions {
			if c.Role == trial.RoleMapped {
				row[2], row[3], row[4] = interval(c.Trait, "%.2f", 1), interval(c.Coherence, "%.2f", 1), percent(c.Collapse)
				if v := vectorOf(r, g.Persona, c.Condition); v != nil {
					row[6] = value(trial.Estimate{Value: v.Cosine[0]}, "%.2f", 1)
					if v.Floor != nil {
						row[7] = value(trial.Estimate{Value: v.Floor.High}, "%.2f", 1)
					}
				}
			}
		}
		if g.Recovery != nil {
			row[5] = interval(*g.Recovery, "%.2f", 1)
		}
		if a := r.Evaluation.Scorers[i].AUROC; !a.Missing() {
			row[8] = fmt.Sprintf("%.3f", float64(a))
		}
		rows = append(rows, row)
	}
	p.columns(rows)
	p.cosines(r)
	p.line("")
}

// alphas prints trait, coherence and collapse at each alpha for the mapped vector and the oracle.
func (p *printer) alphas(r transforms.Report) {
	rows := [][]string{{"alpha", "length added"}}
	var columns []trial.ConditionReport
	for _, c := range r.Evaluation.Pooled.Conditions {
		if c.Role == trial.RoleMapped || c.Role == trial.RoleOracle {
			columns = append(columns, c)
			rows[0] = append(rows[0], c.Condition+" trait / coherence / collapse")
		}
	}
	if len(columns) == 0 {
		return
	}
	for i, a := range columns[0].ByAlpha {
		row := []string{fmt.Sprintf("%g", a.Alpha), length(r, a.Alpha)}
		for _, c := range columns {
			if i < len(c.ByAlpha) {
				b := c.ByAlpha[i]
				row = append(row, value(b.Trait, "%.2f", 1)+" / "+value(b.Coherence, "%.2f", 1)+" / "+value(b.Collapse, "%.0f%%", 100))
			}
		}
		rows = append(rows, row)
	}
	p.columns(rows)
}

// length gives the absolute length that alpha adds, in the experiment's unit.
func length(r transforms.Report, alpha float64) string {
	if len(r.Vectors) == 0 {
		return ""
	}
	s := r.Vectors[0].Scales
	scale, ok := map[string]float64{"residual": s.Residual, "spread": s.Spread}[r.Experiment.AlphaUnit]
	if !ok {
		return "by vector"
	}
	return fmt.Sprintf("%.3g", alpha*scale)
}

// warnings prints footnotes.
func (p *printer) warnings(r transforms.Report) {
	e := r.Evaluation
	for _, text := range slices.Concat(e.Warnings, underFloor(r)) {
		p.line("note: %s", text)
	}
	for _, text := range e.Pooled.Warnings {
		p.line("note: %s", text)
	}
	for _, c := range e.Pooled.Conditions {
		for _, text := range c.Warnings {
			p.line("note: %s: %s", c.Condition, text)
		}
	}
}
