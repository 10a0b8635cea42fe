package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/pipelines"
)

// experiment has 40 texts of each of four conditions and two personas.
func experiment() (texts []artifacts.Sample) {
	for _, c := range []string{"none", "ridge", "oracle", "shuffled_pairs"} {
		for _, p := range []string{"silly", "angry"} {
			for i := range 40 {
				text := fmt.Sprintf("%s %s %d", c, p, i)
				if c == "none" {
					text = fmt.Sprintf("unsteered %d", i) // the same under both personas
				}
				texts = append(texts, artifacts.Sample{Condition: c, Persona: p, Alpha: .5, Prompt: int32(i / 2), Seed: uint64(i % 2), PromptText: fmt.Sprint("Opening ", i/2), Text: text, Trait: float64(1 + i%5), Coherence: 4})
			}
		}
	}
	return texts
}

func describe(persona string) string { return "is " + persona }

// TestDrawTakesOfEachConditionAlike: as many texts of each condition, of each persona in it, in an order that
// has no condition first; the same again for the same seed.
func TestDrawTakesOfEachConditionAlike(t *testing.T) {
	s := Draw(experiment(), 40, 7, describe)
	count := map[string]int{}
	order := ""
	for i, r := range s.Rows {
		count[r.Condition]++
		count[r.Condition+r.Persona]++
		order += r.Condition[:1]
		if r.ID != fmt.Sprintf("%s-%d", s.Code, i+1) || r.Description != "is "+r.Persona {
			t.Errorf("row %d is %+v", i, r)
		}
	}
	for _, c := range []string{"none", "ridge", "oracle", "shuffled_pairs"} {
		if count[c] != 10 || count[c+"silly"] != 5 || count[c+"angry"] != 5 {
			t.Errorf("%d of %s, %d of them silly, want 10 and 5", count[c], c, count[c+"silly"])
		}
	}
	if slices.IsSorted([]byte(order)) || strings.Contains(order, "nnnnnnnn") {
		t.Errorf("the conditions come as %s", order)
	}
	again, other := Draw(experiment(), 40, 7, describe), Draw(experiment(), 40, 8, describe)
	if fmt.Sprint(again) != fmt.Sprint(s) || other.Code == s.Code {
		t.Errorf("the same seed has sheets %s and %s, another %s", s.Code, again.Code, other.Code)
	}
}

// TestDrawTakesNothingTwice: texts that a reader cannot tell apart are one, empty ones none, and where there
// are fewer than wanted all are taken.
func TestDrawTakesNothingTwice(t *testing.T) {
	texts := []artifacts.Sample{{Condition: "none", Persona: "a", Text: "x"}, {Condition: "ridge", Persona: "a", Text: "x"}, {Condition: "ridge", Persona: "b", Text: "x"}, {Condition: "ridge", Persona: "a", Text: " \n"}}
	if s := Draw(texts, 50, 1, describe); len(s.Rows) != 2 {
		t.Errorf("%d rows, want one for each persona", len(s.Rows))
	}
}

// hostile are texts that a model may write.
var hostile = []string{"=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", " =1+1", "\n=1", "＝1", "<script>alert(1)</script>", "</textarea><img src=x onerror=alert(1)>", "\u202Eevil\u202C", "a\x00b\x1b[31m", "\ufeffx",
	"\"quoted\", with; and\ttab", "line\r\nbreak", "line\u2028separator", "bad\xffutf8", strings.Repeat("wide ", 20000), "{{.}} ${x} `y`"}

func hostileSheet() *Sheet {
	var texts []artifacts.Sample
	for i, h := range hostile {
		texts = append(texts, artifacts.Sample{Condition: "ridge", Persona: "silly", Prompt: int32(i), PromptText: h, Text: h})
	}
	return Draw(texts, 50, 1, func(string) string { return "=1+1 <b>" })
}

// TestTextsDoNoHarmInTheTable: no cell begins like a formula, none holds what is not seen, and every one comes
// back from a reader of CSV.
func TestTextsDoNoHarmInTheTable(t *testing.T) {
	s := hostileSheet()
	var b bytes.Buffer
	if err := s.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(records) != len(hostile)+1 {
		t.Fatalf("%d records (%v), want %d", len(records), err, len(hostile)+1)
	}
	for _, r := range records[1:] {
		for _, c := range r {
			if begin := strings.TrimLeft(c, " \n\t\r"); begin != "" && strings.Contains("=+-@＝", string([]rune(begin)[0])) {
				t.Errorf("a cell is %q", c)
			}
			if strings.ContainsAny(c, "\u202e\x00\x1b\ufeff\u2028\r") {
				t.Errorf("a cell holds what is not seen: %q", c)
			}
		}
		if strings.Join(r[5:], "") != "" {
			t.Errorf("filled already: %q", r[5:])
		}
	}
}

// TestTheRaterSeesNoCondition: neither table nor page has anything of the key.
func TestTheRaterSeesNoCondition(t *testing.T) {
	texts := experiment()
	for i := range texts {
		texts[i].Text = fmt.Sprint("text ", i)
		texts[i].Alpha, texts[i].Seed = .4375, 987654321
	}
	s := Draw(texts, 50, 1, describe)
	var table, page bytes.Buffer
	if err := errors.Join(s.WriteCSV(&table), s.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	for _, b := range []string{table.String(), page.String()} {
		for _, word := range []string{"ridge", "oracle", "shuffled", "none\"", ".4375", "987654321", "digest"} {
			if strings.Contains(b, word) {
				t.Errorf("%q stands in what the rater gets", word)
			}
		}
	}
}

// TestThePageIsTextOnly: markup of texts is escaped, and nothing is fetched.
func TestThePageIsTextOnly(t *testing.T) {
	var b bytes.Buffer
	if err := hostileSheet().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Count(page, "<script") != 1 || strings.Contains(page, "<img") || strings.Contains(page, "</textarea") || !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("markup of a text is markup of the page")
	}
	for _, word := range []string{"src=\"", "href=\"", "@import", "url(", "\u202e", "\x00"} {
		if strings.Contains(page, word) {
			t.Errorf("the page has %q", word)
		}
	}
}

// filled is a sheet with its key.
func filled(t *testing.T) (s *Sheet, keyFile []byte) {
	t.Helper()
	s = Draw(experiment(), 6, 1, describe)
	var b bytes.Buffer
	if err := s.WriteKey(&b); err != nil {
		t.Fatal(err)
	}
	return s, b.Bytes()
}

// TestFilledTablesAreRead as spreadsheets and the page save them.
func TestFilledTablesAreRead(t *testing.T) {
	s, keyFile := filled(t)
	for name, table := range map[string]string{
		"page":         "id,trait,coherence,note\r\n\"" + s.Rows[0].ID + "\",\"4\",\"5\",\"\"\r\n" + s.Rows[1].ID + ",\"\",2,'=x\r\n",
		"semicolons":   "\ufeffID;Note;Coherence;Trait;text\n" + s.Rows[0].ID + ";\"a; b, c\";5; 4 ;x\n;;;\n" + s.Rows[1].ID + ";;2;;\n",
		"tabs":         "id\ttrait\tcoherence\n" + s.Rows[0].ID + "\t4\t5\n" + s.Rows[1].ID + "\t\t2\n",
		"a short line": "id,coherence,trait\n" + s.Rows[0].ID + ",5,4\n" + s.Rows[1].ID + ",2\n",
	} {
		rated, err := Read([]byte(table), keyFile)
		if err != nil || len(rated) != 2 {
			t.Errorf("%s: %d rows, %v", name, len(rated), err)
			continue
		}
		if a, b := rated[0], rated[1]; a.Trait != 4 || a.Coherence != 5 || !math.IsNaN(b.Trait) || b.Coherence != 2 || a.Condition != s.Rows[0].Condition || a.Digest != s.Rows[0].Digest {
			t.Errorf("%s: %+v", name, rated)
		}
	}
}

// TestBadTablesAreRefusedWhole: everything that is wrong is in one message.
func TestBadTablesAreRefusedWhole(t *testing.T) {
	s, keyFile := filled(t)
	id := func(i int) string { return s.Rows[i].ID }
	for name, c := range map[string]struct {
		table string
		want  []string
	}{
		"all at once": {"id,trait,coherence\n" + id(0) + ",6,1\n" + id(1) + ",3.5,x\n" + id(2) + ",1,1\n" + id(2) + ",2,2\nffffffff-1,1,1\nnone,1,1\n",
			[]string{`line 2: trait of text ` + id(0) + `: "6"; want a whole number from 1 to 5`, `line 3: trait of text ` + id(1) + `: "3.5"`, `line 3: coherence of text ` + id(1) + `: "x"`, "line 5: text " + id(2) + " stands in line 4 already", `line 6: "ffffffff-1" is of another sheet`, `line 7: there is no text "none"`, "6 problems"}},
		"columns":   {"id,silly\n", []string{`line 1: there is no column "trait"`, `no column "coherence"`}},
		"empty":     {"", []string{"the table is empty"}},
		"unrated":   {"id,trait,coherence\n" + id(0) + ",,\n", []string{"no text has a rating"}},
		"no table":  {"id,trait,coherence\n\"" + id(0) + ",1,1\n", []string{"not a table of comma-separated values"}},
		"a zip":     {"PK\x03\x04\x00\x00", []string{`no column "id"`}},
		"fullwidth": {"id,trait,coherence\n" + id(0) + ",５,1\n", []string{"want a whole number"}},
	} {
		_, err := Read([]byte(c.table), keyFile)
		if !errors.Is(err, pipelines.ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v lacks %q", name, err, want)
			}
		}
	}
	if _, err := Read([]byte("id,trait,coherence\n"), []byte(`{"sheet": 3}`)); !errors.Is(err, pipelines.ErrConfig) || !strings.Contains(err.Error(), "the key: ") {
		t.Errorf("a bad key: %v", err)
	}
}

// TestCompareTakesTheRightScores: the person's trait stands beside the trait of the same text, coherence beside
// coherence, and a sheet of another experiment is refused.
func TestCompareTakesTheRightScores(t *testing.T) {
	texts := experiment()
	s := Draw(texts, 40, 1, describe)
	var rated []Rated
	for i, r := range s.Rows { // a person who sees the trait as it is, and coherence upside down
		one := Rated{r, 0, float64(1 + i%5)}
		fmt.Sscanf(r.Text[strings.LastIndexByte(r.Text, ' ')+1:], "%g", &one.Trait)
		one.Trait = float64(1 + int(one.Trait)%5)
		rated = append(rated, one)
	}
	trait, coherence := pipelines.Scores{Measure: "trait", Scorer: "lexical"}, pipelines.Scores{Measure: "coherence", Scorer: "judge"}
	for _, x := range texts {
		value := math.NaN()
		for _, r := range rated {
			if r.place() == placeOf(x) {
				value = 6 - r.Coherence
			}
		}
		trait.Values, coherence.Values = append(trait.Values, x.Trait), append(coherence.Values, value)
	}
	lines, err := Compare(rated, texts, []pipelines.Scores{trait, coherence}, 1)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%v %v", lines, err)
	}
	if k, r := float64(lines[0].Kappa.Value), float64(lines[0].Spearman.Value); k != 1 || math.Abs(r-1) > 1e-12 || lines[0].Kappa.N != 40 {
		t.Errorf("trait: kappa %g, Spearman %g of %d", k, r, lines[0].Kappa.N)
	}
	if k, r := float64(lines[1].Kappa.Value), float64(lines[1].Spearman.Value); k > -.9 || math.Abs(r+1) > 1e-12 {
		t.Errorf("coherence upside down: kappa %g, Spearman %g", k, r)
	}
	texts[slices.IndexFunc(texts, func(x artifacts.Sample) bool { return placeOf(x) == rated[3].place() })].Text += "!"
	if _, err := Compare(rated, texts, []pipelines.Scores{trait}, 1); !errors.Is(err, pipelines.ErrConfig) || !strings.Contains(err.Error(), "text "+rated[3].ID+" is not among the texts") {
		t.Errorf("a text that has changed: %v", err)
	}
	var b bytes.Buffer
	if err := WriteTable(&b, rated, lines); err != nil || !strings.Contains(b.String(), "40 texts: 40 rated for trait, 40 for coherence") || !strings.Contains(b.String(), "oracle") {
		t.Errorf("%v\n%s", err, &b)
	}
}
