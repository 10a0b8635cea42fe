package trial

import "fmt"

// An Outcome is the answer of an experiment.
type Outcome string

const (
	// Success: the map carries the persona, as well as the target's own vector does.
	Success Outcome = "1"
	// Partial: the map beats every naive method and control, but not all criteria are met.
	Partial Outcome = "2"
	// Failure: the map is not shown to beat the best control.
	Failure Outcome = "3"
	// Inconclusive: nothing could have been shown.
	Inconclusive Outcome = "inconclusive"
)

var meanings = map[Outcome]string{
	Success:      "success: the mapped vector meets every threshold, beats every control and equals the target's own vector",
	Partial:      "partial: the mapped vector beats the best control, but not every criterion is met",
	Failure:      "failure: the mapped vector is not shown to beat the best control",
	Inconclusive: "inconclusive: with this scorer, or where the target's own vector has no effect, nothing could have been shown",
}

// A Criterion is one requirement and what was found. Interval is that of Got, and its bound is what has
// to meet the requirement.
type Criterion struct {
	Name     string    `json:"name"`
	Want     string    `json:"want"`
	Got      Number    `json:"got"`
	Interval [2]Number `json:"interval"`
	Pass     bool      `json:"pass"`
}

// A Verdict is an outcome with its reasons.
type Verdict struct {
	Outcome  Outcome     `json:"outcome"`
	Meaning  string      `json:"meaning"`
	Failed   []string    `json:"failed"` // names of the criteria that were not met, in order
	Criteria []Criterion `json:"criteria"`
}

// A Rival is a condition that the mapped vector has to beat.
type Rival struct {
	Condition  string
	Trait      float64  // its mean
	Difference Estimate // of trait, mapped − rival
}

// Findings is what a verdict is computed from. Estimates come from a paired bootstrap over prompts.
type Findings struct {
	Condition                  string // the mapped one
	Trait, Coherence, Collapse Estimate
	Rivals                     []Rival    // every naive condition and control, and the baseline
	OverOracle                 Estimate   // of trait, mapped − oracle
	OracleOver                 Estimate   // of trait, oracle − baseline
	AUROC                      float64    // the smallest of the trait scorers'
	Few                        *[2]Number // the lowest interval of AUROC among scorers of few texts, if there are any
}

// Decide returns the verdict:
//
//   - inconclusive if the scorer's AUROC, of few texts its lower bound, is below its threshold or oracle − baseline is not above 0;
//   - 1 if the bounds of coherence, trait and collapse meet their thresholds, mapped − rival is
//     above 0 for every rival, and mapped − oracle lies inside the margin of equivalence;
//   - 2 if not, but mapped − rival is above 0 for the rival with the highest trait;
//   - 3 otherwise.
//
// A number that is missing meets nothing.
func Decide(f Findings, t Thresholds) Verdict {
	v := Verdict{Failed: []string{}}
	test := func(name, want string, got Estimate, pass bool) bool {
		v.Criteria = append(v.Criteria, Criterion{name, want, got.Value, [2]Number{got.Low, got.High}, pass})
		if !pass {
			v.Failed = append(v.Failed, name)
		}
		return pass
	}
	auroc, enough := Estimate{Number(f.AUROC), missing, missing, 0}, f.AUROC >= t.AUROC
	if f.Few != nil {
		auroc.Low, auroc.High = f.Few[0], f.Few[1]
		enough = enough && float64(f.Few[0]) >= t.AUROC
	}
	measurable := test("auroc of the trait scorer", fmt.Sprintf("at least %g", t.AUROC), auroc, enough)
	effect := test("oracle − none, trait", "above 0", f.OracleOver, f.OracleOver.Low > 0)
	c := f.Condition
	all := test(c+", coherence", fmt.Sprintf("above %g", t.Coherence), f.Coherence, float64(f.Coherence.Low) > t.Coherence)
	all = test(c+", trait", fmt.Sprintf("above %g", t.Trait), f.Trait, float64(f.Trait.Low) > t.Trait) && all
	all = test(c+", collapse", fmt.Sprintf("below %g", t.Collapse), f.Collapse, float64(f.Collapse.High) < t.Collapse) && all
	beatsBest, best := false, Rival{}
	for i, r := range f.Rivals {
		beats := test(c+" − "+r.Condition+", trait", "above 0", r.Difference, r.Difference.Low > 0)
		all = all && beats
		if i == 0 || r.Trait > best.Trait {
			best, beatsBest = r, beats
		}
	}
	if len(f.Rivals) == 0 {
		all = false
	}
	all = test(c+" − oracle, trait", fmt.Sprintf("inside ±%g", t.Equivalence), f.OverOracle, f.OverOracle.Equivalent(t.Equivalence)) && all
	switch {
	case !measurable || !effect:
		v.Outcome = Inconclusive
	case all:
		v.Outcome = Success
	case beatsBest:
		v.Outcome = Partial
	default:
		v.Outcome = Failure
	}
	v.Meaning = meanings[v.Outcome]
	return v
}
