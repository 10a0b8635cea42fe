package trial

import (
	"math"
)

// Thresholds are what a condition has to reach.
type Thresholds struct {
	Coherence float64 `json:"coherence"` // above
	Trait     float64 `json:"trait"`     // above
	Collapse  float64 `json:"collapse"`  // below, as a share
	Margin    float64 `json:"margin"`    // of non-inferiority: by how much the trait may fall short of the oracle's
	AUROC     float64 `json:"auroc"`     // of the trait scorer, at least
	DPrime    float64 `json:"d_prime"`   // of the persona's texts over the target's unsteered ones by that scorer, at least
}

// DefaultThresholds are the success criteria of the experiment.
func DefaultThresholds() Thresholds {
	return Thresholds{Coherence: 3.5, Trait: 2.5, Collapse: 0.3, Margin: 0.5, AUROC: 0.9, DPrime: 2}
}

// A Dose is what is known about one alpha on the prompts on which alphas are chosen: means, and
// their standard errors over prompts.
type Dose struct {
	Alpha                  float64
	Trait                  float64 // NaN if every text collapsed
	Coherence, CoherenceSE float64
	Collapse, CollapseSE   float64
}

// margin returns by which factor the dose meets the coherence and collapse thresholds, each taken
// one standard error to the worse: above 1 it is admissible.
func (d Dose) margin(t Thresholds) float64 {
	m := min((d.Coherence-d.CoherenceSE)/t.Coherence, (1-d.Collapse-d.CollapseSE)/(1-t.Collapse))
	if isMissing(m) {
		return math.Inf(-1)
	}
	return m
}

// ChooseAlpha returns the index of the best dose, by one rule for every condition: the highest trait
// among the doses that meet the thresholds of coherence and collapse by at least one standard
// error. If none does, the dose that comes nearest. admissible says which of the two it was. Ties,
// and doses without a trait, go to the smaller |alpha|. It panics if there is no dose.
//
// The rule asks for the strongest dose that leaves the text readable. Trait alone would reward
// texts made of markers only, and a product of trait and coherence would let a condition buy one
// with the other below what counts as success.
func ChooseAlpha(doses []Dose, t Thresholds) (index int, admissible bool) {
	if len(doses) == 0 {
		panic("trial: no doses to choose from")
	}
	better := func(a, b Dose) bool {
		am, bm := a.margin(t), b.margin(t)
		aTrait, bTrait := a.Trait, b.Trait
		switch {
		case (am > 1) != (bm > 1):
			return am > 1
		case am > 1 && aTrait != bTrait && !(isMissing(aTrait) && isMissing(bTrait)):
			return isMissing(bTrait) || aTrait > bTrait
		case am <= 1 && am != bm:
			return am > bm
		}
		return math.Abs(a.Alpha) < math.Abs(b.Alpha)
	}
	for i, d := range doses {
		if i > 0 && better(d, doses[index]) {
			index = i
		}
	}
	return index, doses[index].margin(t) > 1
}

// A Choice is the alpha at which one persona's prompts were judged.
type Choice struct {
	Persona string `json:"persona"`
	// Even is the alpha used on even-numbered prompts, chosen on the odd-numbered ones, and Odd the
	// other way round.
	Even float64 `json:"even"`
	Odd  float64 `json:"odd"`
	// Admissible says that both met the thresholds of coherence and collapse where they were
	// chosen.
	Admissible bool `json:"admissible"`
	// Crossed is false if one half had no prompts, so that alphas were chosen where they are used.
	Crossed bool `json:"crossed"`
}

// at is the alpha at which a prompt is judged.
func (c Choice) at(prompt int) float64 {
	if prompt%2 == 0 {
		return c.Even
	}
	return c.Odd
}

func promptOf(r Row) int { return r.Prompt }

func rowsAt(rows []Row, alpha float64) []Row {
	var out []Row
	for _, r := range rows {
		if r.Alpha == alpha {
			out = append(out, r)
		}
	}
	return out
}
