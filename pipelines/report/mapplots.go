package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/persona-transfer/runpipeline/transforms"
)

// blank keeps the room of an axis' labels, which are drawn by the plot itself.
func blank() plot.ConstantTicks { return plot.ConstantTicks{{Value: 0, Label: " "}} }

func cutTo(name string, most int) string {
	if runes := []rune(visible(name)); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return visible(name)
}

// A scored is a set of R² at one place of a curve.
type scored struct{ at, r2, standardised, median, deviation float64 }

// lambdaFigure is the cross-validation over penalties.
func lambdaFigure(r transforms.FitReport) figure {
	f := figure{Name: "lambda", Title: "Choice of lambda", Columns: 1, Data: lambdasTable(r),
		Caption: fmt.Sprintf("R² on pairs that were not fitted, over %d folds, against the penalty (%s). Band: one standard error. The upright line is the lambda that was used, %g.", r.CV.Folds, r.CV.Unit, r.Lambda)}
	var points []scored
	for _, p := range r.CV.Penalties {
		points = append(points, scored{p.Lambda, p.R2, p.R2Standardised, p.R2Median, p.StandardError})
	}
	f.Key = r2Lines()
	f.Panels = r2Panel("R² of the map by penalty", "lambda ("+string(r.CV.Unit)+")", points, r.Lambda)
	return f
}

// pairsFigure is the learning curve.
func pairsFigure(r transforms.FitReport) figure {
	f := figure{Name: "pairs", Title: "How many pairs it takes", Columns: 1, Data: pairsTable(r),
		Caption: "R² of maps of fewer pairs, all on one fold that none of them was fitted on. A curve that still rises at its end asks for more calibration texts."}
	var points []scored
	for _, c := range r.LearningCurve {
		points = append(points, scored{float64(c.N), c.Held.R2, c.Held.R2Standardised, c.Held.R2Median, math.NaN()})
	}
	f.Key = r2Lines()
	f.Panels = r2Panel("R² of the map by number of pairs", "pairs", points, 0)
	return f
}

func r2Lines() []line {
	return []line{{Name: "R² over all dimensions", color: blue, mark: disc, width: 1.8, band: true}, {Name: "mean of dimensions", color: red, mark: square, width: 1.2, dash: []vg.Length{5, 2}}, {Name: "median of dimensions", color: green, mark: triangle, width: 1.2, dash: []vg.Length{1.5, 2}}}
}

// r2Panel draws three R² against a logarithmic scale; none, if there are no two points to join.
func r2Panel(title, x string, points []scored, chosen float64) []panel {
	points = slices.DeleteFunc(points, func(s scored) bool {
		return s.at <= 1e-30 || s.at > 1e30 || math.IsNaN(s.at) || !finite(s.r2, s.standardised, s.median)
	})
	if len(points) < 2 {
		return nil
	}
	slices.SortStableFunc(points, func(a, b scored) int { return cmp.Compare(a.at, b.at) })
	first, last := math.Log10(points[0].at), math.Log10(points[len(points)-1].at)
	if last-first < 1e-9 {
		return nil
	}
	low := 0.0
	for _, s := range points {
		low = max(min(low, math.Floor(5*min(s.r2, s.standardised, s.median))/5), -1)
	}
	p := withGrid(newPlot(title, visible(x), "held-out R²"))
	room := .04 * (last - first)
	rangeOf(&p.X, first-room, last+room)
	p.X.Tick.Marker = logTicks(first, last, points)
	rangeOf(&p.Y, low, 1, steps(low, 1)...)
	lines := r2Lines()
	values := []func(scored) float64{func(s scored) float64 { return s.r2 }, func(s scored) float64 { return s.standardised }, func(s scored) float64 { return s.median }}
	if chosen > 0 && math.Log10(chosen) >= first-room && math.Log10(chosen) <= last+room {
		p.Add(drawing(func(c draw.Canvas, x, y func(float64) vg.Length) {
			c.StrokeLine2(draw.LineStyle{Color: muted, Width: 1, Dashes: []vg.Length{3, 2}}, x(math.Log10(chosen)), c.Min.Y, x(math.Log10(chosen)), c.Max.Y)
		}))
	}
	for k := len(lines) - 1; k >= 0; k-- {
		var dots []dot
		for _, s := range points {
			v := values[k](s)
			d := dot{math.Log10(s.at), v, math.NaN(), math.NaN()}
			if k == 0 {
				d.low, d.high = v-s.deviation, v+s.deviation
			}
			dots = append(dots, d)
		}
		p.Add(curve(lines[k], dots, 2.4))
	}
	var says []string
	for _, s := range points {
		says = append(says, fmt.Sprintf("%.3g: %.2f", s.at, s.r2))
	}
	return []panel{drawPanel(p, "R² at "+minus(strings.Join(says, ", "))+".", 360, 220)}
}

// logTicks names the points of a logarithmic axis: those that were computed, if they are few.
func logTicks(first, last float64, points []scored) (ticks plot.ConstantTicks) {
	if len(points) <= 8 {
		before := math.Inf(-1)
		for _, s := range points {
			at := math.Log10(s.at)
			if at-before < .09*(last-first) {
				continue
			}
			before = at
			ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprintf("%.4g", s.at)})
		}
		return ticks
	}
	step := math.Ceil((last - first) / 7)
	for at := math.Ceil(first); at <= last; at += step {
		ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprintf("%.4g", math.Pow(10, at))})
	}
	return ticks
}
