package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// figures are all figures that the results have numbers for, in the order of the page.
func figures(r transforms.Report) []figure {
	all := []figure{planeFigure(r), alphaFigure(r), forestFigure(r), cosineFigure(r), lambdaFigure(r.Fit), pairsFigure(r.Fit)}
	return slices.DeleteFunc(all, func(f figure) bool { return len(f.Panels) == 0 })
}

// A dot is a point of a curve with its interval.
type dot struct{ x, y, low, high float64 }

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > 1e9 {
			return false
		}
	}
	return true
}

// curve draws a line through dots, its band and its marks. A gap in the dots is a gap in the line.
func curve(l line, dots []dot, r vg.Length) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		at := func(d dot) vg.Point { return vg.Point{X: x(d.x), Y: y(d.y)} }
		if l.band {
			var upper, lower []vg.Point
			for _, d := range dots {
				if finite(d.low, d.high) {
					upper, lower = append(upper, vg.Point{X: x(d.x), Y: y(d.high)}), append(lower, vg.Point{X: x(d.x), Y: y(d.low)})
				}
			}
			slices.Reverse(lower)
			if len(upper) > 1 {
				c.FillPolygon(faint(l.color, .16), c.ClipPolygonXY(append(upper, lower...)))
			}
		}
		var points []vg.Point
		for _, d := range dots {
			points = append(points, at(d))
		}
		if len(points) > 1 {
			c.StrokeLines(l.style(), c.ClipLinesXY(points)...)
		}
		for _, p := range points {
			if r > 0 && c.Contains(p) {
				l.point(c, p, r)
			}
		}
	}
}

// label writes a few words at a point.
func label(c draw.Canvas, at vg.Point, words string, size float64, style func(*text.Style)) {
	s := text.Style{Color: muted, Font: face(size), Handler: plot.DefaultTextHandler}
	if style != nil {
		style(&s)
	}
	c.FillText(s, at, words)
}

// A measure is one of the numbers that every text has.
type measure struct {
	name      string
	low, high float64
	ticks     []float64
	scale     float64
	of        func(trial.AlphaReport) trial.Estimate
}

func measures() []measure {
	return []measure{
		{"trait (1–5)", 1, 5, []float64{1, 2, 3, 4, 5}, 1, func(a trial.AlphaReport) trial.Estimate { return a.Trait }},
		{"coherence (1–5)", 1, 5, []float64{1, 2, 3, 4, 5}, 1, func(a trial.AlphaReport) trial.Estimate { return a.Coherence }},
		{"collapsed (%)", 0, 100, []float64{0, 25, 50, 75, 100}, 100, func(a trial.AlphaReport) trial.Estimate { return a.Collapse }},
	}
}

// unsteered reports a condition that is at alpha 0 only: it is a level, not a curve.
func unsteered(c trial.ConditionReport) bool { return len(c.ByAlpha) == 1 && c.ByAlpha[0].Alpha == 0 }

// alphaFigure has one row of panels a group: each measure against alpha.
func alphaFigure(r transforms.Report) figure {
	f := figure{Name: "alpha", Title: "What grows with alpha", Columns: len(measures()), Key: linesOf(r.Evaluation.Pooled), Data: alphasTable(r),
		Caption: fmt.Sprintf("Trait, coherence and share of collapsed texts against the strength of the steering (alpha, in units of %s), for all personas and for each. Bands: %.0f %% intervals. Flat lines: conditions without a vector.", r.Experiment.AlphaUnit, 100*r.Evaluation.Options.Level)}
	low, high := alphaRange(r)
	if !finite(low, high) || high <= low {
		return f
	}
	for _, g := range groups(r) {
		for _, m := range measures() {
			f.Panels = append(f.Panels, alphaPanel(g, m, low, high, r.Experiment.AlphaUnit))
		}
	}
	return f
}

// alphaRange is from 0 to the largest alpha that was tried.
func alphaRange(r transforms.Report) (low, high float64) {
	for _, g := range groups(r) {
		for _, c := range g.Conditions {
			for _, a := range c.ByAlpha {
				low, high = min(low, a.Alpha), max(high, a.Alpha)
			}
		}
	}
	return low, high * 1.04
}

func alphaPanel(g trial.Group, m measure, low, high float64, unit string) panel {
	p := withGrid(newPlot(everyone(g)+": "+strings.ToLower(m.name), "alpha ("+visible(unit)+")", ""))
	rangeOf(&p.X, low, high, steps(low, high)...)
	rangeOf(&p.Y, m.low, m.high, m.ticks...)
	var says []string
	lines := linesOf(g)
	for _, above := range []bool{false, true} {
		for i, c := range g.Conditions {
			if foremost(c.Role) != above {
				continue
			}
			var dots []dot
			for _, a := range c.ByAlpha {
				e := m.of(a)
				if v := m.scale * float64(e.Value); finite(v, a.Alpha) {
					dots = append(dots, dot{a.Alpha, v, m.scale * float64(e.Low), m.scale * float64(e.High)})
				}
			}
			if len(dots) == 0 {
				continue
			}
			says = append(says, fmt.Sprintf("%s from %.2f to %.2f", c.Condition, dots[0].y, dots[len(dots)-1].y))
			r := vg.Length(2.2)
			if unsteered(c) {
				level := dots[0]
				level.x, r = high, 0
				dots[0].x = low
				dots = append(dots, level)
			}
			p.Add(curve(lines[i], dots, r))
		}
	}
	return drawPanel(p, "Against alpha: "+visible(strings.Join(says, "; "))+".", 300, 210)
}

// steps are a few round numbers from low to high.
func steps(low, high float64) (ticks []float64) {
	step := math.Pow(10, math.Floor(math.Log10(high-low)))
	for _, factor := range []float64{5, 2, 1, .5, .2} {
		if (high-low)/(step*factor) >= 4 {
			step *= factor
			break
		}
	}
	for k := math.Ceil(low / step); k*step <= high && len(ticks) < 20; k++ {
		ticks = append(ticks, math.Round(k*step*1e9)/1e9)
	}
	return ticks
}

// planeFigure has trait against coherence, the alphas of each condition as a path.
func planeFigure(r transforms.Report) figure {
	f := figure{Name: "plane", Title: "Trait against coherence", Columns: 2, Halo: true, Key: linesOf(r.Evaluation.Pooled), Data: alphasTable(r),
		Caption: "Each condition's path as alpha grows, from the unsteered texts. Up is more of the persona, right is better language: a vector that works goes up before it goes left. Dotted: the thresholds of the verdict. Numbers: alpha."}
	for _, g := range groups(r) {
		f.Panels = append(f.Panels, planePanel(g, r.Evaluation.Options.Thresholds))
	}
	return f
}

func planePanel(g trial.Group, t trial.Thresholds) panel {
	p := withGrid(newPlot(everyone(g), "coherence (1–5)", "trait (1–5)"))
	rangeOf(&p.X, 1, 5, 1, 2, 3, 4, 5)
	rangeOf(&p.Y, 1, 5, 1, 2, 3, 4, 5)
	p.Add(drawing(func(c draw.Canvas, x, y func(float64) vg.Length) {
		dotted := draw.LineStyle{Color: muted, Width: .8, Dashes: []vg.Length{1, 2}}
		if t.Trait > 1 && t.Trait < 5 {
			c.StrokeLine2(dotted, x(1), y(t.Trait), x(5), y(t.Trait))
		}
		if t.Coherence > 1 && t.Coherence < 5 {
			c.StrokeLine2(dotted, x(t.Coherence), y(1), x(t.Coherence), y(5))
		}
	}))
	lines := linesOf(g)
	var start []dot
	for _, c := range g.Conditions {
		if c.Role == trial.RoleBaseline {
			for _, a := range c.ByAlpha {
				start = path(start, a)
			}
		}
	}
	var says []string
	var labels []plot.Plotter
	for _, above := range []bool{false, true} {
		for i, c := range g.Conditions {
			if foremost(c.Role) != above {
				continue
			}
			l := lines[i]
			l.band = false
			var dots []dot
			var alphas []float64
			if !unsteered(c) && len(start) > 0 {
				dots, alphas = append(dots, start[0]), append(alphas, 0)
			}
			for _, a := range c.ByAlpha {
				if longer := path(dots, a); len(longer) > len(dots) {
					dots, alphas = longer, append(alphas, a.Alpha)
				}
			}
			if len(dots) == 0 {
				continue
			}
			end := dots[len(dots)-1]
			says = append(says, fmt.Sprintf("%s ends at coherence %.2f, trait %.2f", c.Condition, end.x, end.y))
			p.Add(curve(l, dots, 2.6))
			if above {
				labels = append(labels, alphaLabels(l, dots, alphas))
			}
		}
	}
	p.Add(labels...)
	return drawPanel(p, "Paths over alpha: "+visible(strings.Join(says, "; "))+".", 360, 300)
}

// path adds the place of an alpha, if it has one.
func path(dots []dot, a trial.AlphaReport) []dot {
	if x, y := float64(a.Coherence.Value), float64(a.Trait.Value); finite(x, y) {
		dots = append(dots, dot{x: x, y: y, low: math.NaN(), high: math.NaN()})
	}
	return dots
}

// alphaLabels writes the alphas beside their points: of the mapped vector left, of the oracle right, and
// none that would lie on the one before.
func alphaLabels(l line, dots []dot, alphas []float64) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		last := vg.Point{X: -100, Y: -100}
		for i, d := range dots {
			at := vg.Point{X: x(d.x), Y: y(d.y)}
			if alphas[i] == 0 || !c.Contains(at) || math.Hypot(float64(at.X-last.X), float64(at.Y-last.Y)) < 13 {
				continue
			}
			last = at
			side, shift := text.XAlignment(text.XRight), vg.Length(-4)
			if l.mark == square {
				side, shift = text.XLeft, 4
			}
			label(c, vg.Point{X: at.X + shift, Y: at.Y + 2}, fmt.Sprintf("%g", alphas[i]), 7.5, func(s *text.Style) { s.Color, s.XAlign = l.color, side })
		}
	}
}
