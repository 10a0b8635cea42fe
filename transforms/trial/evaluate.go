package trial

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Evaluate turns scored texts into tables, differences and verdicts, as the package comment says.
// The order of rows does not matter. It returns an error if the options are not usable, a row is
// malformed or appears twice, or a persona has no rows of the baseline or the mapped condition.
func Evaluate(rows []Row, o Options) (*Evaluation, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	rows = slices.Clone(rows)
	slices.SortFunc(rows, compareRows)
	if err := checkRows(rows); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	conditions := distinct(rows, func(r Row) string { return r.Condition })
	personas := distinct(rows, func(r Row) string { return r.Persona })
	if len(rows) == 0 {
		return nil, errors.New("evaluate: no rows")
	}
	for _, p := range personas {
		for _, c := range []string{o.Baseline, o.Mapped} {
			if !slices.ContainsFunc(rows, func(r Row) bool { return r.Persona == p && r.Condition == c }) {
				return nil, fmt.Errorf("evaluate: no rows of condition %q for persona %q", c, p)
			}
		}
	}
	ev := newEvaluating(rows, conditions, personas, o)
	e := &Evaluation{Options: o, Rows: len(rows), Prompts: len(ev.prompts), Warnings: []string{}}
	for _, p := range personas {
		e.Scorers = append(e.Scorers, o.scorer(p))
	}
	for i, p := range personas {
		g := newGrouping(ev, []string{p}, e.Scorers[i]).group()
		g.Persona = p
		e.Personas = append(e.Personas, g)
	}
	e.Pooled = newGrouping(ev, personas, worst(e.Scorers)).group()
	e.adjust()
	e.warn(conditions)
	return e, nil
}

// evaluating is what all groups share.
type evaluating struct {
	Options
	rows       []Row
	conditions []string
	prompts    []int
	boot       *Bootstrap
	series     map[string]map[string]*series // by condition and persona
	null       variation
}

// newEvaluating follows every condition of every persona through the resamples, and sees what random vectors do.
func newEvaluating(rows []Row, conditions, personas []string, o Options) *evaluating {
	e := &evaluating{Options: o, rows: rows, conditions: conditions, prompts: distinct(rows, promptOf), series: map[string]map[string]*series{}}
	e.boot = NewBootstrap(e.prompts, o.Resamples, o.Level, o.Seed)
	own := map[[2]string][]Row{}
	for _, r := range rows {
		k := [2]string{r.Condition, r.Persona}
		own[k] = append(own[k], r)
	}
	for _, c := range conditions {
		e.series[c] = map[string]*series{}
		for _, p := range personas {
			if rows := own[[2]string{c, p}]; len(rows) > 0 {
				e.series[c][p] = newSeries(rows, p, e.prompts, o.Thresholds, e.boot)
			}
		}
	}
	for _, c := range o.Null {
		for _, p := range personas {
			s, base := e.series[c][p], e.series[o.Baseline][p]
			if s == nil || base == nil {
				continue
			}
			var doses []float64
			for _, judged := range []string{o.Mapped, o.Oracle} {
				if of := e.series[judged][p]; of != nil {
					doses = append(doses, of.choice.Even, of.choice.Odd)
				}
			}
			vectorsApart(&e.null, s.all, base, doses)
		}
	}
	return e
}

// scorer is what is known of a persona's scorer.
func (o Options) scorer(persona string) ScorerReport {
	s := ScorerReport{Persona: persona, AUROC: missing, Separation: Separation{AUROC: noEstimate, DPrime: noEstimate}}
	if auroc, ok := o.AUROC[persona]; ok {
		s.AUROC = Number(auroc)
	}
	if few, ok := o.Few[persona]; ok {
		s.Interval = &few
	}
	if separation, ok := o.Separation[persona]; ok {
		s.Separation = separation
	}
	return s
}

// worst gathers the worst that is known of several scorers; what one of them lacks is missing.
func worst(scorers []ScorerReport) ScorerReport {
	lower := func(a, b Number) bool { return !a.Missing() && !(b >= a) }
	w := scorers[0]
	for _, s := range scorers[1:] {
		if lower(w.AUROC, s.AUROC) {
			w.AUROC = s.AUROC
		}
		if s.Interval != nil && (w.Interval == nil || s.Interval[0] < w.Interval[0]) {
			w.Interval = s.Interval
		}
		if lower(w.Separation.DPrime.Value, s.Separation.DPrime.Value) {
			w.Separation = s.Separation
		}
	}
	return w
}

// group reports on everything.
func (g *grouping) group() Group {
	out := Group{Conditions: []ConditionReport{}, Primary: g.primary(), Recovery: g.recovery(g.Mapped), Verdict: Decide(g.findings(g.Mapped), g.Thresholds), Warnings: []string{}}
	for _, c := range g.names {
		out.Conditions = append(out.Conditions, g.report(c))
	}
	out.Null = NullReport{Conditions: []string{}, Draws: g.draws, Spread: Number(math.Sqrt(g.null))}
	for _, c := range g.Null {
		if g.judged[c] != nil {
			out.Null.Conditions = append(out.Null.Conditions, c)
		}
	}
	if g.judged[g.HeldOut] != nil && g.HeldOut != g.Mapped {
		out.HeldOut = &HeldOut{Condition: g.HeldOut, Recovery: g.recovery(g.HeldOut), Verdict: Decide(g.findings(g.HeldOut), g.Thresholds)}
	}
	if g.judged[g.Oracle] != nil && out.Recovery == nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf("recovery is not given: its interval is wider than %d, or the effect of the oracle is not shown to be above 0", stableRecovery))
	}
	if len(out.Null.Conditions) > 0 && g.draws < enoughDraws {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d random vectors: how far such vectors lie apart is rough below %d", g.draws, enoughDraws))
	}
	return out
}

// adjust holds the p-values of each family against their number.
func (e *Evaluation) adjust() {
	family := func(groups ...*Group) {
		var all []*Comparison
		var p []Number
		for _, g := range groups {
			for i := range g.Primary {
				all, p = append(all, &g.Primary[i]), append(p, g.Primary[i].P)
			}
		}
		for i, adjusted := range holm(p) {
			all[i].Holm = adjusted
			if e.Options.Measure == MeasureTrait {
				all[i].Pass = all[i].Pass && float64(adjusted) < 1-e.Options.Level
			}
		}
	}
	family(&e.Pooled)
	var personas []*Group
	for i := range e.Personas {
		personas = append(personas, &e.Personas[i])
	}
	family(personas...)
}

// check returns everything that is wrong with o.
func (o Options) check() error {
	var errs []error
	if o.Baseline == "" || o.Mapped == "" || o.Baseline == o.Mapped {
		errs = append(errs, fmt.Errorf("baseline %q and mapped condition %q", o.Baseline, o.Mapped))
	}
	if !slices.Contains([]string{MeasureTrait, MeasureCoherence, MeasureCollapse}, o.Measure) {
		errs = append(errs, fmt.Errorf("measure %q, want %q, %q or %q", o.Measure, MeasureTrait, MeasureCoherence, MeasureCollapse))
	}
	if !(o.Level > 0 && o.Level < 1) {
		errs = append(errs, fmt.Errorf("level %g, want between 0 and 1", o.Level))
	}
	if o.Thresholds.Margin < 0 {
		errs = append(errs, fmt.Errorf("margin %g, want at least 0", o.Thresholds.Margin))
	}
	if o.Resamples < 1 {
		errs = append(errs, fmt.Errorf("%d resamples, want at least 1", o.Resamples))
	}
	return errors.Join(errs...)
}

// fewPrompts is the number of prompts below which there is little to resample.
const fewPrompts = 10

func (e *Evaluation) warn(conditions []string) {
	if e.Prompts < fewPrompts {
		e.Warnings = append(e.Warnings, fmt.Sprintf("%d prompts: intervals are rough below %d", e.Prompts, fewPrompts))
	}
	for _, c := range e.Options.Controls {
		if !slices.Contains(conditions, c) {
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s was not run: the verdict is without it", c))
		}
	}
	if o := e.Options.Oracle; !slices.Contains(conditions, o) {
		e.Warnings = append(e.Warnings, fmt.Sprintf("%s was not run: without it nothing can be concluded", o))
	}
	for _, s := range e.Scorers {
		switch auroc := float64(s.AUROC); {
		case s.AUROC.Missing():
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s: no trait scorer, which needs at least %d texts a side: its trait is missing and there is no verdict",
				s.Persona, MinFewTexts))
		case s.Interval != nil:
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s: fewer than %d texts a side: its trait scorer is fitted on all of them, the vector's own too, and judged by leaving one out: AUROC %.2f [%.2f, %.2f], whose lower bound counts",
				s.Persona, 2*MinTexts, auroc, float64(s.Interval[0]), float64(s.Interval[1])))
		case auroc < e.Options.Thresholds.AUROC:
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s: the trait scorer's AUROC is %.2f, below %g: its traits mean little",
				s.Persona, auroc, e.Options.Thresholds.AUROC))
		}
	}
}

// order returns the conditions there are: baseline, mapped, held out, oracle, controls as listed, the others by
// name.
func (o Options) order(have []string) []string {
	var out []string
	for _, c := range slices.Concat([]string{o.Baseline, o.Mapped, o.HeldOut, o.Oracle}, o.Controls, have) {
		if slices.Contains(have, c) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

func (o Options) role(condition string) string {
	switch {
	case condition == o.Baseline:
		return RoleBaseline
	case condition == o.Mapped:
		return RoleMapped
	case condition == o.HeldOut:
		return RoleHeldOut
	case condition == o.Oracle:
		return RoleOracle
	case slices.Contains(o.Controls, condition):
		return RoleControl
	}
	return RoleOther
}
