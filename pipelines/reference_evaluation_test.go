package pipelines

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A referenceEstimate is a number whose interval's bounds are known as ranges: evaluation.py enumerates
// all resamples, and a bootstrap that draws ten thousand of them ends within five standard errors of the
// rank of each bound, but once in a million.
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
		Trait      referenceEstimate `json:"trait"`
		Coherence  referenceEstimate `json:"coherence"`
		Collapse   referenceEstimate `json:"collapse"`
		McNemar    float64           `json:"mcnemar"`
		Equivalent bool              `json:"equivalent"`
	} `json:"mapped_minus_this"`
}

// A referenceGroup is the evaluation of one persona, or of all.
type referenceGroup struct {
	Persona    string               `json:"persona"`
	Conditions []referenceCondition `json:"conditions"`
	Recovery   *referenceEstimate   `json:"recovery"`
	Primary    []struct {
		Versus     string            `json:"versus"`
		Difference referenceEstimate `json:"difference"`
		Pass       bool              `json:"pass"`
	} `json:"primary"`
	Verdict struct {
		Outcome  string          `json:"outcome"`
		AUROC    float64         `json:"auroc"`
		Criteria map[string]bool `json:"criteria"`
	} `json:"verdict"`
}

// meanError is how far means of scores, and what is made of them, may be off: as far as the coherence of a
// single text, see compareScores. Traits are far more exact, so it holds for quotients of them too.
const meanError = 1.6 * 2 * nllError

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
	if (got.Recovery == nil) != (want.Recovery == nil) {
		t.Errorf("%s: recovery %v, want %v", name, got.Recovery, want.Recovery)
	} else if want.Recovery != nil {
		compareEstimate(t, name+", recovery", *got.Recovery, *want.Recovery)
	}
	if len(got.Primary) != len(want.Primary) {
		t.Fatalf("%s: %d primary comparisons, want %d", name, len(got.Primary), len(want.Primary))
	}
	for i, p := range got.Primary {
		w := want.Primary[i]
		if p.Versus != w.Versus || p.Measure != trial.MeasureTrait || p.Pass != w.Pass {
			t.Errorf("%s: primary comparison with %s passes: %t, want %s: %t", name, p.Versus, p.Pass, w.Versus, w.Pass)
		}
		compareEstimate(t, name+", primary, versus "+w.Versus, p.Difference, w.Difference)
	}
	criteria := map[string]bool{}
	for _, c := range got.Verdict.Criteria {
		criteria[c.Name] = c.Pass
	}
	if string(got.Verdict.Outcome) != want.Verdict.Outcome || !maps.Equal(criteria, want.Verdict.Criteria) {
		t.Errorf("%s: verdict %s for %v, want %s for %v", name, got.Verdict.Outcome, criteria, want.Verdict.Outcome, want.Verdict.Criteria)
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
		near(t, name+", McNemar", float64(g.McNemar), w.McNemar, digits)
		if g.Equivalent != w.Equivalent {
			t.Errorf("%s: equivalent: %t, want %t", name, g.Equivalent, w.Equivalent)
		}
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
