package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// vectorOf is what is known of a condition's vectors for a persona, if they have a cosine; else nil.
func vectorOf(r transforms.Report, persona, condition string) *transforms.VectorReport {
	for i, v := range r.Vectors {
		if v.Persona == persona && v.Condition == condition && len(v.Cosine) > 0 {
			return &r.Vectors[i]
		}
	}
	return nil
}

// floor is a floor's mean and the range of nine in ten permutations.
func floor(f *trial.Floor) cell {
	if f == nil {
		return words("")
	}
	return estimate(trial.Estimate{Value: f.Mean, Low: f.Low, High: f.High, N: f.Permutations}, "%.2f")
}

// permuted says how a floor comes about.
func permuted(r transforms.Report) string {
	how, n := "the labels of the persona's texts are permuted, in both models alike", 0
	for _, v := range r.Vectors {
		if v.Floor != nil {
			n = max(n, v.Floor.Permutations)
		}
	}
	if n == 0 {
		return how
	}
	return fmt.Sprintf("%s (%d times)", how, n)
}

// cosines says below the personas what their cosines are worth.
func (p *printer) cosines(r transforms.Report) {
	if !slices.ContainsFunc(r.Vectors, func(v transforms.VectorReport) bool { return v.Floor != nil }) {
		return
	}
	p.line("  its floor: what 95 %% of the cosines are below if %s", permuted(r))
	var parts []string
	for _, g := range r.Evaluation.Personas {
		for _, v := range r.Vectors {
			if v.Persona == g.Persona && v.SourceReliability.Splits > 0 && v.TargetReliability.Splits > 0 {
				parts = append(parts, fmt.Sprintf("%s %s, %s", g.Persona, value(trial.Estimate{Value: v.SourceReliability.Whole}, "%.2f", 1), value(trial.Estimate{Value: v.TargetReliability.Whole}, "%.2f", 1)))
				break
			}
		}
	}
	if parts != nil {
		p.line("  split-half reliability of the source's and of the target's own vector: %s", strings.Join(parts, "; "))
	}
}

// underFloor says of the mapped vectors, one note a condition, whose cosine shows nothing.
func underFloor(r transforms.Report) (notes []string) {
	for _, c := range r.Evaluation.Pooled.Conditions {
		if c.Role != trial.RoleMapped && c.Role != trial.RoleHeldOut {
			continue
		}
		var parts []string
		for _, g := range r.Evaluation.Personas {
			if v := vectorOf(r, g.Persona, c.Condition); v != nil && v.UnderFloor() {
				parts = append(parts, fmt.Sprintf("%s (%.2f, floor %.2f)", g.Persona, float64(v.Cosine[0]), float64(v.Floor.High)))
			}
		}
		if parts != nil {
			notes = append(notes, fmt.Sprintf("%s: the cosine with the target's own vector is no more than labels drawn at random give: %s", c.Condition, strings.Join(parts, ", ")))
		}
	}
	return notes
}

// cosinesTable is how near each condition's vectors are to the target's own.
func cosinesTable(r transforms.Report) tabular {
	t := tabular{Name: "cosines", Caption: "Cosine of each condition's vector with the target's own; of several draws, the mean, the least and the greatest. Floor: what it comes to if " + permuted(r) +
		": the mean, and the range of nine in ten of these; a cosine that is not above the upper end is no more than labels drawn at random give. Reliability: the cosine that is expected of vectors of other texts of the same kind, from halves of the texts (Spearman and Brown). Both models read the same texts, so what is chance in one vector is carried into the other, and a cosine may be above the reliability.",
		Columns: []string{"condition", "persona", "cosine", "floor", "above the floor", "without the dimensions of largest variance", "floor without them", "draws", "reliability, source", "reliability, target"}}
	n := len(t.Columns)
	for _, v := range r.Vectors {
		if len(v.Cosine) == 0 {
			continue
		}
		above := ""
		if v.Floor != nil {
			above = "✓ above"
			if v.UnderFloor() {
				above = "✗ no more than labels at random"
			}
		}
		names, more := extraCells(v, placedInVector...)
		t.Columns = append(t.Columns[:n], names...)
		t.Rows = append(t.Rows, append([]cell{words(v.Condition), words(v.Persona), spread(v.Cosine), floor(v.Floor), words(above), spread(v.CosineWithout), floor(v.FloorWithout), count(len(v.Cosine)),
			reliability(v.SourceReliability), reliability(v.TargetReliability)}, more...))
	}
	return t
}

func reliability(r trial.Reliability) cell {
	if r.Splits == 0 {
		return words("")
	}
	return number(float64(r.Whole), "%.2f")
}

// spread gives the mean of numbers, between their least and greatest if there are several.
func spread(values []trial.Number) cell {
	mean, low, high, n := 0.0, math.Inf(1), math.Inf(-1), 0
	for _, v := range values {
		if !v.Missing() {
			mean, low, high, n = mean+float64(v), min(low, float64(v)), max(high, float64(v)), n+1
		}
	}
	e := trial.Estimate{Value: missing, Low: missing, High: missing, N: n}
	if n > 0 {
		e.Value = trial.Number(mean / float64(n))
	}
	if n > 1 {
		e.Low, e.High = trial.Number(low), trial.Number(high)
	}
	return estimate(e, "%.2f")
}

// A heat is what stands in a cell of the heat map.
type heat struct {
	cosine trial.Number
	floor  string
}

// cosineFigure is the heat map of cosines, conditions by personas.
func cosineFigure(r transforms.Report) figure {
	f := figure{Name: "cosines", Title: "Cosine with the target's own vector", Columns: 1, Data: cosinesTable(r),
		Caption: "How near each condition's vector is to the one that the target itself has for the persona: 1 is the same direction, 0 is at a right angle. Of several draws, the mean. The floor below it is what 95 % of the cosines are below if " + permuted(r) +
			": a map that carries everything well makes any two such vectors alike. A cosine that is not above it (≤) is no more than labels drawn at random give. A cosine does not show that steering works."}
	var conditions, personas []string
	cells := map[[2]string]heat{}
	for _, v := range r.Vectors {
		if e := spread(v.Cosine).estimate; !e.Value.Missing() {
			if !slices.Contains(conditions, v.Condition) {
				conditions = append(conditions, v.Condition)
			}
			if !slices.Contains(personas, v.Persona) {
				personas = append(personas, v.Persona)
			}
			cells[[2]string{v.Condition, v.Persona}] = heat{e.Value, floorMark(v)}
		}
	}
	const mostRows, mostColumns = 40, 24
	conditions, personas = conditions[:min(len(conditions), mostRows)], personas[:min(len(personas), mostColumns)]
	if len(cells) == 0 {
		return f
	}
	const left, cellWidth, cellHeight = 108, 76, 30
	p := newPlot("cosine, conditions by personas", "", "")
	rangeOf(&p.X, 0, 1)
	rangeOf(&p.Y, 0, float64(len(conditions)+1))
	p.X.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	p.Title.Text = ""
	p.Add(drawing(func(c draw.Canvas, _, y func(float64) vg.Length) {
		middle := func(column int) vg.Length { return c.Min.X + left + cellWidth*(vg.Length(column)+.5) }
		for j, name := range personas {
			label(c, vg.Point{X: middle(j), Y: y(float64(len(conditions)) + .4)}, cutTo(name, 13), 9, func(s *text.Style) { s.Color, s.XAlign, s.YAlign = ink, text.XCenter, text.YCenter })
		}
		for i, condition := range conditions {
			at := y(float64(len(conditions)-i) - .5)
			label(c, vg.Point{X: c.Min.X, Y: at}, short(condition), 9, func(s *text.Style) { s.Color, s.YAlign = ink, text.YCenter })
			for j, persona := range personas {
				if cell, ok := cells[[2]string{condition, persona}]; ok {
					cell.draw(c, vg.Point{X: middle(j), Y: at}, vg.Point{X: cellWidth - 2, Y: cellHeight - 2})
				}
			}
		}
	}))
	drawn := drawPanel(p, fmt.Sprintf("%d conditions by %d personas; the numbers are in the table.", len(conditions), len(personas)), vg.Length(left+cellWidth*len(personas)+24), vg.Length(cellHeight*(len(conditions)+1)+14))
	drawn.Title = f.Title
	f.Panels = []panel{drawn}
	return f
}

// floorMark is the floor in a few letters, and whether the cosine is above it.
func floorMark(v transforms.VectorReport) string {
	if v.Floor == nil || v.Floor.High.Missing() {
		return ""
	}
	mark := "floor " + number(float64(v.Floor.High), "%.2f").String()
	if v.UnderFloor() {
		mark = "≤ " + mark
	}
	return mark
}

// draw draws a cell about its middle: the cosine, and its floor below.
func (h heat) draw(c draw.Canvas, middle, size vg.Point) {
	tone := blue
	if h.cosine < 0 {
		tone = red
	}
	w, half := size.X/2, size.Y/2
	c.FillPolygon(faint(tone, .06+.44*min(math.Abs(float64(h.cosine)), 1)), []vg.Point{
		{X: middle.X - w, Y: middle.Y - half}, {X: middle.X + w, Y: middle.Y - half}, {X: middle.X + w, Y: middle.Y + half}, {X: middle.X - w, Y: middle.Y + half}})
	centred := func(s *text.Style) { s.Color, s.XAlign, s.YAlign = ink, text.XCenter, text.YCenter }
	at := middle
	if h.floor != "" {
		at.Y += 5
		label(c, vg.Point{X: middle.X, Y: middle.Y - 7}, h.floor, 7.5, centred)
	}
	label(c, at, number(float64(h.cosine), "%.2f").String(), 9, centred)
}
