package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A tabular is a table before anyone has chosen its form: the page, report.md, the CSV and the LaTeX file
// of it say the same. Its first column names the row.
type tabular struct {
	Name    string // of its files
	Caption string
	Columns []string
	Rows    [][]cell
}

// A cell is words, a number, or an estimate with its interval.
type cell struct {
	Words    string
	estimate *trial.Estimate
	single   bool // there never is an interval
	format   string
	scale    float64
}

func words(text string) cell { return cell{Words: text} }

func number(v float64, format string) cell {
	return cell{estimate: &trial.Estimate{Value: trial.Number(v)}, single: true, format: format, scale: 1}
}

func count(n int) cell { return number(float64(n), "%.0f") }

func estimate(e trial.Estimate, format string) cell {
	return cell{estimate: &e, format: format, scale: 1}
}

// share is an estimate shown in percent.
func share(e trial.Estimate) cell { return cell{estimate: &e, format: "%.0f%%", scale: 100} }

// Numeric reports a cell that is set flush right.
func (c cell) Numeric() bool { return c.estimate != nil }

// Value is the cell without its interval.
func (c cell) Value() string {
	if c.estimate == nil {
		return visible(c.Words)
	}
	if c.estimate.Value.Missing() {
		return "missing"
	}
	return printed(c.format, c.scale*float64(c.estimate.Value))
}

// Interval is the interval in brackets, or nothing.
func (c cell) Interval() string {
	if c.estimate == nil || c.single || c.estimate.Value.Missing() || c.estimate.Low.Missing() || c.estimate.High.Missing() {
		return ""
	}
	format := strings.TrimSuffix(c.format, "%%")
	return "[" + printed(format, c.scale*float64(c.estimate.Low)) + ", " + printed(format, c.scale*float64(c.estimate.High)) + "]"
}

// String is the cell in one line.
func (c cell) String() string {
	if i := c.Interval(); i != "" {
		return c.Value() + " " + i
	}
	return c.Value()
}

// minus writes negative numbers with the sign that is as wide as a plus.
func minus(text string) string { return strings.ReplaceAll(text, "-", "−") }

// printed is a number in that format; one that is rounded to 0 has no sign but that of a difference.
func printed(format string, v float64) string {
	text := fmt.Sprintf(format, v)
	if strings.HasPrefix(text, "-") && strings.Trim(text, "-0.%") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return minus(text)
}

// intervals says for each column whether its values have intervals.
func (t tabular) intervals() []bool {
	out := make([]bool, len(t.Columns))
	for _, row := range t.Rows {
		for i, c := range row {
			out[i] = out[i] || c.estimate != nil && !c.single
		}
	}
	return out
}

// writeCSV writes the numbers as they were computed, a bound a column; what is missing is empty. Words that
// a spreadsheet would compute with are set behind an apostrophe.
func (t tabular) writeCSV(w io.Writer) error {
	wide := t.intervals()
	out := csv.NewWriter(w)
	var line []string
	for i, name := range t.Columns {
		line = append(line, inert(visible(name)))
		if wide[i] {
			line = append(line, inert(visible(name)+" low"), inert(visible(name)+" high"))
		}
	}
	out.Write(line)
	for _, row := range t.Rows {
		line = line[:0]
		for i, c := range row {
			e := c.estimate
			switch {
			case e == nil:
				line = append(line, inert(visible(c.Words)))
				e = &trial.Estimate{Low: missing, High: missing}
			default:
				line = append(line, plain(e.Value))
			}
			if wide[i] {
				line = append(line, plain(e.Low), plain(e.High))
			}
		}
		out.Write(line)
	}
	out.Flush()
	return out.Error()
}

func plain(n trial.Number) string {
	if n.Missing() {
		return ""
	}
	return strconv.FormatFloat(float64(n), 'g', -1, 64)
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@|%", rune(text[0])) || strings.HasPrefix(text, "＝") || strings.HasPrefix(text, "＋") || strings.HasPrefix(text, "－") || strings.HasPrefix(text, "＠") {
		return "'" + text
	}
	return text
}

// writeLaTeX writes a table for the booktabs package.
func (t tabular) writeLaTeX(w io.Writer) error {
	var b strings.Builder
	b.WriteString("% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{" + latex(t.Caption) + "}\n\\label{tab:" + t.Name + "}\n\\begin{tabular}{")
	for i := range t.Columns {
		if len(t.Rows) > 0 && i < len(t.Rows[0]) && t.Rows[0][i].Numeric() {
			b.WriteByte('r')
		} else {
			b.WriteByte('l')
		}
	}
	b.WriteString("}\n\\toprule\n")
	line := func(cells []string) { b.WriteString(strings.Join(cells, " & ") + " \\\\\n") }
	var cells []string
	for _, name := range t.Columns {
		cells = append(cells, latex(visible(name)))
	}
	line(cells)
	b.WriteString("\\midrule\n")
	for _, row := range t.Rows {
		cells = cells[:0]
		for _, c := range row {
			cells = append(cells, latex(c.String()))
		}
		line(cells)
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// latex writes a text so that LaTeX sets it and does nothing else. Characters that its fonts may lack are
// its own commands.
func latex(text string) string { return latexWords.Replace(text) }

var latexWords = strings.NewReplacer(`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `$`, `\$`, `&`, `\&`, `#`, `\#`, `%`, `\%`, `_`, `\_`,
	`~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`, `<`, `\textless{}`, `>`, `\textgreater{}`, `|`, `\textbar{}`, `"`, `\textquotedbl{}`,
	`[`, `{[}`, `]`, `{]}`, `*`, `{*}`, "−", `$-$`, "→", `$\to$`, "±", `$\pm$`, "λ", `$\lambda$`, "²", `$^2$`, "…", `\ldots{}`, "–", `--`, "×", `$\times$`)

// writeMarkdown writes a table as GitHub shows it.
func (t tabular) writeMarkdown(b *strings.Builder) {
	b.WriteString("|")
	for _, name := range t.Columns {
		b.WriteString(" " + markdown(name) + " |")
	}
	b.WriteString("\n|")
	for i := range t.Columns {
		if len(t.Rows) > 0 && i < len(t.Rows[0]) && t.Rows[0][i].Numeric() {
			b.WriteString("---:|")
		} else {
			b.WriteString("---|")
		}
	}
	b.WriteString("\n")
	for _, row := range t.Rows {
		b.WriteString("|")
		for _, c := range row {
			b.WriteString(" " + markdown(c.String()) + " |")
		}
		b.WriteString("\n")
	}
}

// markdown writes a text so that it is neither markup nor HTML.
func markdown(text string) string { return markdownWords.Replace(visible(text)) }

var markdownWords = strings.NewReplacer(`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `{`, `\{`, `}`, `\}`, `[`, `\[`, `]`, `\]`,
	`#`, `\#`, `|`, `\|`, `~`, `\~`, `!`, `\!`, `<`, `&lt;`, `>`, `&gt;`, `&`, `&amp;`)
