package trial

import (
	"fmt"
	"math"
)

// An Outcome is the answer of an experiment.
type Outcome string

const (
	// Success: the map carries the persona, and not less well than the target's own vector does.
	Success Outcome = "1"
	// Partial: the map beats everything that carries nothing, but not all criteria are met.
	Partial Outcome = "2"
	// Failure: the map falls short of the target's own vector and is not shown to beat the best control.
	Failure Outcome = "3"
	// Inconclusive: nothing could have been shown, or too little was seen to tell.
	Inconclusive Outcome = "inconclusive"
)

var meanings = map[Outcome]string{
	Success:      "success: the mapped vector meets every threshold, beats every control and is not inferior to the target's own vector",
	Partial:      "partial: the mapped vector beats the best control, but not every criterion is met",
	Failure:      "failure: the mapped vector falls short of the target's own and is not shown to beat the best control",
	Inconclusive: "inconclusive: nothing is shown either way",
}

// strict is the level of the interval that has to be above 0 before a map is said to carry anything at all. At 95 % one
// vector in forty of those that carry nothing would pass.
const strict = 0.99

// A Criterion is one requirement and what was found. Interval is that of Got, and its bound is what has
// to meet the requirement.
type Criterion struct {
	Name     string    `json:"name"`
	Want     string    `json:"want"`
	Got      Number    `json:"got"`
	Interval [2]Number `json:"interval"`
	Pass     bool      `json:"pass"`
	// Gate says that without it there is no verdict at all.
	Gate bool `json:"gate,omitempty"`
	// MorePrompts is about how many further prompts would bring the bound where it has to be, if the value
	// stays; 0 where it is there, or would never be.
	MorePrompts int `json:"more_prompts,omitempty"`
}

// A Verdict is an outcome with its reasons.
type Verdict struct {
	Outcome Outcome  `json:"outcome"`
	Meaning string   `json:"meaning"`
	Failed  []string `json:"failed"` // names of the criteria that were not met, in order
	// Causes say why a verdict is inconclusive, and what would settle it.
	Causes   []string    `json:"causes"`
	Criteria []Criterion `json:"criteria"`
	// Superior says that the mapped vector is shown to do better than the target's own. It is no criterion.
	Superior bool `json:"superior_to_oracle"`
}

// A Rival is a condition that the mapped vector has to beat.
type Rival struct {
	Condition  string
	Difference Estimate // of trait, mapped − rival
}

// Findings is what a verdict is computed from. Estimates come from a paired bootstrap over prompts; those of a
// vector against the baseline and the controls include how far vectors at random lie apart.
type Findings struct {
	Condition                  string // the one that is judged
	Trait, Coherence, Collapse Estimate
	Rivals                     []Rival      // every naive condition and control, and the baseline
	OverBest                   Estimate     // of trait, mapped − the best rival, whichever that is in each resample, at the level strict
	OracleOverBest             Estimate     // the same of the oracle, at that of all intervals
	OverOracle                 Estimate     // of trait, mapped − oracle
	Scorer                     ScorerReport // the worst of the personas'
	Noise                      bool         // random vectors were run
	Prompts                    int
	Spread                     float64 // standard deviation that random vectors add to a comparison
}

// Decide returns the verdict.
//
// Nothing can be shown, and the verdict is inconclusive, unless all gates are passed: the trait scorer's AUROC (of
// few texts its lower bound) and its d′ over the target's unsteered texts are at their thresholds; random vectors
// were run; and the oracle is above the best rival, so that there is something to carry. Then it is
//
//   - 1 if the bounds of coherence, trait and collapse meet their thresholds, mapped − rival is above 0 for every
//     rival, and mapped − oracle is above −margin with its whole interval (non-inferiority);
//   - 2 if not, but mapped − best rival is above 0;
//   - 3 if that is not shown either, and mapped − oracle is below −margin with its whole interval;
//   - inconclusive otherwise: neither is known.
//
// A number that is missing meets nothing.
func Decide(f Findings, t Thresholds) Verdict {
	v := Verdict{Failed: []string{}, Causes: []string{}}
	test := func(c Criterion, e Estimate, pass bool, gap float64) bool {
		c.Got, c.Interval, c.Pass = e.Value, [2]Number{e.Low, e.High}, pass
		if !pass {
			v.Failed = append(v.Failed, c.Name)
			c.MorePrompts = f.more(e, gap)
		}
		v.Criteria = append(v.Criteria, c)
		return pass
	}
	above := func(name string, gate bool, threshold float64, e Estimate) bool {
		c := Criterion{Name: name, Want: fmt.Sprintf("above %g", threshold), Gate: gate}
		return test(c, e, float64(e.Low) > threshold, float64(e.Value)-threshold)
	}
	gates := f.gates(t, &v, test)
	effect := above("oracle − best control, trait", true, 0, f.OracleOverBest)
	c := f.Condition
	all := above(c+", coherence", false, t.Coherence, f.Coherence)
	all = above(c+", trait", false, t.Trait, f.Trait) && all
	all = test(Criterion{Name: c + ", collapse", Want: fmt.Sprintf("below %g", t.Collapse)}, f.Collapse,
		float64(f.Collapse.High) < t.Collapse, t.Collapse-float64(f.Collapse.Value)) && all
	for _, r := range f.Rivals {
		all = above(c+" − "+r.Condition+", trait", false, 0, r.Difference) && all
	}
	beats := test(Criterion{Name: c + " − best control, trait", Want: fmt.Sprintf("above 0, at %g %%", 100*strict)}, f.OverBest, f.OverBest.Low > 0, float64(f.OverBest.Value))
	all = above(c+" − oracle, trait", false, -t.Margin, f.OverOracle) && all && beats
	v.Superior = f.OverOracle.Low > 0
	switch {
	case !gates || !effect:
		v.Outcome = Inconclusive
		if !effect {
			v.Causes = append(v.Causes, f.noEffect())
		}
	case all:
		v.Outcome = Success
	case beats:
		v.Outcome = Partial
	case float64(f.OverOracle.High) < -t.Margin:
		v.Outcome = Failure
	default:
		v.Outcome = Inconclusive
		v.Causes = append(v.Causes, f.undecided(t))
	}
	v.Meaning = meanings[v.Outcome]
	return v
}

// gates tests what has to hold before any comparison means something.
func (f Findings) gates(t Thresholds, v *Verdict, test func(Criterion, Estimate, bool, float64) bool) bool {
	s := f.Scorer
	auroc, enough := Estimate{Value: s.AUROC, Low: missing, High: missing}, float64(s.AUROC) >= t.AUROC
	if s.Interval != nil {
		auroc.Low, auroc.High = s.Interval[0], s.Interval[1]
		enough = enough && float64(auroc.Low) >= t.AUROC
	}
	never := math.NaN() // more prompts do not change it
	all := test(Criterion{Name: "auroc of the trait scorer", Want: fmt.Sprintf("at least %g", t.AUROC), Gate: true}, auroc, enough, never)
	if !enough {
		v.Causes = append(v.Causes, "the trait scorer does not tell the persona's own texts apart well enough: more or clearer texts of it are needed")
	}
	d := s.Separation.DPrime
	apart := float64(d.Value) >= t.DPrime
	all = test(Criterion{Name: "d′ of the persona over unsteered texts", Want: fmt.Sprintf("at least %g", t.DPrime), Gate: true}, d, apart, never) && all
	if !apart {
		v.Causes = append(v.Causes, "the target's unsteered texts look too much like the persona to the trait scorer: another persona, clearer texts of it or another measure is needed")
	}
	if !f.Noise {
		v.Causes = append(v.Causes, "no condition of random vectors was run (random_direction, shuffled_pairs): what noise does is not known")
	}
	return all && f.Noise
}

// noEffect says why nothing could be carried.
func (f Findings) noEffect() string {
	e := f.OracleOverBest
	switch n := f.more(e, float64(e.Value)); {
	case e.Value.Missing():
		return "the target's own vector was not compared with a control"
	case e.Low.Missing():
		return "there are too few prompts for an interval"
	case !(e.Value > 0):
		return "the target's own vector does no better than the best control: there is nothing to carry"
	case n > 0:
		return fmt.Sprintf("the target's own vector is not shown to do better than the best control: about %d more prompts would settle it, if the difference stays", n)
	}
	return "the target's own vector does better than the best control, but not by more than vectors at random lie apart: more prompts would not settle it"
}

// undecided says what would settle whether the mapped vector beats the best control or falls short of the
// oracle.
func (f Findings) undecided(t Thresholds) string {
	n := f.more(f.OverBest, float64(f.OverBest.Value))
	if short := f.more(f.OverOracle, -t.Margin-float64(f.OverOracle.Value)); n == 0 || short > 0 && short < n {
		n = short
	}
	text := "the mapped vector is neither shown to beat the best control nor to fall short of the target's own"
	if n > 0 {
		return fmt.Sprintf("%s: about %d more prompts would settle it, if the differences stay", text, n)
	}
	return text + ", and more prompts would not settle it: the differences are within those of vectors at random, or of the margin"
}

const worthwhile = 100 // times as many prompts; a value that needs more is as good as on the bound

// more returns about how many further prompts narrow an interval, which is long to one side as often as not, until
// its longer side is below the gap between its value and what it has to exclude; 0 if none are needed, or if no
// number is enough that anyone would run. Of a side only what prompts contribute shrinks, with the root of their
// number.
func (f Findings) more(e Estimate, gap float64) int {
	half := float64(max(e.High-e.Value, e.Value-e.Low))
	if !(gap > 0) || isMissing(half) || half == 0 || gap > half {
		return 0
	}
	const two = 1.96 // half-widths in standard deviations
	fixed := two * two * f.Spread * f.Spread
	rest := gap*gap - fixed
	if rest <= 0 {
		return 0
	}
	times := max(0, half*half-fixed) / rest
	if times > worthwhile {
		return 0
	}
	return int(math.Ceil(float64(f.Prompts) * max(times-1, 1/float64(f.Prompts))))
}
