package report

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// forestFigure has the differences of the mapped condition to every other one.
func forestFigure(r transforms.Report) figure {
	g := r.Evaluation.Pooled
	f := figure{Name: "forest", Title: "Differences in trait", Columns: 2, Data: differencesTable(r),
		Caption: fmt.Sprintf("Trait of %s minus that of each other condition, with %.0f %% intervals. An interval that touches the line at 0 shows no difference; the grey band is the margin of %g by which it may fall short of the target's own vector.", mappedName(g), 100*r.Evaluation.Options.Level, r.Evaluation.Options.Thresholds.Margin)}
	low, high := -1.0, 1.0
	for _, g := range groups(r) {
		for _, c := range g.Conditions {
			if d := c.MappedMinusThis; d != nil && finite(float64(d.Trait.Low), float64(d.Trait.High)) {
				low, high = min(low, float64(d.Trait.Low)), max(high, float64(d.Trait.High))
			}
		}
	}
	low, high = max(math.Floor(2*low)/2, -4), min(math.Ceil(2*high)/2, 4)
	for _, g := range groups(r) {
		if p, ok := forestPanel(g, low, high, r.Evaluation.Options.Thresholds.Margin); ok {
			f.Panels = append(f.Panels, p)
		}
	}
	return f
}

// forestPanel is one group, a row each condition.
func forestPanel(g trial.Group, low, high, margin float64) (panel, bool) {
	const row, left, right = 18, 92, 102
	type entry struct {
		line
		estimate trial.Estimate
	}
	var rows []entry
	var says []string
	lines := linesOf(g)
	for i, c := range g.Conditions {
		if d := c.MappedMinusThis; d != nil && finite(float64(d.Trait.Value)) {
			rows = append(rows, entry{lines[i], d.Trait})
			says = append(says, "minus "+c.Condition+": "+estimate(d.Trait, "%+.2f").String())
		}
	}
	if len(rows) == 0 {
		return panel{}, false
	}
	p := newPlot(everyone(g)+": "+mappedName(g)+" minus …", "difference in trait", "")
	rangeOf(&p.X, low, high, steps(low, high)...)
	rangeOf(&p.Y, 0, float64(len(rows)))
	p.Y.LineStyle.Width = 0
	p.Add(drawing(func(c draw.Canvas, x, y func(float64) vg.Length) {
		inside := draw.Crop(c, left, -right, 0, 0)
		x = func(v float64) vg.Length {
			return inside.Min.X + vg.Length((v-low)/(high-low))*(inside.Max.X-inside.Min.X)
		}
		clip := func(v float64) vg.Length { return x(min(max(v, low), high)) }
		if margin > 0 {
			c.FillPolygon(faint(grey, .14), []vg.Point{{X: clip(-margin), Y: c.Min.Y}, {X: clip(0), Y: c.Min.Y}, {X: clip(0), Y: c.Max.Y}, {X: clip(-margin), Y: c.Max.Y}})
		}
		for _, t := range steps(low, high) {
			c.StrokeLine2(draw.LineStyle{Color: grid, Width: .5}, x(t), c.Min.Y, x(t), c.Max.Y)
			label(c, vg.Point{X: x(t), Y: c.Min.Y - 4}, minus(fmt.Sprintf("%g", t)), 9, func(s *text.Style) { s.XAlign, s.YAlign = text.XCenter, text.YTop })
		}
		c.StrokeLine2(draw.LineStyle{Color: muted, Width: 1}, x(0), c.Min.Y, x(0), c.Max.Y)
		for i, e := range rows {
			at := vg.Point{X: clip(float64(e.estimate.Value)), Y: y(float64(len(rows)-i) - .5)}
			label(c, vg.Point{X: c.Min.X, Y: at.Y}, short(e.Name), 9, func(s *text.Style) { s.Color, s.YAlign = ink, text.YCenter })
			if !e.estimate.Low.Missing() && !e.estimate.High.Missing() {
				c.StrokeLine2(draw.LineStyle{Color: e.color, Width: 1.3}, clip(float64(e.estimate.Low)), at.Y, clip(float64(e.estimate.High)), at.Y)
			}
			e.point(c, at, 2.8)
			label(c, vg.Point{X: c.Max.X, Y: at.Y}, estimate(e.estimate, "%+.2f").String(), 8.5, func(s *text.Style) { s.XAlign, s.YAlign = text.XRight, text.YCenter })
		}
	}))
	p.X.Label.Padding = 14 // the ticks are drawn with the rows
	p.X.Tick.Marker, p.X.Tick.Length, p.X.LineStyle.Width = blank(), 0, 0
	return drawPanel(p, visible(strings.Join(says, "; "))+".", 350, vg.Length(56+row*len(rows))), true
}

// short cuts a name to the room of a label.
func short(name string) string {
	const most = 20
	runes := []rune(visible(name))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
