package pipelines

import (
	"context"
	"fmt"
	"math"

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
	all := []Scores{trait, coherence}
	if step := plan.step("judge"); step.State == Hit {
		judged, err := e.judgedScores(ctx, store, plan, len(rows.Rows))
		if err != nil {
			return nil, nil, err
		}
		all = append(all, judged...)
	}
	return rows.Rows, all, nil
}

// judgedScores puts the judge's scores into the order of the evaluation: batch by batch, persona by persona.
func (e *Experiment) judgedScores(ctx context.Context, store cache.Store, plan *Plan, rows int) ([]Scores, error) {
	type row struct {
		batch, row       int32
		persona, measure string
	}
	scores := map[row]float64{}
	for _, o := range plan.step("judge").Manifest {
		j, err := artifacts.Fetch(ctx, store, o.Digest, artifacts.DecodeJudgements)
		if err != nil {
			return nil, err
		}
		for _, r := range j.Rows {
			scores[row{r.Batch, r.Row, r.Persona, r.Measure}] = r.Score
		}
	}
	trait, coherence := Scores{trial.MeasureTrait, "judge", nil}, Scores{trial.MeasureCoherence, "judge", nil}
	add := func(s *Scores, at row) {
		value, ok := scores[at]
		if !ok {
			value = math.NaN()
		}
		s.Values = append(s.Values, value)
	}
	for i, b := range e.generation().Batches {
		for _, p := range b.Personas(e.PersonaDatasets.Names()) {
			for k := range e.NTestPrompts * e.NSeeds {
				add(&trait, row{int32(i), int32(k), p, trial.MeasureTrait})
				add(&coherence, row{int32(i), int32(k), "", trial.MeasureCoherence})
			}
		}
	}
	if len(trait.Values) != rows {
		return nil, fmt.Errorf("%d judged rows for %d evaluated ones: %w", len(trait.Values), rows, artifacts.ErrMismatch)
	}
	return []Scores{trait, coherence}, nil
}

// Describe is what a rater is told of a persona.
func (e *Experiment) Describe(persona string) string {
	return e.PersonaDatasets.Sets[persona].described(persona)
}
