package sheet

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"
)

// header is the first line of the table. A person fills the two after text; note is free.
var header = []string{"id", "persona", "description", "prompt", "text", "trait", "coherence", "note"}

// WriteCSV writes the table that a person fills.
func (s *Sheet) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(header)
	for _, r := range s.Rows {
		out.Write([]string{cell(r.ID), cell(r.Persona), cell(r.Description), cell(r.PromptText), cell(r.Text), "", "", ""})
	}
	out.Flush()
	return out.Error()
}

// cell is a text that no spreadsheet takes for a formula.
func cell(text string) string {
	text = visible(text)
	if begin := strings.TrimLeft(text, " \n\t"); begin != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(begin)[0]) {
		return "'" + text
	}
	return text
}

// visible writes out what would turn, hide or break what stands beside it: control characters, and those
// that set the direction of a text or have no width.
func visible(text string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) && r != '\t' && r != '\u200d' {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

//go:embed form.html
var form string

var page = template.Must(template.New("form").Funcs(template.FuncMap{"visible": visible, "scale": func() []int { return []int{1, 2, 3, 4, 5} }}).Parse(form))

// WriteHTML writes the same as a page that asks for the ratings and saves them as a table.
func (s *Sheet) WriteHTML(w io.Writer) error { return page.Execute(w, s) }

// A key says which text stands behind each number.
type key struct {
	Code string `json:"sheet"`
	Rows []Row  `json:"rows"`
}

// WriteKey writes what the person must not see.
func (s *Sheet) WriteKey(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(key{s.Code, s.Rows})
}
