package transforms

import (
	"context"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// judged is what a judge said, on its own scale.
func (u *Unit) judged(ctx context.Context, _ Evaluate, _ []batch) (*further, error) {
	f := newFurther(MeasureJudge, "", trial.MeasureTrait, trial.MeasureCoherence)
	for _, o := range u.Input(MeasureJudge) {
		table, err := load(ctx, u.Store, o, artifacts.KindJudgements, artifacts.DecodeJudgements)
		if err != nil {
			return nil, err
		}
		f.report.What = table.Model
		for _, row := range table.Rows {
			if row.Weighted && row.Status == "" {
				f.report.Weighted++
			}
			if f.scores[row.Measure] != nil {
				f.enter(row.Measure, measuredText{int(row.Batch), int(row.Row), row.Persona}, row.Score, row.Status)
			}
		}
	}
	return f, nil
}

// reasonOf is the reason of a status without what is particular to one text.
func reasonOf(status string) string {
	if i := strings.IndexAny(status, ":("); i >= 0 {
		status = status[:i]
	}
	return strings.TrimSpace(status)
}
