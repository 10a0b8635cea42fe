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
	prompts := distinct(rows, promptOf)
	e := &Evaluation{Options: o, Rows: len(rows), Prompts: len(prompts), Warnings: []string{}}
	boot := NewBootstrap(len(prompts), o.Resamples, o.Level, o.Seed)
	worst, uncertain := math.Inf(1), (*[2]Number)(nil)
	for _, p := range personas {
		auroc, ok := o.AUROC[p]
		if !ok {
			auroc = math.NaN()
		}
		worst = math.Min(worst, auroc) // NaN stays
		s := ScorerReport{Persona: p, AUROC: Number(auroc)}
		if few, ok := o.Few[p]; ok {
			s.Interval = &few
			if uncertain == nil || few[0] < uncertain[0] {
				uncertain = &few
			}
		}
		e.Scorers = append(e.Scorers, s)
	}
	for i, p := range personas {
		own := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Persona != p })
		g := newGroup(own, prompts, o, boot, float64(e.Scorers[i].AUROC), e.Scorers[i].Interval)
		g.Persona = p
		e.Personas = append(e.Personas, g)
	}
	e.Pooled = newGroup(rows, prompts, o, boot, worst, uncertain)
	e.warn(conditions)
	return e, nil
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
	if o.Resamples < 1 {
		errs = append(errs, fmt.Errorf("%d resamples, want at least 1", o.Resamples))
	}
	return errors.Join(errs...)
}

// fewPrompts is the number of prompts below which percentile intervals are known to be too short
// by more than a tenth.
const fewPrompts = 15

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

// order returns the conditions of rows: baseline, mapped, oracle, controls as listed, the others by
// name.
func (o Options) order(rows []Row) []string {
	have := distinct(rows, func(r Row) string { return r.Condition })
	var out []string
	for _, c := range slices.Concat([]string{o.Baseline, o.Mapped, o.Oracle}, o.Controls, have) {
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
	case condition == o.Oracle:
		return RoleOracle
	case slices.Contains(o.Controls, condition):
		return RoleControl
	}
	return RoleOther
}
