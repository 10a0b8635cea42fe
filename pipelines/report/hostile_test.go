package report

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// hostile are texts as a model may write them, and worse.
var hostile = []string{
	`<script>document.title = "owned"; window.owned = 1</script>`,
	`</script><script>window.owned = 1</script>`,
	`<!--<script>`, `-->`, `]]>`,
	`<img src=x onerror="window.owned = 1"><svg onload="window.owned = 1"><iframe src="https://example.com/">`,
	`<style>*{display:none}</style><base href="https://example.com/"><meta http-equiv=refresh content="0;url=https://example.com/">`,
	`"><b onmouseover=window.owned=1>'` + "`${window.owned=1}`",
	`{{.Report}} {{"x" | js}} ${1+1} \u003cscript\u003e &lt;b&gt; &amp;`,
	"\u202egnp.exe\u202c \u2067right\u2069 \u200f\u200e \u200b\ufeff\u00ad",
	"\x00\x01\x02\x07\x08\x0b\x0c\r\x1b[31m\x1b]0;title\x07\x7f\u0080\u009b",
	"line\u2028separator\u2029paragraph\nnew\r\nline\ttab",
	"\xff\xfe\xc3( \xed\xa0\x80 lone",
	strings.Repeat("W", 100_000),
	strings.Repeat("wide 日本語 ", 12_000),
	strings.Repeat("\n", 5000),
	"Z" + strings.Repeat("\u0300\u0301\u0302", 400),
	strings.Repeat("﷽", 200) + strings.Repeat("𒐫", 200),
	"👩‍👩‍👧‍👦 مرحبا שלום ﺎﻟ",
	`=HYPERLINK("https://example.com";"x")`, "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "＝1+1",
	`\input{/etc/passwd} $x^2$ \write18{id} % & # _ { } ~`, "| a | b |\n---|---\n[x](javascript:alert(1)) ![](https://example.com/x.png) `code`",
	"", " ",
}

// spoiled are results of which every text and every name is hostile.
func spoiled(t testing.TB) *Results {
	t.Helper()
	report, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	name := func(k int) string { return hostile[k%len(hostile)] + fmt.Sprint(k) }
	report.Experiment.SourceModel, report.Experiment.TargetModel, report.Experiment.AlphaUnit, report.Experiment.Positions = name(0), name(9), name(5), name(1)
	report.Fit.Method, report.Fit.Warnings, report.LeftOut = name(7), hostile, map[string]int{name(1): 2, name(13): 1}
	e := report.Evaluation
	e.Warnings = hostile
	k := 0
	spoil := func(g *trial.Group) {
		g.Verdict.Meaning, g.Warnings = name(k)+": "+name(k+1), hostile
		for i := range g.Verdict.Criteria {
			g.Verdict.Criteria[i].Name, g.Verdict.Criteria[i].Want = name(i), name(i+3)
		}
		for i := range g.Conditions {
			g.Conditions[i].Condition, g.Conditions[i].Warnings = name(i), hostile
			for j := range g.Conditions[i].Alphas {
				g.Conditions[i].Alphas[j].Persona = name(20 + j)
			}
		}
		k++
	}
	spoil(&e.Pooled)
	for i := range e.Personas {
		spoil(&e.Personas[i])
		e.Personas[i].Persona = name(20 + i)
	}
	for i := range report.Vectors {
		report.Vectors[i].Condition, report.Vectors[i].Persona = name(i), name(20+i)
	}
	for i := range report.Measures {
		m := &report.Measures[i]
		m.Name, m.What, m.Says, m.Missing, m.Warnings = name(i), name(i+4), name(i+6), map[string]int{name(2): 3}, hostile
		for k := range m.Scales {
			m.Scales[k].Persona, m.Scales[k].Missing = name(k), name(k+1)
		}
		for k := range m.Contrasts {
			m.Contrasts[k].Persona, m.Contrasts[k].Versus, m.Contrasts[k].Finding = name(k), name(k+8), trial.Finding(name(k+2))
		}
		for k := range m.Agreement {
			m.Agreement[k].Measure, m.Agreement[k].Texts = name(k), name(k+5)
		}
	}
	s := &Results{Report: report}
	for i, text := range hostile {
		for c := range 5 {
			s.Texts = append(s.Texts, artifacts.Sample{Persona: name(20 + i%2), Condition: name(c), Prompt: int32(i / 2), PromptText: name(i), Text: text, Alpha: .5, Seed: 1<<64 - 1,
				Collapse: []string{text, hostile[3]}, Status: text, Vector: text, Generations: text, Trait: 3, Tokens: 7})
		}
	}
	return s
}

// TestHostileTextsDoNothing opens a page of hostile texts and names: nothing runs, nothing is asked for, the
// layout holds, what is hidden is shown, and what is read is what was written.
func TestHostileTextsDoNothing(t *testing.T) {
	s := spoiled(t)
	file := pageOf(t, s)
	for _, width := range []int64{1280, 390} {
		p := openPage(t, file, width, "light")
		if got := eval[string](p, `String(window.owned) + document.querySelectorAll('script').length + document.querySelectorAll('iframe, img, base, object, main style').length`); got != "undefined20" {
			t.Errorf("%d: owned, scripts, elements of texts: %s", width, got)
		}
		p.choose("all-search", "window.owned")
		for range 3 {
			eval[bool](p, `(document.querySelectorAll('details').forEach(d => d.open = true), true)`)
			p.fits(width)
			p.do(chromedp.Click(chromedp.CSS("#all-after")))
		}
		p.choose("all-search", "")
		for at := range eval[int](p, `document.getElementById('side-prompt').length`) {
			p.choose("side-prompt", eval[string](p, fmt.Sprintf(`document.getElementById('side-prompt').options[%d].value`, at)))
			p.fits(width)
		}
		if got := eval[string](p, `String(window.owned) + document.title.includes('owned"')`); got != "undefinedtrue" {
			t.Errorf("%d: after use: %s", width, got)
		}
	}
	p := openPage(t, file, 1280, "light")
	all := eval[string](p, `(() => { const seen = [], next = document.getElementById('all-after');
		for (;;) { seen.push(document.getElementById('all').textContent); if (next.disabled) return seen.join(''); next.click(); } })()`)
	for _, want := range []string{"↵ × 4000", `<script>document.title = "owned"; window.owned = 1</script>`, `</script><script>window.owned = 1</script>`, "U+202Egnp.exeU+202C U+2067rightU+2069", "␀␁␂␇␈␋␌␍␛[31m", "lineU+2028separatorU+2029paragraph↵\nnew␍↵\nline␉tab", "👩‍👩‍👧‍👦 مرحبا"} {
		if !strings.Contains(all, want) {
			t.Errorf("no text is shown as %q", want)
		}
	}
}

// TestHostileTextsInFiles: no file of a report holds what a terminal, a spreadsheet, LaTeX or a viewer of
// Markdown would act on, and figures are well-formed XML.
func TestHostileTextsInFiles(t *testing.T) {
	files, err := Files(spoiled(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text := string(f.Content)
		for _, c := range []string{"\x1b", "\x00", "\x07", "\u202e", "\u2067", "\u200b", "\u2028", "\xff"} {
			if f.Name == Page { // the script shows them, from its data
				text, _, _ = strings.Cut(text, `<script type="application/json"`)
			}
			if strings.Contains(text, c) {
				t.Errorf("%s holds %q", f.Name, c)
			}
		}
		switch filepath.Ext(f.Name) {
		case ".svg":
			d := xml.NewDecoder(strings.NewReader(text))
			for err == nil {
				var token xml.Token
				token, err = d.Token()
				if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "script" || e.Name.Local == "img" || e.Name.Local == "iframe") {
					t.Errorf("%s has an element %s", f.Name, e.Name.Local)
				}
			}
			if err != io.EOF {
				t.Errorf("%s: %v", f.Name, err)
			}
			err = nil
		case ".csv":
			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if cell != "" && strings.Contains("=+@|%", cell[:1]) || strings.HasPrefix(cell, "-") && strings.Trim(cell, "-0123456789.e") != "" || strings.HasPrefix(cell, "＝") {
						t.Errorf("%s has a cell %q", f.Name, cell)
					}
				}
			}
		case ".tex":
			for _, bad := range []string{`\input`, `\write`, "$x", " & #", "{ }"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s holds %s", f.Name, bad)
				}
			}
		case ".md":
			for _, bad := range []string{"<script", "<img", "x](javascript", " ![](https", "\n---|"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s holds %s", f.Name, bad)
				}
			}
		}
	}
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{"": "", "plain ☃ 👩‍👧": "plain ☃ 👩‍👧", "a\x1b[0m\nb": "a␛[0m␊b", "\x7f\u0085": "␡⟨U+0085⟩", "\u202eab\u2066": "⟨U+202E⟩ab⟨U+2066⟩", "\ufffe\uffff": "⟨U+FFFE⟩⟨U+FFFF⟩", "\U000e0041": "⟨U+E0041⟩", "a\xffb": "a\ufffdb", "a\xff\x00": "a\ufffd␀"} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q, want %q", text, got, want)
		}
	}
}

// thousands are results of that many texts.
func thousands(t testing.TB, n int) *Results {
	t.Helper()
	report, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"none", "ridge", "oracle", "zero_pad", "shuffled_pairs"}
	s := &Results{Report: report}
	for i := range n {
		var b strings.Builder
		for range 20 + r.IntN(10) {
			fmt.Fprintf(&b, " word%d", r.IntN(5000))
		}
		sample := artifacts.Sample{Persona: []string{"angry", "silly"}[i%2], Condition: names[i/2%5], Alpha: []float64{.5, 1.5}[i/10%2], Prompt: int32(i / 20 % 50), PromptText: fmt.Sprintf("Prompt %d of fifty:", i/20%50), Seed: uint64(i / 1000),
			Text: b.String(), Trait: 1 + 4*r.Float64(), Coherence: 1 + 4*r.Float64(), Perplexity: 50 * r.Float64(), NLL: 4 * r.Float64(), Tokens: 28, Vector: fmt.Sprintf("%064x", i/100), Generations: fmt.Sprintf("%064x", i/90)}
		if i%7 == 0 {
			sample.Collapse = []string{"repetition: 9 times"}
		}
		s.Texts = append(s.Texts, sample)
	}
	report.Evaluation.Rows = n
	return s
}

// TestTenThousandTextsOpenAndFilterAtOnce: bounds are far above what a quiet machine takes, which is in
// BENCHMARKS.md.
func TestTenThousandTextsOpenAndFilterAtOnce(t *testing.T) {
	file := pageOf(t, thousands(t, 10000))
	if info, err := os.Stat(file); err != nil || info.Size() > 3<<20 {
		t.Errorf("the page has %d bytes, %v", info.Size(), err)
	}
	p := openPage(t, file, 1280, "light")
	if ms := eval[float64](p, opened); ms > 5000 {
		t.Errorf("the page took %.0f ms to open", ms)
	} else {
		t.Logf("%.0f ms to open", ms)
	}
	for _, c := range []struct{ what, step, count string }{
		{"a search", `set('all-search', 'word42')`, ""},
		{"a longer search", `set('all-search', 'word421')`, ""},
		{"a search for nothing", `set('all-search', '')`, "10,000 texts"},
		{"a persona", `set('all-persona', '1')`, "5,000 of 10,000 texts match"},
		{"an order", `set('all-order', '0 -1')`, "5,000 of 10,000 texts match"},
		{"a reset", `document.getElementById('all-reset').click()`, "10,000 texts"},
	} {
		ms := eval[float64](p, `(() => { const set = (id, v) => { const e = document.getElementById(id); e.value = v; e.dispatchEvent(new Event(e.tagName === 'INPUT' ? 'input' : 'change')) };
			const begun = performance.now(); `+c.step+`; document.body.offsetHeight; return performance.now() - begun })()`)
		if ms > 1500 {
			t.Errorf("%s took %.0f ms", c.what, ms)
		}
		if got := p.text("all-count"); c.count != "" && got != c.count {
			t.Errorf("%s: %s, want %s", c.what, got, c.count)
		}
		t.Logf("%s: %.1f ms, %s", c.what, ms, p.text("all-count"))
	}
}

// BenchmarkReport makes all files of a report of ten thousand texts, from the bytes of the results.
func BenchmarkReport(b *testing.B) {
	s := thousands(b, 10000)
	var rows bytes.Buffer
	if err := (&artifacts.Evaluation{Rows: s.Texts}).WriteJSONL(&rows); err != nil {
		b.Fatal(err)
	}
	report := bytes.Replace(invented(b, false), []byte(`"rows": `+fmt.Sprint(reportRows(b))), []byte(`"rows": 10000`), 1)
	bytes := 0
	for b.Loop() {
		s, err := Decode(report, rows.Bytes(), nil)
		if err != nil {
			b.Fatal(err)
		}
		files, err := Files(s)
		if err != nil {
			b.Fatal(err)
		}
		bytes = len(files[0].Content)
	}
	b.ReportMetric(float64(bytes)/(1<<20), "MiB/page")
}

func reportRows(t testing.TB) int {
	r, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	return r.Evaluation.Rows
}
