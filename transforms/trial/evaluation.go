package trial

// An Evaluation is what the rows of an experiment say. It has no times, paths or map orders in it:
// the same rows and options give the same JSON to the byte. Missing numbers are null.
type Evaluation struct {
	Options  Options        `json:"options"`
	Rows     int            `json:"rows"`
	Prompts  int            `json:"prompts"`
	Scorers  []ScorerReport `json:"scorers"` // by persona
	Pooled   Group          `json:"pooled"`  // every persona counts the same
	Personas []Group        `json:"personas"`
	// Warnings are about the experiment as a whole; those of a group or condition are with it.
	Warnings []string `json:"warnings"`
}

// A ScorerReport says how well the trait scorer of a persona tells held-out texts apart.
type ScorerReport struct {
	Persona string `json:"persona"`
	AUROC   Number `json:"auroc"`
	// Interval is that of AUROC where the scorer rests on few texts; see [Options.Few].
	Interval *[2]Number `json:"auroc_interval,omitempty"`
	// Separation is from the target's own unsteered texts.
	Separation Separation `json:"separation"`
}

// A Group is the result for one persona, or for all of them pooled (Persona is empty).
type Group struct {
	Persona    string            `json:"persona"`
	Conditions []ConditionReport `json:"conditions"`
	// Primary is the endpoint declared in the options: mapped − versus for one measure.
	Primary []Comparison `json:"primary"`
	// Recovery is (mapped − baseline)/(oracle − baseline) in trait; nil unless the denominator is
	// above 0 with its whole interval and its own is narrower than 1.
	Recovery *Estimate  `json:"recovery"`
	Null     NullReport `json:"random_vectors"`
	Verdict  Verdict    `json:"verdict"`
	// HeldOut is the verdict, by the same rule, on the map that was fitted without texts that resemble the
	// persona, and its recovery; nil if that condition was not run.
	HeldOut  *HeldOut `json:"held_out"`
	Warnings []string `json:"warnings"`
}

// A HeldOut is the answer to the harder question: whether the map carries a register that it has not seen.
type HeldOut struct {
	Condition string    `json:"condition"`
	Recovery  *Estimate `json:"recovery"`
	Verdict   Verdict   `json:"verdict"`
}

// A Comparison is one paired difference of the primary endpoint.
type Comparison struct {
	Versus     string   `json:"versus"`
	Measure    string   `json:"measure"`
	Difference Estimate `json:"difference"` // mapped − versus
	// P is the two-sided p-value of no difference, and Holm the same adjusted for all comparisons of the family:
	// those of the pooled group, or those of all personas. Both are given for the trait.
	P    Number `json:"p"`
	Holm Number `json:"p_holm"`
	Pass bool   `json:"pass"` // above 0, or below 0 for collapse, with the whole interval; for the trait, by Holm too
}

// A ConditionReport is what one condition did, each prompt at the alpha chosen on the other half.
type ConditionReport struct {
	Condition string   `json:"condition"`
	Role      string   `json:"role"` // baseline, mapped, oracle, control or other
	Alphas    []Choice `json:"alphas"`
	Texts     int      `json:"texts"`
	// MissingTraits is how many texts have no trait in the means, because they collapsed or could
	// not be scored.
	MissingTraits int      `json:"missing_traits"`
	Trait         Estimate `json:"trait"`
	Coherence     Estimate `json:"coherence"`
	Collapse      Estimate `json:"collapse"`
	Tokens        Number   `json:"tokens"`     // mean
	Perplexity    Number   `json:"perplexity"` // geometric mean
	// Moved is the share of prompts whose mean trait is above the baseline's.
	Moved Estimate `json:"moved"`
	// Effect is this condition − baseline in trait; MappedMinusThis the paired differences of the
	// mapped condition to this one. Nil for the condition itself.
	Effect          *Estimate     `json:"effect"`
	MappedMinusThis *Differences  `json:"mapped_minus_this"`
	Draws           []DrawReport  `json:"draws"` // of a condition with several random vectors
	ByAlpha         []AlphaReport `json:"by_alpha"`
	Warnings        []string      `json:"warnings"`
}

// Differences are paired differences between two conditions.
type Differences struct {
	Trait     Estimate `json:"trait"`
	Coherence Estimate `json:"coherence"`
	Collapse  Estimate `json:"collapse"`
	// McNemar is the exact p-value of equal collapse rates; see [McNemar].
	McNemar Number `json:"mcnemar"`
	// AtEqualCoherence is the difference in trait with the mapped condition's dose moved to where it is as
	// coherent as the other; AtEqualLength is that with the difference in length taken out.
	AtEqualCoherence Estimate `json:"trait_at_equal_coherence"`
	AtEqualLength    Estimate `json:"trait_at_equal_length"`
}

// A DrawReport is the part of a condition that one random vector or permutation made.
type DrawReport struct {
	Draw      int    `json:"draw"`
	Texts     int    `json:"texts"`
	Trait     Number `json:"trait"`
	Coherence Number `json:"coherence"`
	Collapse  Number `json:"collapse"`
}

// An AlphaReport is a condition at one alpha, on all prompts.
type AlphaReport struct {
	Alpha         float64  `json:"alpha"`
	Texts         int      `json:"texts"`
	MissingTraits int      `json:"missing_traits"`
	Trait         Estimate `json:"trait"`
	Coherence     Estimate `json:"coherence"`
	Collapse      Estimate `json:"collapse"`
	Tokens        Number   `json:"tokens"`
	Perplexity    Number   `json:"perplexity"`
}

// The roles of conditions.
const (
	RoleBaseline = "baseline"
	RoleMapped   = "mapped"
	RoleHeldOut  = "held out" // mapped, by a map that has not seen the persona's register
	RoleOracle   = "oracle"
	RoleControl  = "control"
	RoleOther    = "other"
)

// Measures that can be a primary endpoint.
const (
	MeasureTrait     = "trait"
	MeasureCoherence = "coherence"
	MeasureCollapse  = "collapse"
)

// Options say which conditions play which part and how chance is reckoned.
type Options struct {
	Baseline string `json:"baseline"`
	Mapped   string `json:"mapped"`
	Oracle   string `json:"oracle"`
	// HeldOut is the mapped condition whose map has not seen the persona's register; it may be absent.
	HeldOut string `json:"held_out"`
	// Null are the controls whose vectors are drawn at random.
	Null []string `json:"null"`
	// Controls are the naive methods and controls that the mapped condition must beat. Those that
	// have no rows are left out with a warning. Conditions named nowhere are reported only.
	Controls []string `json:"controls"`
	// Versus and Measure declare the primary endpoint.
	Versus     []string   `json:"versus"`
	Measure    string     `json:"measure"`
	Thresholds Thresholds `json:"thresholds"`
	Level      float64    `json:"level"`     // coverage of intervals
	Resamples  int        `json:"resamples"` // of prompts
	// AUROC is the cross-validated AUROC of each persona's trait scorer.
	AUROC map[string]float64 `json:"-"`
	// Few are the intervals of AUROC of the personas whose scorer rests on too few texts for halves:
	// of these the interval's lower bound must meet the threshold.
	Few map[string][2]Number `json:"-"`
	// Separation is how far each persona's texts are from the target's unsteered ones, by its scorer.
	Separation map[string]Separation `json:"-"`
	Seed       [32]byte              `json:"-"` // of the resamples
}

// DefaultOptions are those of the experiment: `ridge` is judged against `none`, `oracle` and the
// controls, which the caller names.
func DefaultOptions() Options {
	return Options{
		Baseline: "none", Mapped: "ridge", Oracle: "oracle", HeldOut: "ridge_held_out",
		Versus: []string{"none", "shuffled_pairs"}, Measure: MeasureTrait,
		Thresholds: DefaultThresholds(), Level: 0.95, Resamples: 10000,
	}
}
