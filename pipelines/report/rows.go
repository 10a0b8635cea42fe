package report

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
)

const (
	maxPageText = 4000     // characters of a text that the page shows; the whole of it is in rows.jsonl
	maxPageRows = 16 << 20 // bytes of texts; rows beyond are in rows.jsonl only
)

// A pageData is the texts and scores for the page's script: a column each, strings given once.
type pageData struct {
	Rows       int                 `json:"rows"`  // in rows.jsonl; the page may have fewer
	Width      int                 `json:"width"` // characters after which a text is cut
	Strings    map[string][]string `json:"strings"`
	Columns    map[string][]int    `json:"columns"` // places in the strings of that name, or whole numbers
	Numbers    []numbersOf         `json:"numbers"`
	Conditions []string            `json:"conditions"` // in the order of the tables
	Roles      []string            `json:"roles"`
	Judged     map[string][2]int   `json:"judged"` // "persona condition", places: the alphas of even and odd prompts
}

// A numbersOf is one score of every text.
type numbersOf struct {
	Name   string      `json:"name"`
	Values []shortened `json:"values"`
}

// A shortened number has the digits that a reader needs: 4.15, not 4.15068153405562.
type shortened float64

// MarshalJSON implements [json.Marshaler].
func (s shortened) MarshalJSON() ([]byte, error) {
	v := float64(s)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	if math.Abs(v) < 1e6 {
		return []byte(strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")), nil
	}
	return strconv.AppendFloat(nil, v, 'g', 3, 64), nil
}

// rowsData gathers the texts for the page.
func rowsData(s *Results) pageData {
	d := pageData{Rows: len(s.Texts), Width: maxPageText, Strings: map[string][]string{}, Columns: map[string][]int{}, Judged: map[string][2]int{}}
	texts := fitting(s.Texts)
	column := func(name string, of func(artifacts.Sample) string) map[string]int {
		place, all := map[string]int{}, []string{}
		for _, t := range texts {
			text := of(t)
			at, ok := place[text]
			if !ok {
				at = len(all)
				place[text], all = at, append(all, text)
			}
			d.Columns[name] = append(d.Columns[name], at)
		}
		d.Strings[name] = all
		return place
	}
	for _, t := range texts {
		d.Columns["prompt_id"] = append(d.Columns["prompt_id"], int(t.Prompt))
		d.Columns["tokens"] = append(d.Columns["tokens"], int(t.Tokens))
		d.Columns["draw"] = append(d.Columns["draw"], int(t.Draw))
	}
	persona := column("persona", func(t artifacts.Sample) string { return shorten(t.Persona) })
	condition := column("condition", func(t artifacts.Sample) string { return shorten(t.Condition) })
	alpha := column("alpha", func(t artifacts.Sample) string { return strconv.FormatFloat(t.Alpha, 'g', -1, 64) })
	column("seed", func(t artifacts.Sample) string { return strconv.FormatUint(t.Seed, 10) })
	column("prompt", func(t artifacts.Sample) string { return shorten(t.PromptText) })
	column("text", func(t artifacts.Sample) string { return shorten(t.Text) })
	column("flags", func(t artifacts.Sample) string { return shorten(strings.Join(t.Collapse, "\n")) })
	column("status", func(t artifacts.Sample) string { return shorten(t.Status) })
	column("vector", func(t artifacts.Sample) string { return shorten(t.Vector) })
	column("generations", func(t artifacts.Sample) string { return shorten(t.Generations) })
	d.Numbers = scores(texts)
	for _, c := range s.Report.Evaluation.Pooled.Conditions {
		d.Conditions, d.Roles = append(d.Conditions, shorten(c.Condition)), append(d.Roles, c.Role)
		for _, a := range c.Alphas {
			even, ok := alpha[strconv.FormatFloat(a.Even, 'g', -1, 64)]
			odd, ok2 := alpha[strconv.FormatFloat(a.Odd, 'g', -1, 64)]
			p, ok3 := persona[shorten(a.Persona)]
			if k, ok4 := condition[shorten(c.Condition)]; ok && ok2 && ok3 && ok4 {
				d.Judged[strconv.Itoa(p)+" "+strconv.Itoa(k)] = [2]int{even, odd}
			}
		}
	}
	return d
}

// fitting are the rows whose texts the page has room for.
func fitting(texts []artifacts.Sample) []artifacts.Sample {
	bytes := 0
	for i, t := range texts {
		if bytes += min(len(t.Text), maxPageText); bytes > maxPageRows {
			return texts[:i]
		}
	}
	return texts
}

// shorten cuts what is longer than the page shows; the script says so, by the length.
func shorten(text string) string {
	if len(text) <= maxPageText {
		return text
	}
	n := 0
	for at := range text {
		if n++; n > maxPageText {
			return text[:at] + "…"
		}
	}
	return text
}

// scores are all numbers of a text that may be missing: what a text is judged by, whatever it is called.
func scores(texts []artifacts.Sample) (all []numbersOf) {
	t := reflect.TypeFor[artifacts.Sample]()
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("missing") == "ok" {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			one, some := numbersOf{Name: name}, false
			for k := range texts {
				v := reflect.ValueOf(&texts[k]).Elem().Field(i).Float()
				one.Values, some = append(one.Values, shortened(v)), some || !math.IsNaN(v)
			}
			if some {
				all = append(all, one)
			}
		}
	}
	return append(all, furtherScores(texts)...)
}

// furtherScores are what further measures gave the texts, by their names.
func furtherScores(texts []artifacts.Sample) (all []numbersOf) {
	var names []string
	for i := range texts {
		for _, name := range texts[i].Measures.Names {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		one := numbersOf{Name: shorten(name)}
		for i := range texts {
			one.Values = append(one.Values, shortened(texts[i].Measures.Of(name)))
		}
		all = append(all, one)
	}
	return all
}

// encode writes the data so that no text in it can end the element that it stands in.
func (d pageData) encode() ([]byte, error) { return json.Marshal(d) }
