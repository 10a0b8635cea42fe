package transforms

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A JudgeReport is what a judge said of the texts. It stands beside the evaluation, which it does not change.
type JudgeReport struct {
	Model     string            `json:"model"`
	Scores    int               `json:"scores"`
	Weighted  int               `json:"weighted"` // of these by the probabilities of tokens
	Missing   map[string]int    `json:"missing"`  // how many more there should be, by reason
	Groups    []JudgedGroup     `json:"groups"`
	Agreement []JudgedAgreement `json:"agreement"`
}

// A JudgedGroup is the mean of a judge's scores over the texts of one condition, persona and alpha.
type JudgedGroup struct {
	Persona   string       `json:"persona"`
	Condition string       `json:"condition"`
	Alpha     float64      `json:"alpha"`
	Trait     trial.Number `json:"trait"`
	Coherence trial.Number `json:"coherence"`
	Texts     int          `json:"texts"`
}

// A JudgedAgreement says how far the judge agrees with this program's own scorer of a measure.
type JudgedAgreement struct {
	Measure string `json:"measure"`
	trial.Agreement
}

// judgements reads what the stage judge made, if the stage reads it: nil otherwise.
func (u *Unit) judgements(ctx context.Context) ([]*artifacts.Judgements, error) {
	if !slices.Contains(u.Stage.Inputs, "judge") {
		return nil, nil
	}
	var all []*artifacts.Judgements
	for _, o := range u.Input("judge") {
		j, err := load(ctx, u.Store, o, artifacts.KindJudgements, artifacts.DecodeJudgements)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}

// A judgedText is one text under one persona, as the judge saw it.
type judgedText struct {
	batch, row int
	persona    string
}

// judgeReport compares the judge's scores with those of the evaluation's rows, which are batch by batch,
// persona by persona, text by text.
func (j *jury) judgeReport(ctx context.Context, u *Unit, rows []trial.Row) (*JudgeReport, error) {
	tables, err := u.judgements(ctx)
	if err != nil || tables == nil {
		return nil, err
	}
	r := &JudgeReport{Missing: map[string]int{}}
	scores := map[string]map[judgedText]float64{judge.Trait: {}, judge.Coherence: {}}
	for _, t := range tables {
		r.Model = t.Model
		for _, row := range t.Rows {
			switch {
			case row.Status != "":
				r.Missing[reasonOf(row.Status)]++
			case row.Weighted:
				r.Weighted++
				fallthrough
			default:
				r.Scores++
				scores[row.Measure][judgedText{int(row.Batch), int(row.Row), row.Persona}] = row.Score
			}
		}
	}
	pairs := map[string][]trial.Pair{}
	for i, b := range j.settings.Batches {
		n := j.sizes[i]
		for _, p := range b.Personas(j.settings.Personas) {
			var traits, coherences []float64
			for k, row := range rows[:n] {
				trait, coherence := at(scores[judge.Trait], judgedText{i, k, p}), at(scores[judge.Coherence], judgedText{i, k, ""})
				traits, coherences = append(traits, trait), append(coherences, coherence)
				pairs[judge.Trait] = append(pairs[judge.Trait], trial.Pair{A: trait, B: row.Trait, Prompt: row.Prompt})
				pairs[judge.Coherence] = append(pairs[judge.Coherence], trial.Pair{A: coherence, B: row.Coherence, Prompt: row.Prompt})
			}
			r.Groups = append(r.Groups, JudgedGroup{p, b.Condition, b.Alpha, trial.Number(trial.Mean(traits)), trial.Number(trial.Mean(coherences)), n})
			rows = rows[n:]
		}
	}
	seed := cache.NewRecipe("agreement", 1).Uint("seed", j.settings.Seed).Key()
	for _, measure := range []string{judge.Trait, judge.Coherence} {
		r.Agreement = append(r.Agreement, JudgedAgreement{measure, trial.Agree(pairs[measure], seed)})
	}
	return r, nil
}

// at is the score of a text, NaN if there is none.
func at(scores map[judgedText]float64, text judgedText) float64 {
	if score, ok := scores[text]; ok {
		return score
	}
	return math.NaN()
}

// reasonOf is the reason of a status without what is particular to one text.
func reasonOf(status string) string {
	if i := strings.IndexAny(status, ":("); i >= 0 {
		status = status[:i]
	}
	return strings.TrimSpace(status)
}
