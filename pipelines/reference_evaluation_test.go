package pipelines

import (
	"fmt"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A referenceEstimate is a number whose interval's bounds are known as ranges: evaluation.py enumerates
// all resamples, and a bootstrap that draws ten thousand of them ends within five standard errors of the
// rank of each bound, or of its standard error, but once in a million.
type referenceEstimate struct {
	Value *float64    `json:"value"`
	Low   *[2]float64 `json:"low"`
	High  *[2]float64 `json:"high"`
	N     int         `json:"n"`
}

// A referenceSummary is what texts come to at one choice of alphas.
type referenceSummary struct {
	Alpha         float64           `json:"alpha"`
	Texts         int               `json:"texts"`
	MissingTraits int               `json:"missing_traits"`
	Trait         referenceEstimate `json:"trait"`
	Coherence     referenceEstimate `json:"coherence"`
	Collapse      referenceEstimate `json:"collapse"`
	Tokens        float64           `json:"tokens"`
	Perplexity    float64           `json:"perplexity"`
}

type referenceCondition struct {
	Condition string `json:"condition"`
	Alphas    []struct {
		Persona    string  `json:"persona"`
		Even       float64 `json:"even"`
		Odd        float64 `json:"odd"`
		Admissible bool    `json:"admissible"`
	} `json:"alphas"`
	referenceSummary
	ByAlpha         []referenceSummary `json:"by_alpha"`
	Effect          *referenceEstimate `json:"effect"`
	Moved           *referenceEstimate `json:"moved"`
	MappedMinusThis *struct {
		Trait            referenceEstimate `json:"trait"`
		Coherence        referenceEstimate `json:"coherence"`
		Collapse         referenceEstimate `json:"collapse"`
		AtEqualCoherence referenceEstimate `json:"trait_at_equal_coherence"`
		AtEqualLength    referenceEstimate `json:"trait_at_equal_length"`
		McNemar          float64           `json:"mcnemar"`
	} `json:"mapped_minus_this"`
}

// A referenceGroup is the evaluation of one persona, or of all. What hangs on the resamples that are drawn is nil.
type referenceGroup struct {
	Persona    string               `json:"persona"`
	Conditions []referenceCondition `json:"conditions"`
	Recovery   struct {
		referenceEstimate
		Given *bool `json:"given"` // nil if that is left to chance
	} `json:"recovery"`
	Spread  float64 `json:"spread"`
	Primary []struct {
		Versus     string            `json:"versus"`
		Difference referenceEstimate `json:"difference"`
		Shown      *bool             `json:"shown"` // before it is held against the number of comparisons
	} `json:"primary"`
	Verdict struct {
		Outcome  *string          `json:"outcome"`
		AUROC    float64          `json:"auroc"`
		Criteria map[string]*bool `json:"criteria"`
		Superior *bool            `json:"superior"`
	} `json:"verdict"`
}

// meanError is how far means of scores, and what is made of them, may be off: as far as the coherence of a
// single text, see compareScores. Traits are far more exact, so it holds for quotients of them too.
const meanError = coherenceError

// compareEstimate compares a number and the bounds of its interval.
func compareEstimate(t *testing.T, what string, got trial.Estimate, want referenceEstimate) {
	t.Helper()
	if got.N != want.N {
		t.Errorf("%s: of %d texts, want %d", what, got.N, want.N)
	}
	if got.Value.Missing() != (want.Value == nil) || got.Low.Missing() != (want.Low == nil) || got.High.Missing() != (want.High == nil) {
		t.Errorf("%s: %v, want %v", what, got, want)
		return
	}
	if want.Value != nil {
		near(t, what, float64(got.Value), *want.Value, meanError)
	}
	if want.Low == nil {
		return
	}
	for _, bound := range []struct {
		name string
		got  float64
		want [2]float64
	}{{"lower", float64(got.Low), *want.Low}, {"upper", float64(got.High), *want.High}} {
		if bound.got < bound.want[0]-meanError || bound.got > bound.want[1]+meanError {
			t.Errorf("%s: %s bound %g, want it in %v", what, bound.name, bound.got, bound.want)
		}
	}
}

// compareEvaluation compares alphas, means, intervals, recovery and verdict, pooled and by persona.
func (r *referenceRun) compareEvaluation(t *testing.T) {
	e := r.report(t).Evaluation
	if e.Options.Resamples != 10000 || e.Options.Level != 0.95 {
		t.Fatalf("%d resamples at level %g: the ranges of evaluation.py are for 10000 at 0.95", e.Options.Resamples, e.Options.Level)
	}
	for _, s := range e.Scorers {
		near(t, s.Persona+", AUROC", float64(s.AUROC), r.want.Zero.AUROC[s.Persona], digits)
	}
	compareGroup(t, e.Pooled, r.want.Pooled)
	if len(e.Personas) != len(r.want.Personas) {
		t.Fatalf("%d personas, want %d", len(e.Personas), len(r.want.Personas))
	}
	for i, g := range e.Personas {
		compareGroup(t, g, r.want.Personas[i])
	}
}

func compareGroup(t *testing.T, got trial.Group, want referenceGroup) {
	name := want.Persona
	if name == "" {
		name = "pooled"
	}
	if got.Persona != want.Persona || len(got.Conditions) != len(want.Conditions) {
		t.Fatalf("%s: persona %q with %d conditions, want %d", name, got.Persona, len(got.Conditions), len(want.Conditions))
	}
	for _, w := range want.Conditions {
		i := slices.IndexFunc(got.Conditions, func(c trial.ConditionReport) bool { return c.Condition == w.Condition })
		if i < 0 {
			t.Fatalf("%s: no condition %s", name, w.Condition)
		}
		compareCondition(t, name+", "+w.Condition, got.Conditions[i], w)
	}
	if given := want.Recovery.Given; given != nil && (got.Recovery != nil) != *given {
		t.Errorf("%s: recovery %v, want it given: %t", name, got.Recovery, *given)
	}
	if got.Recovery != nil {
		compareEstimate(t, name+", recovery", *got.Recovery, want.Recovery.referenceEstimate)
	}
	if len(got.Primary) != len(want.Primary) {
		t.Fatalf("%s: %d primary comparisons, want %d", name, len(got.Primary), len(want.Primary))
	}
	for i, p := range got.Primary {
		w := want.Primary[i]
		if p.Versus != w.Versus || p.Measure != trial.MeasureTrait || w.Shown != nil && p.Pass != (*w.Shown && float64(p.Holm) < .05) {
			t.Errorf("%s: primary comparison with %s passes: %t at p %g, want %s", name, p.Versus, p.Pass, p.Holm, w.Versus)
		}
		compareEstimate(t, name+", primary, versus "+w.Versus, p.Difference, w.Difference)
	}
	near(t, name+", spread of random vectors", float64(got.Null.Spread), want.Spread, meanError)
	known := func(what string, got bool, want *bool) {
		if want != nil && got != *want {
			t.Errorf("%s, %s: %t, want %t", name, what, got, *want)
		}
	}
	known("superior", got.Verdict.Superior, want.Verdict.Superior)
	if len(got.Verdict.Criteria) != len(want.Verdict.Criteria) {
		t.Errorf("%s: %d criteria, want %d", name, len(got.Verdict.Criteria), len(want.Verdict.Criteria))
	}
	for _, c := range got.Verdict.Criteria {
		w, ok := want.Verdict.Criteria[c.Name]
		if !ok {
			t.Errorf("%s: criterion %s is not the reference's", name, c.Name)
		}
		known(c.Name, c.Pass, w)
	}
	if w := want.Verdict.Outcome; w != nil && string(got.Verdict.Outcome) != *w {
		t.Errorf("%s: verdict %s, want %s", name, got.Verdict.Outcome, *w)
	}
	near(t, name+", AUROC of the verdict", float64(got.Verdict.Criteria[0].Got), want.Verdict.AUROC, digits)
}

func compareCondition(t *testing.T, name string, got trial.ConditionReport, want referenceCondition) {
	if len(got.Alphas) != len(want.Alphas) {
		t.Fatalf("%s: %d choices of alpha, want %d", name, len(got.Alphas), len(want.Alphas))
	}
	for i, w := range want.Alphas {
		if g := got.Alphas[i]; g.Persona != w.Persona || g.Even != w.Even || g.Odd != w.Odd || g.Admissible != w.Admissible {
			t.Errorf("%s: alphas %+v, want %+v", name, g, w)
		}
	}
	compareSummary(t, name, trial.AlphaReport{Texts: got.Texts, MissingTraits: got.MissingTraits, Trait: got.Trait, Coherence: got.Coherence,
		Collapse: got.Collapse, Tokens: got.Tokens, Perplexity: got.Perplexity}, want.referenceSummary)
	if len(got.ByAlpha) != len(want.ByAlpha) {
		t.Fatalf("%s: %d alphas, want %d", name, len(got.ByAlpha), len(want.ByAlpha))
	}
	for i, w := range want.ByAlpha {
		compareSummary(t, fmt.Sprintf("%s at alpha %g", name, w.Alpha), got.ByAlpha[i], w)
	}
	if (got.Effect == nil) != (want.Effect == nil) || (got.MappedMinusThis == nil) != (want.MappedMinusThis == nil) {
		t.Fatalf("%s: differences with the baseline and the mapped condition: %v and %v", name, got.Effect, got.MappedMinusThis)
	}
	if want.Effect != nil {
		compareEstimate(t, name+", effect", *got.Effect, *want.Effect)
		compareEstimate(t, name+", prompts moved", got.Moved, *want.Moved)
	}
	if w := want.MappedMinusThis; w != nil {
		g := got.MappedMinusThis
		compareEstimate(t, name+", difference of trait", g.Trait, w.Trait)
		compareEstimate(t, name+", difference of coherence", g.Coherence, w.Coherence)
		compareEstimate(t, name+", difference of collapse", g.Collapse, w.Collapse)
		compareEstimate(t, name+", difference of trait at equal coherence", g.AtEqualCoherence, w.AtEqualCoherence)
		compareEstimate(t, name+", difference of trait at equal length", g.AtEqualLength, w.AtEqualLength)
		near(t, name+", McNemar", float64(g.McNemar), w.McNemar, digits)
	}
}

func compareSummary(t *testing.T, name string, got trial.AlphaReport, want referenceSummary) {
	if got.Alpha != want.Alpha || got.Texts != want.Texts || got.MissingTraits != want.MissingTraits {
		t.Errorf("%s: alpha %g, %d texts, %d without trait; want %g, %d, %d", name, got.Alpha, got.Texts, got.MissingTraits, want.Alpha, want.Texts, want.MissingTraits)
	}
	compareEstimate(t, name+", trait", got.Trait, want.Trait)
	compareEstimate(t, name+", coherence", got.Coherence, want.Coherence)
	compareEstimate(t, name+", collapse", got.Collapse, want.Collapse)
	near(t, name+", tokens", float64(got.Tokens), want.Tokens, digits*want.Tokens)
	near(t, name+", perplexity", float64(got.Perplexity), want.Perplexity, nllError*want.Perplexity*1.1)
}
