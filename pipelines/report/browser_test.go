package report

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/persona-transfer/runpipeline/artifacts"
)

var (
	folders     = flag.String("results", "", "folders of finished runs, separated by commas, whose pages are opened as well")
	screenshots = flag.String("screenshots", "", "folder for pictures of the pages that are opened")
)

// A tab is a page in headless Chromium. At the end of the test it must have written nothing to the console
// and asked for nothing but its own file.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	messages []string
	requests []string
}

// chromium finds a browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starting a browser takes a second each time")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no Chromium")
	return ""
}

// openPage opens a file in a window of that width, in light or dark.
func openPage(t *testing.T, file string, width int64, scheme string) *tab {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium(t))}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has no sandbox for root
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(options...))
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	p := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	p.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate("file://"+file))
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, m := range p.messages {
			t.Errorf("the page wrote to the console: %s", m)
		}
		if len(p.requests) != 1 || !strings.HasSuffix(p.requests[0], filepath.Base(file)) {
			t.Errorf("the page asked for %q, want itself alone", p.requests)
		}
	})
	return p
}

// hear notes what the page says and asks for.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		p.messages = append(p.messages, fmt.Sprint(e.Type))
	case *runtime.EventExceptionThrown:
		p.messages = append(p.messages, e.ExceptionDetails.Text+fmt.Sprint(e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		p.messages = append(p.messages, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	}
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// call sends a command of the protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, command, params); err != nil {
		p.t.Fatal(err)
	}
}

// eval computes an expression in the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// choose sets a control as a person does.
func (p *tab) choose(id, value string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event(e.tagName === 'INPUT' ? 'input' : 'change')); return true })()`, id, value))
}

// chooseWord picks the option of that text.
func (p *tab) chooseWord(id, word string) {
	p.t.Helper()
	p.choose(id, eval[string](p, fmt.Sprintf(`[...document.getElementById(%q).options].find(o => o.textContent === %q).value`, id, word)))
}

func (p *tab) text(id string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// fits fails if the page is wider than its window, or a part of it runs out of the page.
func (p *tab) fits(width int64) {
	p.t.Helper()
	if w := eval[int64](p, "document.documentElement.scrollWidth"); w > width {
		p.t.Errorf("the page is %d wide in a window of %d", w, width)
	}
	if out := eval[[]string](p, `[...document.querySelectorAll('main p, main li, main figure, main svg, .card, .rows > li, h1, h2, h3, select')].filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + ' ' + e.className.toString() + ' ' + e.textContent.slice(0, 40))`); len(out) > 0 {
		p.t.Errorf("out of a window of %d: %q", width, out)
	}
}

// results are those of a report without models, and its texts.
func results(t *testing.T, texts []artifacts.Sample) *Results {
	t.Helper()
	report, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	return &Results{Report: report, Texts: texts}
}

// pageOf writes the page of results to a file.
func pageOf(t *testing.T, s *Results) string {
	t.Helper()
	page, err := writePage(s, figures(s.Report))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), Page)
	if err := os.WriteFile(file, page, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPageInABrowser opens a page and uses what there is to use.
func TestPageInABrowser(t *testing.T) {
	p := openPage(t, pageOf(t, results(t, texts())), 1280, "light")
	if got := p.text("all-count"); got != "64 texts" {
		t.Errorf("at first: %q", got)
	}
	p.chooseWord("all-persona", "silly")
	p.chooseWord("all-condition", "oracle")
	p.chooseWord("all-alpha", "0.5")
	if got := p.text("all-count"); got != "4 of 64 texts match" {
		t.Errorf("silly, oracle, 0.5: %q", got)
	}
	p.choose("all-collapsed", "no")
	if got := p.text("all-count"); got != "0 of 64 texts match" {
		t.Errorf("not collapsed: %q", got)
	}
	p.do(chromedp.Click(chromedp.CSS("#all-reset")))
	if got := p.text("all-count"); got != "64 texts" {
		t.Errorf("after a reset: %q", got)
	}
	p.do(chromedp.SendKeys(chromedp.CSS("#all-search"), "RIDGE alpha 1.5"))
	if got := p.text("all-count"); got != "8 of 64 texts match" {
		t.Errorf("a search: %q", got)
	}
	if got := p.text("all"); !strings.Contains(got, " ridge alpha 1.5 seed 42") || strings.Contains(got, "oracle") {
		t.Errorf("found: %s", got)
	}
	p.do(chromedp.Click(chromedp.CSS("#all-reset")), chromedp.Click(chromedp.CSS("#all-after")))
	if got := p.text("all-page"); got != "page 2 of 4" {
		t.Errorf("the next page: %q", got)
	}
	p.sideBySide()
	p.colours()
	pdf, err := chromedp.Run(p.ctx, chromedp.PrintToPDF())
	if err != nil || !strings.HasPrefix(string(pdf), "%PDF-") || len(pdf) < 20000 {
		t.Errorf("printed: %d bytes, %v", len(pdf), err)
	}
	p.fits(1280)
	p.do(chromedp.EmulateViewport(390, 800))
	p.fits(390)
}

// sideBySide goes from a text of the list to its neighbours, and on.
func (p *tab) sideBySide() {
	p.t.Helper()
	p.choose("all-search", "oracle alpha 1.5 seed 43")
	p.chooseWord("all-persona", "silly")
	p.do(chromedp.Click(chromedp.CSS("#all > li:nth-child(2) button")))
	cards := `[...document.querySelectorAll('.card')].map(c => c.querySelector('.head').textContent + ':' + c.querySelector('.text').textContent)`
	got := eval[[]string](p, cards)
	want := []string{"noneno vector added: a␛]0;title␇ U+202Eline↵\nand 日本語", "ridgealpha 1.5: ridge alpha 1.5 seed 43", "oraclealpha 1.5: oracle alpha 1.5 seed 43" + "␛ × 100", "zero_padalpha 1.5: zero_pad alpha 1.5 seed 43"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		p.t.Errorf("side by side:\n%q\nwant\n%q", got, want)
	}
	if got := eval[string](p, `document.getElementById('side-prompt').selectedOptions[0].textContent`); !strings.HasPrefix(got, "2. The boat of the old man") {
		p.t.Errorf("the prompt is %q", got)
	}
	if !eval[bool](p, `document.getElementById('side-after').disabled`) {
		p.t.Error("there is a prompt behind the last")
	}
	p.do(chromedp.Click(chromedp.CSS("#side-before")))
	p.choose("side-alpha", "")
	if got := eval[[]string](p, cards); len(got) != 4 || got[1] != "ridgealpha 0.5: ridge alpha 0.5 seed 43" {
		p.t.Errorf("the prompt before, as judged: %q", got)
	}
	p.do(chromedp.Click(chromedp.CSS(".card.mapped summary")))
	if got := eval[string](p, `document.querySelector('.card.mapped details').textContent`); !strings.Contains(got, "line of rows.jsonl: ") {
		p.t.Errorf("details: %q", got)
	}
}

// colours switches them, by the system and by the button.
func (p *tab) colours() {
	p.t.Helper()
	background := `getComputedStyle(document.body).backgroundColor`
	light := eval[string](p, background)
	line := eval[string](p, `getComputedStyle(document.querySelector('#figure-plane svg path[style*="--blue"]')).stroke`)
	p.do(chromedp.Click(chromedp.CSS("#theme")))
	if dark := eval[string](p, background); dark == light || p.text("theme") != "Light" {
		p.t.Errorf("after a click on Dark the page is %s as before, or the button says %q", dark, p.text("theme"))
	}
	if got := eval[string](p, `getComputedStyle(document.querySelector('#figure-plane svg path[style*="--blue"]')).stroke`); got == line {
		p.t.Errorf("the lines of the figures are %s in dark as in light", got)
	}
	p.do(chromedp.Click(chromedp.CSS("#theme")))
	if got := eval[string](p, background); got != light {
		p.t.Errorf("after a second click the page is %s, not %s", got, light)
	}
}

// TestDarkFromTheSystem opens the page where the system is dark.
func TestDarkFromTheSystem(t *testing.T) {
	p := openPage(t, pageOf(t, results(t, texts())), 800, "dark")
	if got := eval[string](p, `getComputedStyle(document.body).backgroundColor`); got != "rgb(20, 23, 27)" || p.text("theme") != "Light" {
		t.Errorf("the page is %s and the button says %q", got, p.text("theme"))
	}
}

// TestAccessibleNames: everything that is used or shown has a name, headings do not skip a level, every
// table has a caption and headings of columns and rows, and words stand out from their ground.
func TestAccessibleNames(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		p := openPage(t, pageOf(t, results(t, texts())), 1280, scheme)
		for what, find := range map[string]string{
			"control without a label":          `[...document.querySelectorAll('select, input')].filter(e => !e.labels.length)`,
			"button without a name":            `[...document.querySelectorAll('button')].filter(e => !e.textContent.trim())`,
			"figure without a title":           `[...document.querySelectorAll('.panels svg')].filter(e => !e.querySelector('title').textContent || !e.querySelector('desc').textContent || e.getAttribute('role') !== 'img')`,
			"figure without its numbers":       `[...document.querySelectorAll('figure')].filter(e => !e.querySelector('details table tbody tr'))`,
			"table without a caption":          `[...document.querySelectorAll('table')].filter(e => !e.caption || !e.caption.textContent.trim())`,
			"heading cell without a scope":     `[...document.querySelectorAll('th')].filter(e => !e.scope)`,
			"row without a heading":            `[...document.querySelectorAll('tbody tr')].filter(e => e.cells[0].tagName !== 'TH')`,
			"id that is there twice":           `[...document.querySelectorAll('[id]')].filter(e => document.getElementById(e.id) !== e)`,
			"name that points nowhere":         `[...document.querySelectorAll('[aria-labelledby]')].filter(e => e.getAttribute('aria-labelledby').split(' ').some(i => !document.getElementById(i)))`,
			"link to nowhere":                  `[...document.querySelectorAll('a')].filter(e => !document.getElementById(e.hash.slice(1)))`,
			"heading that skips a level":       `[...document.querySelectorAll('h1, h2, h3, h4')].filter((e, i, all) => i && +e.tagName[1] > +all[i - 1].tagName[1] + 1)`,
			"text of too little contrast":      contrast,
			"text of a figure of too little":   contrastOfFigures,
			"landmark that is missing or more": `['main', 'header', 'nav', 'h1'].filter(n => document.querySelectorAll(n).length !== 1).map(n => document.body)`,
		} {
			if bad := eval[[]string](p, find+`.map(e => e.outerHTML.slice(0, 120))`); len(bad) > 0 {
				t.Errorf("%s: %s: %d, the first %s", scheme, what, len(bad), bad[0])
			}
		}
	}
}

// The least contrast of words is that of WCAG 2.2, level AA.
const luminance = `(() => {
	const l = c => { const [r, g, b] = c.match(/[\d.]+/g).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
	const ratio = (a, b) => { const [x, y] = [l(a), l(b)].sort((p, q) => q - p); return (x + .05) / (y + .05) };
	const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (c !== 'rgba(0, 0, 0, 0)') return c } return 'rgb(255, 255, 255)' };
	return `

const (
	contrast          = luminance + `[...document.querySelectorAll('p, li, dt, dd, th, td, h1, h2, h3, label, summary, caption, small, a, span, b')].filter(e => e.offsetParent && e.textContent.trim() && !e.closest('button:disabled') && ratio(getComputedStyle(e).color, ground(e)) < 4.5) })()`
	contrastOfFigures = luminance + `[...document.querySelectorAll('.panels text')].filter(e => ratio(getComputedStyle(e).fill, ground(e.closest('figure'))) < 4.5) })()`
)

// TestPagesOfRuns opens the pages of finished runs, at two widths, in light and in dark.
func TestPagesOfRuns(t *testing.T) {
	if *folders == "" {
		t.Skip("no finished runs are named with -results")
	}
	for _, dir := range strings.Split(*folders, ",") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			s, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			file := pageOf(t, s)
			for _, width := range []int64{1280, 390} {
				for _, scheme := range []string{"light", "dark"} {
					begun := time.Now()
					p := openPage(t, file, width, scheme)
					if n := eval[int](p, `document.querySelectorAll('.card').length`); n < 3 {
						t.Errorf("%d texts side by side", n)
					}
					p.choose("all-search", "the")
					p.choose("all-collapsed", "no")
					p.do(chromedp.Click(chromedp.CSS("#all button")), chromedp.Click(chromedp.CSS("#theme")), chromedp.Click(chromedp.CSS("#theme")))
					p.fits(width)
					t.Logf("%d, %s: %d ms to open, %s in all", width, scheme, int(eval[float64](p, opened)), time.Since(begun).Round(time.Millisecond))
					p.picture(fmt.Sprintf("%s-%d-%s", filepath.Base(dir), width, scheme))
				}
			}
			p := openPage(t, file, 1280, "light")
			pdf, err := chromedp.Run(p.ctx, chromedp.PrintToPDF())
			if err != nil || len(pdf) < 20000 {
				t.Errorf("printed: %d bytes, %v", len(pdf), err)
			}
		})
	}
}

// picture keeps what the page looks like, from its top to its end, if that was asked for.
func (p *tab) picture(name string) {
	p.t.Helper()
	if *screenshots == "" {
		return
	}
	b, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(90))
	if err = errors.Join(err, os.MkdirAll(*screenshots, 0o755), os.WriteFile(filepath.Join(*screenshots, name+".jpg"), b, 0o644)); err != nil {
		p.t.Error(err)
	}
}

const opened = `performance.getEntriesByType('navigation')[0].loadEventEnd`
