package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A figure is one or more panels, what they say in words, and the table of their numbers.
type figure struct {
	Name    string // of its file, and its place in the page
	Title   string
	Caption string
	Columns int  // of panels, where there is room
	Halo    bool // around words, which stand among the lines
	Panels  []panel
	Key     []line // what the lines are; empty if the panels say so themselves
	Data    tabular
}

// A panel is one drawing, of its size in points.
type panel struct {
	Title, Description string
	width, height      vg.Length
	content            string // what stands between the tags of the SVG
}

// Colours are names: the page gives each a value for light and for dark, and a file of a figure has those
// of light.
var (
	ink      = color.NRGBA{0x1f, 0x23, 0x28, 0xff}
	muted    = color.NRGBA{0x59, 0x63, 0x6e, 0xff}
	grid     = color.NRGBA{0xdc, 0xe0, 0xe5, 0xff}
	blue     = color.NRGBA{0x0b, 0x62, 0xa8, 0xff}
	red      = color.NRGBA{0xbc, 0x4b, 0x10, 0xff}
	green    = color.NRGBA{0x1a, 0x7a, 0x55, 0xff}
	purple   = color.NRGBA{0x7d, 0x4a, 0xa5, 0xff}
	ochre    = color.NRGBA{0x8f, 0x62, 0x0c, 0xff}
	grey     = color.NRGBA{0x7b, 0x83, 0x8d, 0xff}
	variable = map[color.NRGBA]string{ink: "ink", muted: "muted", grid: "grid", blue: "blue", red: "red", green: "green", purple: "purple", ochre: "ochre", grey: "grey"}
)

// faint is the colour of an area: its lines stay readable on it.
func faint(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(255 * opacity)
	return c
}

func face(size float64) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Length(size))
}

// newPlot is an empty plot in the style of all figures.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text, p.Title.TextStyle.Font, p.Title.TextStyle.Color, p.Title.Padding = visible(title), face(11), ink, 6
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.TextStyle.Color, a.Label.Padding = face(9.5), muted, 3
		a.Tick.Label.Font, a.Tick.Label.Color = face(9), muted
		a.Tick.Color, a.Tick.Length, a.Tick.Width = muted, 3, .5
		a.LineStyle = draw.LineStyle{Color: muted, Width: .5}
		a.Padding = 0
	}
	return p
}

// withGrid draws lines through the ticks of both axes.
func withGrid(p *plot.Plot) *plot.Plot {
	g := plotter.NewGrid()
	g.Vertical, g.Horizontal = draw.LineStyle{Color: grid, Width: .5}, draw.LineStyle{Color: grid, Width: .5}
	p.Add(g)
	return p
}

// rangeOf sets an axis, which gonum would otherwise guess from the points.
func rangeOf(a *plot.Axis, low, high float64, ticks ...float64) {
	a.Min, a.Max = low, high
	var marks plot.ConstantTicks
	for _, t := range ticks {
		marks = append(marks, plot.Tick{Value: t, Label: minus(fmt.Sprintf("%g", t))})
	}
	a.Tick.Marker = marks
}

// A drawing draws a part of a plot in the plot's own coordinates.
type drawing func(c draw.Canvas, x, y func(float64) vg.Length)

// Plot implements [plot.Plotter].
func (d drawing) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	d(c, x, y)
}

// drawPanel draws a plot of that size.
func drawPanel(p *plot.Plot, description string, width, height vg.Length) panel {
	c := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(c), 2, -6, 2, -2))
	var b bytes.Buffer
	c.WriteTo(&b) // a buffer takes everything
	return panel{Title: p.Title.Text, Description: description, width: width, height: height, content: contentOf(b.String())}
}

var (
	typeface = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;`)
	hexColor = regexp.MustCompile(`#[0-9A-F]{6}\b`)
)

// contentOf takes what stands between the outer tags, and what all texts have in common off them.
func contentOf(svg string) string {
	_, svg, _ = strings.Cut(svg, "<svg ")
	_, svg, _ = strings.Cut(svg, ">")
	svg = svg[:strings.LastIndex(svg, "</svg>")]
	svg = typeface.ReplaceAllString(svg, "")
	return drawnText.ReplaceAllStringFunc(svg, func(all string) string {
		part := drawnText.FindStringSubmatch(all)
		size, _ := strconv.ParseFloat(part[2], 64)
		width := text.Style{Font: face(size), Handler: plot.DefaultTextHandler}.Width(html.UnescapeString(part[3]))
		return fmt.Sprintf(`%s textLength="%.4g" lengthAdjust="spacingAndGlyphs">%s</text>`, part[1], width.Points(), part[3])
	})
}

// drawnText finds a text and its size. It gets the width that it was placed with, whatever font there is.
var drawnText = regexp.MustCompile(`(<text [^>]*font-size:([0-9.]+)px[^>]*)>([^<]+)</text>`)

const fontFamily = `font-family="'Liberation Sans', Arial, Helvetica, sans-serif"`

// inPage is the panel for the page, whose colours follow the page's.
func (p panel) inPage(id string) string {
	content := hexColor.ReplaceAllStringFunc(p.content, func(hex string) string {
		var c color.NRGBA
		fmt.Sscanf(hex, "#%02X%02X%02X", &c.R, &c.G, &c.B)
		c.A = 0xff
		if name, ok := variable[c]; ok {
			return "var(--" + name + ")"
		}
		return hex
	})
	return fmt.Sprintf(`<svg viewBox="0 0 %g %g" style="max-width:%gpx" role="img" aria-labelledby="%s-t %s-d" %s><title id="%s-t">%s</title><desc id="%s-d">%s</desc>%s</svg>`,
		p.width, p.height, 1.4*p.width, id, id, fontFamily, id, html.EscapeString(p.Title), id, html.EscapeString(p.Description), content)
}

// file is the figure as a file of its own: all panels, and the key of the lines below them.
func (f figure) file() []byte {
	const margin = 8
	var b strings.Builder
	columns := min(f.Columns, len(f.Panels))
	x, y, right, tallest := vg.Length(margin), vg.Length(margin), vg.Length(0), vg.Length(0)
	for i, p := range f.Panels {
		if i > 0 && i%columns == 0 {
			x, y, tallest = margin, y+tallest+margin, 0
		}
		fmt.Fprintf(&b, "<svg x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\">%s</svg>\n", x, y, p.width, p.height, p.content)
		x += p.width + margin
		right, tallest = max(right, x), max(tallest, p.height)
	}
	y += tallest + margin
	x = margin
	for _, l := range f.Key {
		const swatch, letter = 34, 5.6
		width := vg.Length(swatch + 10 + letter*float64(len([]rune(l.Name))))
		if x > margin && x+width > right {
			x, y = margin, y+16
		}
		fmt.Fprintf(&b, "<g transform=\"translate(%g %g)\">%s<text x=\"%d\" y=\"4\" font-size=\"10\" fill=\"#1F2328\">%s</text></g>\n", x, y+6, l.swatch(hexOf(l.color)), swatch, html.EscapeString(visible(l.Name)))
		x += width + 8
	}
	if len(f.Key) > 0 {
		y += 20
	}
	halo := ""
	if f.Halo {
		halo = "<style>text{paint-order:stroke;stroke:#FFFFFF;stroke-width:2px;stroke-linejoin:round}</style>\n"
	}
	head := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" role=\"img\" %s>\n<title>%s</title>\n<desc>%s</desc>\n%s<rect width=\"100%%\" height=\"100%%\" fill=\"#FFFFFF\"/>\n",
		right, y, right, y, fontFamily, html.EscapeString(visible(f.Title)), html.EscapeString(visible(f.Caption)), halo)
	return []byte(head + b.String() + "</svg>\n")
}

func hexOf(c color.NRGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }
