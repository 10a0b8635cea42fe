package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/pipelines"
)

// MaxFile bounds a filled table and a key, in bytes.
const MaxFile = 64 << 20

// A Rated is a text of a sheet with what the person gave it, 1 to 5; NaN where the cell is empty.
type Rated struct {
	Row
	Trait, Coherence float64
}

// Read joins a filled table to the key of its sheet. The table may have other columns, in any order, and be
// separated by commas, semicolons or tabs, as spreadsheets save it. Everything that is wrong is reported at once.
func Read(table, keyFile []byte) ([]Rated, error) {
	var k key
	if err := strictjson.Unmarshal(keyFile, &k); err != nil {
		return nil, pipelines.Problems{"the key: " + err.Error()}
	}
	records, columns, problems := parse(table)
	rows := map[string]Row{}
	for _, r := range k.Rows {
		rows[r.ID] = r
	}
	var rated []Rated
	seen := map[string]int{}
	complain := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	for _, r := range records {
		id := strings.TrimSpace(r.cell(columns["id"]))
		row, ok := rows[id]
		switch {
		case id == "" && r.blank():
			continue
		case !ok && strings.Contains(id, "-") && !strings.HasPrefix(id, k.Code+"-"):
			complain(r.line, "%.40q is of another sheet than the key, which is of %.40q", id, k.Code)
			continue
		case !ok:
			complain(r.line, "there is no text %.40q", id)
			continue
		case seen[id] > 0:
			complain(r.line, "text %s stands in line %d already", id, seen[id])
			continue
		}
		seen[id] = r.line
		one := Rated{Row: row}
		for name, to := range map[string]*float64{"trait": &one.Trait, "coherence": &one.Coherence} {
			var err error
			if *to, err = rating(r.cell(columns[name])); err != nil {
				complain(r.line, "%s of text %s: %v", name, id, err)
			}
		}
		rated = append(rated, one)
	}
	if len(problems) == 0 && !slices.ContainsFunc(rated, func(r Rated) bool { return r.Trait > 0 || r.Coherence > 0 }) {
		problems = append(problems, "no text has a rating")
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, problems
	}
	return rated, nil
}

// rating reads a cell.
func rating(cell string) (float64, error) {
	text := strings.TrimSpace(cell)
	if text == "" {
		return math.NaN(), nil
	}
	if len(text) == 1 && text[0] >= '1' && text[0] <= '5' {
		return float64(text[0] - '0'), nil
	}
	return math.NaN(), fmt.Errorf("%.40q; want a whole number from 1 to 5, or nothing", text)
}

// A record is a line of a table.
type record struct {
	line  int
	cells []string
}

// cell is the content of a column; a short line has empty ones.
func (r record) cell(i int) string {
	if i >= len(r.cells) {
		return ""
	}
	return r.cells[i]
}

func (r record) blank() bool {
	return !slices.ContainsFunc(r.cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// parse reads a table with a header, and finds the columns that matter.
func parse(table []byte) (records []record, columns map[string]int, problems pipelines.Problems) {
	table = bytes.TrimPrefix(table, []byte("\uFEFF"))
	first, _, _ := bytes.Cut(table, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(table))
	r.FieldsPerRecord = -1
	for _, separator := range ",;\t" { // the one that the header has most of
		if bytes.Count(first, []byte(string(separator))) > bytes.Count(first, []byte(string(r.Comma))) {
			r.Comma = separator
		}
	}
	columns = map[string]int{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, columns, pipelines.Problems{fmt.Sprintf("not a table of comma-separated values: %v", err)}
		}
		line, _ := r.FieldPos(0)
		if len(columns) > 0 {
			records = append(records, record{line, cells})
			continue
		}
		for i, name := range cells {
			columns[strings.ToLower(strings.TrimSpace(name))] = i
		}
		for _, name := range []string{"id", "trait", "coherence"} {
			if _, ok := columns[name]; !ok {
				problems = append(problems, fmt.Sprintf("line %d: there is no column %q", line, name))
			}
		}
		if len(problems) > 0 {
			return nil, columns, problems
		}
	}
	if len(columns) == 0 {
		problems = append(problems, "the table is empty")
	}
	return records, columns, problems
}
