package report

import (
	"maps"
	"slices"

	"github.com/persona-transfer/runpipeline/transforms"
)

// judge says how much a judge answered, and how far it agrees with the program's own scores. Its means are in
// report.json.
func (p *printer) judge(r transforms.Report) {
	j := r.Judge
	if j == nil {
		return
	}
	p.line("")
	p.line("judge %s: %d scores, %d of them weighted by log-probabilities", j.Model, j.Scores, j.Weighted)
	for _, reason := range slices.Sorted(maps.Keys(j.Missing)) {
		p.line("  %d missing: %s", j.Missing[reason], reason)
	}
	for _, a := range j.Agreement {
		p.line("  beside the scorer of %s: weighted kappa %s, Spearman %s, over %d texts", a.Measure, interval(a.Kappa, "%.2f", 1), interval(a.Spearman, "%.2f", 1), a.Kappa.N)
	}
}
