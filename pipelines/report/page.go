package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS string
	//go:embed page/page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// A page is what the template shows. Everything in it but the drawings, the style, the script and its data
// is escaped where it stands; those are made here, and the data cannot end its element.
type page struct {
	ScriptHash       string
	Style            template.CSS
	Script           template.JS
	Data             template.JS
	Report           transforms.Report
	Source, Target   string
	Outcome, Meaning string
	Tone, Sign       string
	Claim            string
	Why              []string
	Facts            []fact
	Criteria         tabular
	HeldOut          *heldOut // nil: no such map
	Primary          tabular
	Personas         tabular
	Conditions       tabular
	Measures         []tabular
	Figures          []pageFigure
	Methods          []string
	Settings         []trace
	Warnings         []string
	Traces           []trace
}

// A pageFigure is a figure whose colours follow the page's.
type pageFigure struct {
	figure
	Panels []template.HTML
	Key    []pageKey
}

type pageKey struct {
	Name   string
	Swatch template.HTML
}

// A heldOut is the second verdict: on the map that has not seen the personas' registers.
type heldOut struct {
	Condition        string
	Outcome, Meaning string
	Tone, Sign       string
	Why              []string
	Recovery         string
	Criteria         tabular
}

func heldOutOf(g trial.Group) *heldOut {
	if g.HeldOut == nil {
		return nil
	}
	v := g.HeldOut.Verdict
	h := &heldOut{Condition: visible(g.HeldOut.Condition), Why: why(v), Criteria: heldOutTable(g), Tone: tones[v.Outcome][0], Sign: tones[v.Outcome][1]}
	h.Outcome, h.Meaning = outcome(v)
	if e := g.HeldOut.Recovery; e != nil {
		h.Recovery = estimate(*e, "%.2f").String()
	}
	return h
}

// tones are the colour and the sign of an outcome.
var tones = map[trial.Outcome][2]string{trial.Success: {"success", "✓"}, trial.Partial: {"partial", "◐"}, trial.Failure: {"failure", "✗"}, trial.Inconclusive: {"inconclusive", "?"}}

// writePage makes the page of results and of their figures.
func writePage(s *Results, drawn []figure) ([]byte, error) {
	r := s.Report
	data, err := rowsData(s).encode()
	if err != nil {
		return nil, fmt.Errorf("write the texts of the page: %w", err)
	}
	hash := sha256.Sum256([]byte(pageJS))
	p := page{ScriptHash: "sha256-" + base64.StdEncoding.EncodeToString(hash[:]), Style: template.CSS(pageCSS), Script: template.JS(pageJS), Data: template.JS(data),
		Report: r, Source: visible(r.Experiment.SourceModel), Target: visible(r.Experiment.TargetModel), Claim: claim(r), Why: append(why(r.Evaluation.Pooled.Verdict), scope(r.Evaluation)...), Facts: facts(r),
		Criteria: criteriaTable(r.Evaluation.Pooled), Personas: personasTable(r), Conditions: conditionsTable(r), HeldOut: heldOutOf(r.Evaluation.Pooled), Primary: primaryTable(r), Measures: measured(r), Methods: methods(s), Warnings: warnings(r), Traces: traces(s)}
	p.Outcome, p.Meaning = outcome(r.Evaluation.Pooled.Verdict)
	tone := tones[r.Evaluation.Pooled.Verdict.Outcome]
	p.Tone, p.Sign = tone[0], tone[1]
	if s.Run != nil {
		p.Settings = settings(s.Run.Config)
	}
	for _, f := range drawn {
		one := pageFigure{figure: f}
		for i, d := range f.Panels {
			one.Panels = append(one.Panels, template.HTML(d.inPage(fmt.Sprintf("%s-%d", f.Name, i))))
		}
		for _, l := range f.Key {
			one.Key = append(one.Key, pageKey{visible(l.Name), template.HTML(`<svg viewBox="-1 -7 30 14" aria-hidden="true">` + l.swatch("var(--"+variable[l.color]+")") + `</svg>`)})
		}
		p.Figures = append(p.Figures, one)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return b.Bytes(), nil
}

// asText is a document of several lines, ending in one newline.
func asText(b *strings.Builder) []byte { return []byte(strings.TrimRight(b.String(), "\n") + "\n") }
