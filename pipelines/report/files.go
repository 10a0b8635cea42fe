package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
)

// A File is one file of a report, by its path in the folder of the results.
type File struct {
	Name    string
	Content []byte // nil: these results have no such file, and one that is there is of others
}

// Page is the name of the page.
const Page = "report.html"

// Files makes the report of results: the page, the same as Markdown, the tables as CSV and LaTeX, the figures
// as SVG. The same results make the same bytes.
func Files(s *Results) ([]File, error) {
	drawn := figures(s.Report)
	page, err := writePage(s, drawn)
	if err != nil {
		return nil, err
	}
	files := []File{{Page, page}, {"report.md", writeMarkdown(s, drawn)}}
	content := map[string][]byte{}
	for _, t := range tables(s.Report) {
		var sheet, set bytes.Buffer
		if err := errors.Join(t.writeCSV(&sheet), t.writeLaTeX(&set)); err != nil {
			return nil, fmt.Errorf("write table %s: %w", t.Name, err)
		}
		content["tables/"+t.Name+".csv"], content["tables/"+t.Name+".tex"] = sheet.Bytes(), set.Bytes()
	}
	for _, f := range drawn {
		content["figures/"+f.Name+".svg"] = f.file()
	}
	var names []string
	for _, name := range tableNames() {
		names = append(names, "tables/"+name+".csv", "tables/"+name+".tex")
	}
	for _, name := range figureNames {
		names = append(names, "figures/"+name+".svg")
	}
	for _, name := range names {
		files = append(files, File{name, content[name]})
	}
	return files, nil
}

// figureNames are those of all figures that there may be.
var figureNames = []string{"plane", "alpha", "forest", "cosines", "lambda", "pairs"}

// writeMarkdown writes the report for places that show Markdown: everything but the browser of texts.
func writeMarkdown(s *Results, drawn []figure) []byte {
	r := s.Report
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	word, meaning := outcome(r.Evaluation.Pooled.Verdict)
	line("# %s: %s → %s\n", markdown(word), markdown(r.Experiment.SourceModel), markdown(r.Experiment.TargetModel))
	line("%s\n", markdown(meaning))
	if h := heldOutOf(r.Evaluation.Pooled); h != nil {
		line("A register that the calibration does not contain: %s.\n", markdown(h.Outcome))
	}
	line("The claim that was tested: %s\n", markdown(claim(r)))
	for _, reason := range append(why(r.Evaluation.Pooled.Verdict), scope(r.Evaluation)...) {
		line("- %s", markdown(reason))
	}
	table := func(t tabular) {
		line("\n%s\n", markdown(t.Caption))
		t.writeMarkdown(&b)
	}
	line("\n## Verdict")
	table(criteriaTable(r.Evaluation.Pooled))
	if h := heldOutOf(r.Evaluation.Pooled); h != nil {
		line("\n### A register that the calibration does not contain: %s\n\n%s\n", markdown(h.Outcome), markdown(h.Meaning))
		for _, reason := range h.Why {
			line("- %s", markdown(reason))
		}
		table(h.Criteria)
	}
	table(personasTable(r))
	table(primaryTable(r))
	line("\n## Conditions")
	table(conditionsTable(r))
	line("\n## Figures")
	for _, f := range drawn {
		line("\n![%s](figures/%s.svg)\n\n%s: %s", markdown(f.Title), f.Name, markdown(f.Title), markdown(f.Caption))
	}
	line("\n## Texts")
	writeExamples(&b, s)
	line("\n## Measures")
	for _, t := range measured(r) {
		table(t)
	}
	line("\n## Methods")
	for _, p := range methods(s) {
		line("\n%s", markdown(p))
	}
	if list := warnings(r); len(list) > 0 {
		line("\n## Warnings\n")
		for _, w := range list {
			line("- %s", markdown(w))
		}
	}
	line("\n## Sources\n")
	for _, t := range traces(s) {
		line("- %s: `%s`", markdown(t.Name), strings.ReplaceAll(t.Digest, "`", "'"))
	}
	return asText(&b)
}

// writeExamples shows a few texts side by side, as the terminal does.
func writeExamples(b *strings.Builder, s *Results) {
	prompts := countPrompts(s.Texts)
	for k, g := range s.Report.Evaluation.Personas[:min(maxExamples, len(s.Report.Evaluation.Personas))] {
		shown := sideBySide(g, s.Texts, k%max(prompts, 1))
		if len(shown) == 0 {
			continue
		}
		fmt.Fprintf(b, "\nPersona %s, prompt “%s”, seed %d:\n\n", markdown(g.Persona), markdown(cutTo(shown[0].PromptText, 200)), shown[0].Seed)
		t := tabular{Columns: []string{"condition", "text"}}
		for _, text := range shown {
			t.Rows = append(t.Rows, []cell{words(exampleName(text)), words(cutTo(text.Text, 300))})
		}
		t.writeMarkdown(b)
	}
}

func countPrompts(texts []artifacts.Sample) (n int) {
	for _, t := range texts {
		n = max(n, int(t.Prompt)+1)
	}
	return n
}

// exampleName says how a text was made.
func exampleName(t artifacts.Sample) string {
	name := t.Condition
	if t.Alpha != 0 {
		name += fmt.Sprintf(" %g", t.Alpha)
	}
	if len(t.Collapse) > 0 {
		name += ", collapsed"
	}
	return name
}
