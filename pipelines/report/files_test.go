package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// folder writes results as a run does.
func folder(t testing.TB, s *Results, run string) string {
	t.Helper()
	s.Report.Evaluation.Rows = len(s.Texts)
	report, err := json.Marshal(s.Report)
	if err != nil {
		t.Fatal(err)
	}
	var rows bytes.Buffer
	if err := (&artifacts.Evaluation{Rows: s.Texts}).WriteJSONL(&rows); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"report.json": string(report), "rows.jsonl": rows.String(), "run.json": run} {
		if content != "" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// inventedRun is a run.json with what differs between machines in it.
const inventedRun = `{"version":"one","experiment":"abcdef","seconds":12,"config":{"source_model":"/home/someone/models/a","persona_datasets":"/home/someone/personas.json",
	"test_prompts":["One","Two"],"n_seeds":2,"max_new_tokens":28,"temperature":0.8,"top_p":0.95,"top_k":50,"device":"cpu","dtype":"float32","seed":42,"output_dir":"/home/someone/results"},
	"stages":[{"stage":"pairs","key":"0123","seconds":3},{"stage":"fit","seconds":4}]}`

// TestFilesOfAReport compares the small files of an invented report with what they were when a person
// last read them, and the page with what it must hold.
func TestFilesOfAReport(t *testing.T) {
	s, err := Read(folder(t, results(t, texts()), inventedRun))
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	content := map[string]string{}
	for _, f := range files {
		content[f.Name] = string(f.Content)
		if f.Content != nil {
			names = append(names, f.Name)
		}
	}
	digests := strings.NewReplacer(s.ReportDigest.String(), "(digest)", s.RowsDigest.String(), "(digest)") // they move with every new field
	for _, name := range []string{"report.md", "tables/conditions.csv", "tables/conditions.tex", "tables/cosines.csv"} {
		golden(t, filepath.Base(name), []byte(digests.Replace(content[name])))
	}
	golden(t, "files", []byte(strings.Join(names, "\n")+"\n"))
	page := content[Page]
	for _, want := range []string{`content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-`, `<h2 id="verdict-h" class="outcome success">`, `<bdi>Success</bdi>`, "All 11 criteria are met.", "temperature 0.8", "personas.json", "2 texts in the configuration", "stage pairs, key", ">0123<", s.RowsDigest.String()} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(page, "<figure "); n != 6 {
		t.Errorf("%d figures, want 6", n)
	}
	for name, text := range content {
		for _, not := range []string{"someone", "NaN", "+Inf", "-Inf", "%!", "stage fit", "<no value>", "ZgotmplZ"} {
			if strings.Contains(text, not) {
				t.Errorf("%s holds %q", name, not)
			}
		}
	}
	for _, link := range []string{"http:", "https:", "src=", "@import", "url("} {
		if rest := strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, ""); strings.Contains(rest, link) {
			t.Errorf("the page holds %q: it must need nothing else", link)
		}
	}
}

// TestSameResultsSameBytes: a report does not depend on when, where or by whom it is made.
func TestSameResultsSameBytes(t *testing.T) {
	make := func(run string) []File {
		s, err := Read(folder(t, thousands(t, 500), run))
		if err != nil {
			t.Fatal(err)
		}
		files, err := Files(s)
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	first := make(inventedRun)
	other := strings.NewReplacer("someone", "another", `"seconds":12`, `"seconds":7`, `"version":"one"`, `"version":"two"`).Replace(inventedRun)
	for i, f := range make(other) {
		if f.Name != first[i].Name || !bytes.Equal(f.Content, first[i].Content) {
			t.Errorf("%s differs between two machines", f.Name)
		}
	}
}

// TestGapsAreNoFigures: what a report has no numbers for is left out, and said where it is a number.
func TestGapsAreNoFigures(t *testing.T) {
	s := results(t, nil)
	r := &s.Report
	r.Vectors, r.Fit.LearningCurve, r.Fit.CV.Penalties = nil, r.Fit.LearningCurve[:1], r.Fit.CV.Penalties[:1]
	r.Evaluation.Pooled.Recovery = nil
	for i := range r.Evaluation.Personas {
		r.Evaluation.Personas[i].Recovery = nil
	}
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, f := range files {
		if f.Content == nil && !strings.Contains(f.Name, "/judge") && !strings.Contains(f.Name, "/more.") && !strings.Contains(f.Name, "/evaluation") {
			gone = append(gone, f.Name)
		}
		if f.Name == "tables/personas.csv" && !strings.Contains(string(f.Content), "not stable") {
			t.Errorf("a recovery that is not there: %s", f.Content)
		}
	}
	if want := []string{"tables/criteria-held-out.csv", "tables/criteria-held-out.tex", "tables/cosines.csv", "tables/cosines.tex", "figures/cosines.svg", "figures/lambda.svg", "figures/pairs.svg"}; !slices.Equal(gone, want) {
		t.Errorf("without content: %q, want %q", gone, want)
	}
	if r, err := decodeReport(invented(t, true)); err != nil {
		t.Error(err)
	} else if _, err := Files(&Results{Report: r}); err != nil {
		t.Errorf("a report with missing numbers: %v", err)
	}
}

// TestWhyNamesTheBound: the reasons are in words, with what was asked for and found.
func TestWhyNamesTheBound(t *testing.T) {
	v := trial.Verdict{Criteria: []trial.Criterion{{Name: "trait", Want: "above 2.5", Got: 2.62, Interval: [2]trial.Number{2.41, 2.83}}, {Name: "x − y", Want: "above 0", Got: missing, Interval: [2]trial.Number{missing, missing}}, {Name: "met", Pass: true}}}
	v.Criteria[0].MorePrompts, v.Causes = 40, []string{"it is so"}
	want := []string{"It is so.", "1 of 3 criteria are met.", "Not met: trait has to be above 2.5 and is 2.62 [2.41, 2.83]. About 40 more prompts would settle it, if the value stays.", "Not met: x − y has to be above 0 and could not be computed."}
	if got := why(v); !slices.Equal(got, want) {
		t.Errorf("why = %q, want %q", got, want)
	}
}

// TestTwoVerdicts: where a map was fitted that has not seen the personas' registers, the report gives both
// answers, each with its criteria, for all personas and for each.
func TestTwoVerdicts(t *testing.T) {
	s := results(t, texts())
	e := s.Report.Evaluation
	e.Pooled.HeldOut = &trial.HeldOut{Condition: "ridge_held_out", Recovery: &trial.Estimate{Value: .14, Low: -.03, High: .29}, Verdict: trial.Verdict{Outcome: trial.Failure, Meaning: "failure: it falls short",
		Criteria: []trial.Criterion{{Name: "ridge_held_out, trait", Want: "above 2.5", Got: 1.5, Interval: [2]trial.Number{1.4, 1.6}, Gate: true, MorePrompts: 9}}}}
	e.Personas[1].HeldOut = &trial.HeldOut{Verdict: trial.Verdict{Meaning: "partial: it does"}}
	e.Personas[1].Verdict.Outcome, e.Personas[1].Verdict.Meaning = trial.Partial, "partial: not all"
	e.Pooled.Conditions[1].Role = trial.RoleHeldOut
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	page := string(files[0].Content)
	for _, want := range []string{"registers that the calibration contains", `<h2 class="outcome failure" id="held-out">`, "It falls short.", `<a href="#held-out">A register it has never seen</a>: <b><bdi>Failure</bdi></b>.`, "Recovery of the oracle's effect: 0.14 [−0.03, 0.29].",
		"Not met: ridge_held_out, trait has to be above 2.5 and is 1.50 [1.40, 1.60]. About 9 more prompts", "above 2.5 (gate)", "about 9", "verdict without its register", "a map that has not seen the persona"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, want := range []string{"### A register that the calibration does not contain: Failure\n", "A register that the calibration does not contain: Failure.\n", "| silly | partial |"} {
		if !strings.Contains(string(files[1].Content), want) {
			t.Errorf("report.md lacks %q:\n%s", want, files[1].Content)
		}
	}
	for _, f := range files {
		if f.Name == "tables/personas.csv" && !strings.HasSuffix(string(f.Content), ",partial\n") {
			t.Errorf("the second persona's second verdict is not in\n%s", f.Content)
		}
	}
	if got := strings.Join(scope(e), " "); got != "By itself, not every persona has this verdict: silly partial." {
		t.Errorf("scope: %s", got)
	}
	if p := string(must(writePage(results(t, nil), nil))); strings.Contains(p, `id="held-out"`) || !strings.Contains(p, "was not tested in this run") {
		t.Error("a second verdict where there is none")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCellsInEveryForm(t *testing.T) {
	for want, c := range map[string]cell{"0.00 [−1.00, 0.00]": estimate(trial.Estimate{Value: -.001, Low: -1, High: -.0001}, "%.2f"), "0% [0, 1]": share(trial.Estimate{Value: -.001, High: .01}), "+0.00 [−0.10, +0.10]": estimate(trial.Estimate{Value: .001, Low: -.1, High: .1}, "%+.2f"), "missing": share(trial.Estimate{Value: missing})} {
		if got := c.String(); got != want {
			t.Errorf("a cell is %q, want %q", got, want)
		}
	}
	e := trial.Estimate{Value: -.5, Low: -1, High: .25}
	gap := trial.Estimate{Value: missing, Low: missing, High: missing}
	table := tabular{Name: "t", Caption: "50 % of a_b", Columns: []string{"=name", "value", "share", "n"}, Rows: [][]cell{
		{words("=1+1"), estimate(e, "%+.2f"), share(e), count(3)}, {words(`a|b_c & "d"`), estimate(gap, "%.2f"), share(gap), words("")}}}
	var b bytes.Buffer
	if err := table.writeCSV(&b); err != nil {
		t.Fatal(err)
	}
	if want := "'=name,value,value low,value high,share,share low,share high,n\n'=1+1,-0.5,-1,0.25,-0.5,-1,0.25,3\n\"a|b_c & \"\"d\"\"\",,,,,,,\n"; b.String() != want {
		t.Errorf("CSV:\n%swant\n%s", &b, want)
	}
	b.Reset()
	if err := table.writeLaTeX(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`\caption{50 \% of a\_b}`, `=1+1 & $-$0.50 {[}$-$1.00, +0.25{]} & $-$50\% {[}$-$100, 25{]} & 3 \\`, `a\textbar{}b\_c \& \textquotedbl{}d\textquotedbl{} & missing & missing &  \\`, `{lrrr}`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("LaTeX lacks %s:\n%s", want, &b)
		}
	}
	var m strings.Builder
	table.writeMarkdown(&m)
	for _, want := range []string{"| =name | value | share | n |\n|---|---:|---:|---:|\n", `| =1+1 | −0.50 \[−1.00, +0.25\] | −50% \[−100, 25\] | 3 |`, `| a\|b\_c &amp; "d" | missing |`} {
		if !strings.Contains(m.String(), want) {
			t.Errorf("Markdown lacks %s:\n%s", want, &m)
		}
	}
}

// TestLongTextsAreCutInThePage: the page says how long a text that it shows is at most, and has room for so
// many.
func TestLongTextsAreCutInThePage(t *testing.T) {
	s := results(t, nil)
	for i := range 6 {
		s.Texts = append(s.Texts, artifacts.Sample{Persona: "angry", Condition: "ridge", Seed: uint64(i), Text: strings.Repeat("é", 30000)})
	}
	d := rowsData(s)
	if got := d.Strings["text"][0]; len([]rune(got)) != maxPageText+1 || !strings.HasSuffix(got, "é…") {
		t.Errorf("a long text has %d characters", len([]rune(got)))
	}
	s.Texts = slices.Repeat(s.Texts, 1000)
	if d = rowsData(s); len(d.Columns["text"]) != maxPageRows/maxPageText || d.Rows != 6000 {
		t.Errorf("%d of %d rows", len(d.Columns["text"]), d.Rows)
	}
}

// TestReadTellsWhatIsWrong gives it folders that are none.
func TestReadTellsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(dir string) error
		missing bool
		want    string
	}{
		"no folder":      {func(dir string) error { return os.RemoveAll(dir) }, true, "report.json: no such file"},
		"no rows":        {func(dir string) error { return os.Remove(filepath.Join(dir, "rows.jsonl")) }, true, "rows.jsonl: no such file"},
		"a folder":       {func(dir string) error { return replaceBy(dir, "run.json", "") }, true, "run.json is no file"},
		"no JSON":        {func(dir string) error { return replaceBy(dir, "report.json", "<html>") }, false, "read report.json: invalid character"},
		"another JSON":   {func(dir string) error { return replaceBy(dir, "report.json", `{"evaluation":{}}`) }, false, "not a whole report"},
		"another's rows": {func(dir string) error { return replaceBy(dir, "rows.jsonl", `{"text":"x"}`) }, false, "line 1 has no persona or no condition"},
		"too few rows":   {func(dir string) error { return replaceBy(dir, "rows.jsonl", `{"persona":"a","condition":"b"}`) }, false, "it has 1 rows, and report.json was computed from 64"},
		"rows of numbers": {func(dir string) error {
			return replaceBy(dir, "rows.jsonl", "{\"persona\":\"a\",\"condition\":\"b\"}\n7")
		}, false, "line 2 is no row"},
		"no run":           {func(dir string) error { return replaceBy(dir, "run.json", "[]") }, false, "read run.json: "},
		"deep JSON":        {func(dir string) error { return replaceBy(dir, "report.json", strings.Repeat("[", 1<<20)) }, false, "exceeded max depth"},
		"a configuration ": {func(dir string) error { return replaceBy(dir, "run.json", `{"config":{"test_prompts":7}}`) }, false, "read run.json: "},
	} {
		dir := folder(t, results(t, texts()), inventedRun)
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := Read(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, pipelines.ErrMissing) != c.missing || errors.Is(err, cache.ErrCorrupt) == c.missing {
			t.Errorf("%s: %v, want %q (missing: %t)", name, err, c.want, c.missing)
		}
	}
}

// replaceBy gives a file other content; an empty one makes a folder of it.
func replaceBy(dir, name, content string) error {
	path := filepath.Join(dir, name)
	if content == "" {
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o755))
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// FuzzReport looks for results whose report cannot be made.
func FuzzReport(f *testing.F) {
	rows := `{"persona":"a","condition":"b","alpha":1e300,"prompt_id":-7,"trait":null,"text":"x","collapse":["y"]}`
	f.Add(invented(f, false), []byte(rows), []byte(inventedRun))
	f.Add(invented(f, true), []byte(""), []byte("{}"))
	for _, text := range []string{`{"fit":{"cross_validation":{}},"evaluation":{}}`,
		`{"experiment":{"alpha_values":[1e308]},"fit":{"lambda":1e-320,"cross_validation":{"scores":[{"lambda":1e-320},{"lambda":1e308,"r2":-1e308}]},"learning_curve":[{"n":-1},{"n":9},{"n":9,"held":{"r2":5}}]},"evaluation":{"rows":1}}`,
		`{"vectors":[{"cosine_with_native":[null,2]},{"persona":"p","condition":"c","cosine_with_native":[-1e308,1e308]}],"fit":{"cross_validation":{}},"evaluation":{"rows":1,"scorers":[{}],"personas":[{"verdict":{"meaning":":"},"conditions":[{"role":"mapped","alphas":[{}],"by_alpha":[{"alpha":-1e308,"trait":{"value":1e308,"low":-1e308}},{"alpha":1e308},{"alpha":1}],"mapped_minus_this":{"trait":{"value":1e9,"low":-1e9,"high":1e9}}},{"role":"oracle","by_alpha":[{"alpha":0}]}]}]}}`} {
		f.Add([]byte(text), []byte(rows), []byte(inventedRun))
	}
	f.Fuzz(func(t *testing.T, report, rows, run []byte) {
		s, err := Decode(report, rows, run)
		if err != nil {
			if !errors.Is(err, cache.ErrCorrupt) {
				t.Errorf("%v, want ErrCorrupt", err)
			}
			s, err = Decode(report, nil, run) // most reports do not fit the rows
		}
		if err == nil {
			if _, err := Files(s); err != nil {
				t.Error(err)
			}
		}
	})
}
