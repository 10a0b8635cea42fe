package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A Sweep is what the cells of a sweep came to, in their order.
type Sweep struct {
	Cells []SweepCell `json:"cells"`
}

// A SweepCell is one experiment of a sweep: what it has that others have not, and what it found, of all personas
// together.
type SweepCell struct {
	Settings []pipelines.Setting `json:"settings"`
	Folder   string              `json:"folder"`           // of its own report, below that of the sweep
	Failed   string              `json:"failed,omitempty"` // why there is none, and nothing below

	Key       string          `json:"key,omitempty"`       // under which the store has its results
	Condition string          `json:"condition,omitempty"` // that is judged
	Trait     *trial.Estimate `json:"trait,omitempty"`
	Control   *trial.Estimate `json:"minus_best_control,omitempty"` // of trait, whichever control is best in each resample
	Oracle    *trial.Estimate `json:"minus_oracle,omitempty"`       // of trait
	Recovery  *trial.Estimate `json:"recovery,omitempty"`
	Coherence *trial.Estimate `json:"coherence,omitempty"`
	Collapse  *trial.Estimate `json:"collapse,omitempty"`
	Outcome   trial.Outcome   `json:"outcome,omitempty"`
	Verdict   string          `json:"verdict,omitempty"`
	HeldOut   *trial.Estimate `json:"held_out_trait,omitempty"` // of the map that has not seen the persona's register
	Pairs     int             `json:"n_training_samples,omitempty"`
	Warnings  []string        `json:"warnings,omitempty"`
}

// CellFailed is the cell of an experiment that could not be finished.
func CellFailed(c pipelines.Cell, err error) SweepCell {
	return SweepCell{Settings: c.Settings, Folder: c.Name, Failed: err.Error()}
}

// CellOf takes from a cell's report.json what the table of its sweep shows.
func CellOf(c pipelines.Cell, key string, reportJSON []byte) (SweepCell, error) {
	r, err := decodeReport(reportJSON)
	if err != nil {
		return SweepCell{}, fmt.Errorf("cell %s: %w", c.Text(), err)
	}
	return cellOf(c, key, r), nil
}

func cellOf(c pipelines.Cell, key string, r transforms.Report) SweepCell {
	g := r.Evaluation.Pooled
	s := SweepCell{Settings: c.Settings, Folder: c.Name, Key: key, Condition: mappedName(g), Recovery: g.Recovery, Outcome: g.Verdict.Outcome,
		Pairs: r.Experiment.Pairs, Warnings: r.Fit.Warnings}
	s.Verdict, _, _ = strings.Cut(g.Verdict.Meaning, ":")
	for _, c := range g.Conditions {
		switch c.Role {
		case trial.RoleMapped:
			s.Trait, s.Coherence, s.Collapse = &c.Trait, &c.Coherence, &c.Collapse
		case trial.RoleHeldOut:
			s.HeldOut = &c.Trait
		case trial.RoleOracle:
			if d := c.MappedMinusThis; d != nil {
				s.Oracle = &d.Trait
			}
		}
	}
	for _, c := range g.Verdict.Criteria {
		if c.Name == s.Condition+" − "+trial.BestControl+", trait" {
			s.Control = &trial.Estimate{Value: c.Got, Low: c.Interval[0], High: c.Interval[1]}
		}
	}
	return s
}

// table has a row for each cell: what the sweep names, and what the cell found.
func (s *Sweep) table() tabular {
	t := tabular{Name: "sweep", Caption: "What is judged in each experiment, of all personas together, each condition at its own alpha, chosen on the other half of the prompts. Brackets: 95 % intervals; of the difference to the best control, whichever that is in each resample, a stricter one, by which it is judged. Differences and recovery are of trait."}
	for _, setting := range s.Cells[0].Settings {
		t.Columns = append(t.Columns, setting.Key)
	}
	columns := []struct {
		name string
		of   func(c SweepCell) cell
	}{
		{"trait", func(c SweepCell) cell { return maybe(c.Trait, "%.2f", 1) }},
		{"− best control", func(c SweepCell) cell { return maybe(c.Control, "%+.2f", 1) }},
		{"− oracle", func(c SweepCell) cell { return maybe(c.Oracle, "%+.2f", 1) }},
		{"recovery", func(c SweepCell) cell { return maybe(c.Recovery, "%.2f", 1) }},
		{"coherence", func(c SweepCell) cell { return maybe(c.Coherence, "%.2f", 1) }},
		{"collapse", func(c SweepCell) cell { return maybe(c.Collapse, "%.0f%%", 100) }},
		{"verdict", func(c SweepCell) cell { return words(c.word()) }},
	}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.name)
	}
	for _, c := range s.Cells {
		var row []cell
		for _, setting := range c.Settings {
			row = append(row, words(setting.Text()))
		}
		for k, column := range columns {
			if c.Failed != "" && k < len(columns)-1 { // all but the verdict
				row = append(row, words(""))
				continue
			}
			row = append(row, column.of(c))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// word is the verdict in a word, or that there is none.
func (c SweepCell) word() string {
	if c.Failed != "" {
		return "failed"
	}
	return c.Verdict
}

// maybe is an estimate that an experiment may not have.
func maybe(e *trial.Estimate, format string, scale float64) cell {
	if e == nil {
		e = &trial.Estimate{Value: missing, Low: missing, High: missing}
	}
	return cell{estimate: e, format: format, scale: scale}
}

// failures says of each cell that failed why.
func (s *Sweep) failures() (lines []string) {
	for _, c := range s.Cells {
		if c.Failed != "" {
			lines = append(lines, pipelines.Cell{Settings: c.Settings}.Text()+" failed: "+c.Failed)
		}
	}
	return lines
}

// Print writes the table for a terminal of so many columns; 0: for no terminal.
func (s *Sweep) Print(w io.Writer, columns int) error {
	p := &printer{w: w, width: columns}
	t := s.table()
	rows := [][]string{nil}
	for _, name := range t.Columns {
		rows[0] = append(rows[0], visible(name))
	}
	for _, row := range t.Rows {
		var line []string
		for _, c := range row {
			line = append(line, c.String())
		}
		rows = append(rows, line)
	}
	p.columns(rows)
	p.line("  %s", t.Caption)
	for _, text := range s.failures() {
		p.line("%s", text)
	}
	return p.err
}

// JSON writes the cells with all that the table shows.
func (s *Sweep) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write sweep.json: %w", err)
	}
	return append(text, '\n'), nil
}

// ReadSweep reads the folder of a finished sweep. A folder of no sweep wraps [fs.ErrNotExist], a file that is none of ours
// [cache.ErrCorrupt].
func ReadSweep(dir string) (*Sweep, error) {
	text, err := readFile(dir, "sweep.json", maxReportFile)
	if err != nil {
		return nil, err
	}
	s := new(Sweep)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, damaged(fmt.Errorf("read sweep.json: %w", err))
	}
	if len(s.Cells) == 0 {
		return nil, damaged(errors.New("read sweep.json: it has no cells"))
	}
	for _, c := range s.Cells {
		if c.Folder == "" || filepath.Base(c.Folder) != c.Folder || !filepath.IsLocal(c.Folder) || len(c.Settings) != len(s.Cells[0].Settings) {
			return nil, damaged(fmt.Errorf("read sweep.json: %q is no folder of a cell", c.Folder))
		}
		if c.Failed == "" && !slices.Contains(slices.Collect(maps.Keys(tones)), c.Outcome) {
			return nil, damaged(fmt.Errorf("read sweep.json: cell %s has no verdict", c.Folder))
		}
	}
	return s, nil
}

// SweepPage is the name of the page of a sweep.
const SweepPage = "sweep.html"

// Files are the files of a sweep, by their names in its folder. The same cells make the same bytes.
func (s *Sweep) Files() ([]File, error) {
	t := s.table()
	text, err := s.JSON()
	var sheet, page bytes.Buffer
	if err := errors.Join(err, t.writeCSV(&sheet), s.writePage(&page, t)); err != nil {
		return nil, fmt.Errorf("write the sweep: %w", err)
	}
	return []File{{"sweep.json", text}, {"sweep.csv", sheet.Bytes()}, {"sweep.md", s.markdown(t)}, {SweepPage, page.Bytes()}}, nil
}

func (s *Sweep) markdown(t tabular) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# A sweep of %d experiments\n\n%s\n\n", len(s.Cells), markdown(t.Caption))
	t.writeMarkdown(&b)
	for _, text := range s.failures() {
		fmt.Fprintf(&b, "\n- %s", markdown(text))
	}
	b.WriteString("\n\n## Reports\n")
	for _, c := range s.Cells {
		if c.Failed == "" {
			fmt.Fprintf(&b, "\n- [%s](%s)", markdown(pipelines.Cell{Settings: c.Settings}.Text()), linkTo(c))
		}
	}
	return asText(&b)
}

// linkTo is where a cell's own page is, as a link.
func linkTo(c SweepCell) string { return url.PathEscape(c.Folder) + "/" + Page }

var (
	//go:embed page/sweep.html
	sweepHTML string

	sweepTemplate = template.Must(template.Must(template.New("sweep").Parse(sweepHTML)).Parse(pageHTML[strings.Index(pageHTML, `{{define "table"}}`):]))
)

// A sweepPage is what the template shows. All of it but the style is escaped where it stands.
type sweepPage struct {
	Style    template.CSS
	Cells    int
	Columns  []string
	Caption  string
	Rows     []sweepRow
	Failures []string
}

type sweepRow struct {
	Link        string // of the cell's own page; empty: there is none
	First, Rest []cell // what the sweep names, and what was found
	Tone, Sign  string
}

func (s *Sweep) writePage(w io.Writer, t tabular) error {
	p := sweepPage{Style: template.CSS(pageCSS), Cells: len(s.Cells), Columns: t.Columns, Caption: t.Caption}
	for _, text := range s.failures() {
		p.Failures = append(p.Failures, visible(text))
	}
	for i, c := range s.Cells {
		n := len(c.Settings)
		row := sweepRow{First: t.Rows[i][:n], Rest: t.Rows[i][n:]}
		if c.Failed == "" {
			row.Link = linkTo(c)
			row.Tone, row.Sign = tones[c.Outcome][0], tones[c.Outcome][1]
		}
		p.Rows = append(p.Rows, row)
	}
	if err := sweepTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
