package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Scores are what one scorer gave each text of an experiment under one measure, 1 to 5; NaN: missing.
type Scores struct {
	Measure, Scorer string
	Values          []float64
}

// Evaluated gives the texts of a finished experiment and the scores of every scorer, in the same order.
func (e *Experiment) Evaluated(ctx context.Context, store cache.Store) ([]artifacts.Sample, []Scores, error) {
	plan, err := e.Plan(ctx, store)
	if err != nil {
		return nil, nil, err
	}
	o, ok := plan.Last().Manifest.Find("rows")
	if !ok {
		return nil, nil, fmt.Errorf("%w: this experiment is not finished: run it first", ErrMissing)
	}
	rows, err := artifacts.Fetch(ctx, store, o.Digest, artifacts.DecodeEvaluation)
	if err != nil {
		return nil, nil, err
	}
	trait, coherence := Scores{trial.MeasureTrait, "lexical", nil}, Scores{trial.MeasureCoherence, "likelihood", nil}
	for _, s := range rows.Rows {
		trait.Values, coherence.Values = append(trait.Values, s.Trait), append(coherence.Values, s.Coherence)
	}
	return rows.Rows, append([]Scores{trait, coherence}, furtherScores(rows.Rows)...), nil
}

// furtherScores are what further measures gave the texts, by measure and name.
func furtherScores(rows []artifacts.Sample) (all []Scores) {
	var names []string
	for _, row := range rows {
		for _, name := range row.Measures.Names {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		scorer, measure, _ := strings.Cut(name, " ")
		s := Scores{Measure: measure, Scorer: scorer}
		for _, row := range rows {
			s.Values = append(s.Values, row.Measures.Of(name))
		}
		all = append(all, s)
	}
	return all
}

// Describe is what a rater is told of a persona.
func (e *Experiment) Describe(persona string) string {
	return e.PersonaDatasets.Sets[persona].described(persona)
}
