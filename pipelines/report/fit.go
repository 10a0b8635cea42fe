package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
)

// Fit prints what is known of a map that was fitted to files, for a terminal of so many columns; 0: for no
// terminal. The lines and tables are those of an experiment's report.
func Fit(w io.Writer, r *pipelines.FitResult, columns int) error {
	p := &printer{w: w, width: columns}
	p.line("%d pairs, %d × %d dimensions; %d folds, %s", r.Pairs, r.Map.Rows, r.Map.Cols, r.CV.Folds, r.Folding)
	p.fitted(r.FitReport)
	p.line("")
	lambdas := lambdasTable(r.FitReport)
	lambdas.Columns = append([]string{lambdas.Columns[0] + " (" + string(r.CV.Unit) + ")"}, lambdas.Columns[1:]...)
	p.columns(lambdas.plain())
	if len(r.Spectrum) > 0 {
		p.line("")
		p.line("singular values of the map, largest first: %s", list(r.Spectrum))
	}
	return p.err
}

// plain is the table as words.
func (t tabular) plain() [][]string {
	rows := [][]string{t.Columns}
	for _, r := range t.Rows {
		var line []string
		for _, c := range r {
			line = append(line, c.String())
		}
		rows = append(rows, line)
	}
	return rows
}

// list writes a few numbers of a long list.
func list(values []float64) string {
	const most = 8
	var parts []string
	for _, v := range values[:min(most, len(values))] {
		parts = append(parts, fmt.Sprintf("%.3g", v))
	}
	if n := len(values); n > most {
		parts = append(parts, fmt.Sprintf("… %.3g (number %d)", values[n-1], n))
	}
	return strings.Join(parts, " ")
}

// FitFigure draws the cross-validation, the learning curve and the spectrum of a map as an SVG.
func FitFigure(r transforms.FitReport) ([]byte, error) {
	lambda, pairs := lambdaFigure(r), pairsFigure(r)
	f := figure{Title: "The map", Columns: 3, Key: lambda.Key,
		Caption: strings.Join([]string{lambda.Caption, pairs.Caption, "The singular values of the map, largest first."}, " "),
		Panels:  slices.Concat(lambda.Panels, pairs.Panels, spectrumPanel(r.Spectrum))}
	if len(f.Panels) == 0 {
		return nil, fmt.Errorf("draw the fit: one penalty, no learning curve and no spectrum make no picture")
	}
	return f.file(), nil
}

// spectrumPanel draws singular values as shares of the largest.
func spectrumPanel(values []float64) []panel {
	if len(values) < 2 || !finite(values...) || values[0] <= 0 {
		return nil
	}
	p := withGrid(newPlot("Spectrum of the map", "singular value", "share of the largest"))
	rangeOf(&p.X, .5, float64(len(values))+.5)
	var ticks plot.ConstantTicks
	for _, n := range []int{1, len(values) / 4, len(values) / 2, 3 * len(values) / 4, len(values)} {
		if n > 0 {
			ticks = append(ticks, plot.Tick{Value: float64(n), Label: fmt.Sprint(n)})
		}
	}
	p.X.Tick.Marker = ticks
	rangeOf(&p.Y, 0, 1, 0, .25, .5, .75, 1)
	var dots []dot
	for i, v := range values {
		share := v / values[0]
		dots = append(dots, dot{float64(i + 1), share, share, share})
	}
	p.Add(curve(line{color: purple, mark: disc, width: 1.4}, dots, 1.8))
	return []panel{drawPanel(p, "Singular values of the map: "+list(values)+".", vg.Length(300), 220)}
}
