package report

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A line is how a condition is drawn in every figure: by its colour, its dashes and its mark, so that it
// is told apart without colours as well.
type line struct {
	Name  string
	color color.NRGBA
	dash  []vg.Length
	mark  mark
	width vg.Length
	band  bool // its interval is drawn
}

// A mark is the shape of a line's points.
type mark int

const (
	disc mark = iota
	square
	triangle
	diamond
	ring
	box
	cross
)

var dashes = [][]vg.Length{{5, 2}, {1.5, 2}, {7, 2, 1.5, 2}, {3, 1.5}, {9, 3}}

// foremost reports the roles that a report is about: their lines lie above the others.
func foremost(role string) bool {
	return role == trial.RoleMapped || role == trial.RoleHeldOut || role == trial.RoleOracle
}

// linesOf gives every condition its line, by its role and its place.
func linesOf(g trial.Group) []line {
	others, controls := 0, 0
	var lines []line
	for _, c := range g.Conditions {
		l := line{Name: c.Condition, width: 1}
		switch c.Role {
		case trial.RoleBaseline:
			l.color, l.mark, l.dash, l.band = ink, ring, []vg.Length{2, 2}, true
		case trial.RoleMapped:
			l.color, l.mark, l.width, l.band = blue, disc, 1.8, true
		case trial.RoleHeldOut:
			l.color, l.mark, l.width, l.band = green, triangle, 1.6, true
		case trial.RoleOracle:
			l.color, l.mark, l.width, l.band = red, square, 1.8, true
		case trial.RoleControl:
			l.color, l.mark, l.dash = grey, []mark{triangle, cross, box, ring, diamond}[controls%5], dashes[controls%len(dashes)]
			controls++
		default:
			l.color, l.mark, l.dash, l.width = []color.NRGBA{purple, ochre, ink}[others%3], []mark{diamond, triangle, box}[others%3], [][]vg.Length{nil, {6, 2}, {2, 1.5}}[others%3], 1.5
			others++
		}
		lines = append(lines, l)
	}
	return lines
}

func (l line) style() draw.LineStyle {
	return draw.LineStyle{Color: l.color, Width: l.width, Dashes: l.dash}
}

// point draws the mark of a line.
func (l line) point(c draw.Canvas, at vg.Point, r vg.Length) {
	var p vg.Path
	polygon := func(corners ...vg.Point) {
		for i, q := range corners {
			q = vg.Point{X: at.X + r*q.X, Y: at.Y + r*q.Y}
			if i == 0 {
				p.Move(q)
			} else {
				p.Line(q)
			}
		}
		p.Close()
	}
	c.SetColor(l.color)
	c.SetLineStyle(draw.LineStyle{Color: l.color, Width: 1.1})
	switch l.mark {
	case square, box:
		polygon(vg.Point{X: -.85, Y: -.85}, vg.Point{X: .85, Y: -.85}, vg.Point{X: .85, Y: .85}, vg.Point{X: -.85, Y: .85})
	case triangle:
		polygon(vg.Point{X: -1, Y: -.8}, vg.Point{X: 1, Y: -.8}, vg.Point{Y: 1.05})
	case diamond:
		polygon(vg.Point{X: -1.15}, vg.Point{Y: -1.15}, vg.Point{X: 1.15}, vg.Point{Y: 1.15})
	case cross:
		p.Move(vg.Point{X: at.X - r, Y: at.Y - r})
		p.Line(vg.Point{X: at.X + r, Y: at.Y + r})
		p.Move(vg.Point{X: at.X - r, Y: at.Y + r})
		p.Line(vg.Point{X: at.X + r, Y: at.Y - r})
	default:
		p.Move(vg.Point{X: at.X + r, Y: at.Y})
		p.Arc(at, r, 0, 2*math.Pi)
		p.Close()
	}
	if l.mark == ring || l.mark == box || l.mark == cross {
		c.Stroke(p)
	} else {
		c.Fill(p)
	}
}

// swatch draws a piece of the line for a key, 28 wide around y 0, in that colour.
func (l line) swatch(color string) string {
	var dash strings.Builder
	for _, d := range l.dash {
		fmt.Fprintf(&dash, "%g ", d)
	}
	if dash.Len() == 0 {
		dash.WriteString("none")
	}
	shape := map[mark]string{
		disc: `<circle cx="14" r="3"/>`, ring: `<circle cx="14" r="3" fill="none"/>`, cross: `<path d="M11-3l6 6m0-6l-6 6"/>`,
		square: `<path d="M11.4-2.6h5.2v5.2h-5.2z"/>`, box: `<path d="M11.4-2.6h5.2v5.2h-5.2z" fill="none"/>`,
		triangle: `<path d="M11 2.4h6l-3-5.6z"/>`, diamond: `<path d="M14-3.6l3.6 3.6l-3.6 3.6l-3.6-3.6z"/>`,
	}[l.mark]
	return fmt.Sprintf(`<g stroke="%s" fill="%s"><path d="M0 0h28" stroke-width="%g" stroke-dasharray="%s"/><g stroke-width="1.1">%s</g></g>`, color, color, l.width, strings.TrimSpace(dash.String()), shape)
}
