package sheet

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A Line is a person beside one scorer of one measure.
type Line struct {
	Measure string `json:"measure"`
	Scorer  string `json:"scorer"`
	trial.Agreement
}

// Compare puts the ratings beside what each scorer gave the same texts. texts are those of the experiment
// that the sheet was drawn from, with the scores of each scorer in the same order. Intervals follow from seed.
func Compare(rated []Rated, texts []artifacts.Sample, scorers []pipelines.Scores, seed uint64) ([]Line, error) {
	at := map[place]int{}
	for i, s := range texts {
		at[placeOf(s)] = i
	}
	index := make([]int, len(rated))
	var problems pipelines.Problems
	for i, r := range rated {
		k, ok := at[r.place()]
		if !ok || digest(texts[k]) != r.Digest {
			problems = append(problems, fmt.Sprintf("text %s is not among the texts of this experiment; give the configuration that the sheet was made with", r.ID))
		}
		index[i] = k
	}
	if len(problems) > 0 {
		return nil, problems
	}
	resamples := cache.NewRecipe("agreement", 1).Uint("seed", seed).Key()
	var lines []Line
	for _, s := range scorers {
		var pairs []trial.Pair
		for i, r := range rated {
			given := r.Trait
			if s.Measure == trial.MeasureCoherence {
				given = r.Coherence
			}
			pairs = append(pairs, trial.Pair{A: given, B: s.Values[index[i]], Prompt: int(r.Prompt)})
		}
		lines = append(lines, Line{s.Measure, s.Scorer, trial.Agree(pairs, resamples)})
	}
	return lines, nil
}

// A Group is what a person gave the texts of one condition.
type Group struct {
	Condition        string
	Texts            int
	Trait, Coherence float64 // means of what was rated; NaN: nothing was
}

// Groups takes the ratings apart by condition, in the order of the names.
func Groups(rated []Rated) (groups []Group) {
	of := map[string][]Rated{}
	for _, r := range rated {
		of[r.Condition] = append(of[r.Condition], r)
	}
	for name, list := range of {
		groups = append(groups, Group{name, len(list), mean(list, func(r Rated) float64 { return r.Trait }), mean(list, func(r Rated) float64 { return r.Coherence })})
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Condition, b.Condition) })
	return groups
}

func mean(list []Rated, of func(Rated) float64) float64 {
	sum, n := 0.0, 0.0
	for _, r := range list {
		if x := of(r); !math.IsNaN(x) {
			sum, n = sum+x, n+1
		}
	}
	return sum / n
}

// WriteTable prints both for people.
func WriteTable(w io.Writer, rated []Rated, lines []Line) error {
	trait, coherence := 0, 0
	for _, r := range rated {
		trait, coherence = trait+given(r.Trait), coherence+given(r.Coherence)
	}
	fmt.Fprintf(w, "%d texts: %d rated for trait, %d for coherence\n\n", len(rated), trait, coherence)
	fmt.Fprintf(w, "%-10s %-12s %5s  %-22s %s\n", "measure", "scorer", "texts", "kappa", "Spearman")
	for _, l := range lines {
		fmt.Fprintf(w, "%-10s %-12s %5d  %-22s %s\n", l.Measure, l.Scorer, l.Kappa.N, estimate(l.Kappa), estimate(l.Spearman))
	}
	fmt.Fprintf(w, "\n%-18s %5s  %-6s %s\n", "condition", "texts", "trait", "coherence")
	for _, g := range Groups(rated) {
		fmt.Fprintf(w, "%-18s %5d  %-6s %s\n", g.Condition, g.Texts, rounded(g.Trait), rounded(g.Coherence))
	}
	_, err := fmt.Fprintln(w, "\nkappa: Cohen's, weighted by squared distance, of ratings rounded to 1-5; 95 % intervals of resampled prompts")
	return err
}

func given(rating float64) int {
	if math.IsNaN(rating) {
		return 0
	}
	return 1
}

func rounded(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}

func estimate(e trial.Estimate) string {
	switch {
	case e.Value.Missing():
		return "missing"
	case e.Low.Missing():
		return fmt.Sprintf("%.2f", float64(e.Value))
	}
	return fmt.Sprintf("%.2f [%.2f, %.2f]", float64(e.Value), float64(e.Low), float64(e.High))
}
