package report

import (
	"strconv"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

const (
	maxExamples     = 3  // personas of which texts are shown: a look, not a result
	maxExampleWidth = 88 // characters of a text, quotes and escapes counted
)

// examples shows what one prompt and seed became without a vector, with the mapped and with the target's
// own one, at the alphas that are judged: persona k with prompt k, so that nobody chose them.
func (p *printer) examples(r transforms.Report, texts []artifacts.Sample) {
	prompts := countPrompts(texts)
	for k, g := range r.Evaluation.Personas[:min(maxExamples, len(r.Evaluation.Personas))] {
		shown := sideBySide(g, texts, k%max(prompts, 1))
		if len(shown) == 0 {
			continue
		}
		p.line("")
		p.line("persona %s, prompt %s, seed %d, cut:", g.Persona, cut(shown[0].PromptText), shown[0].Seed)
		var rows [][]string
		for _, t := range shown {
			rows = append(rows, []string{exampleName(t), cut(t.Text)})
		}
		p.columns(rows)
	}
}

// sideBySide picks the texts of one prompt, each condition's first: they have the same seed.
func sideBySide(g trial.Group, texts []artifacts.Sample, prompt int) (shown []artifacts.Sample) {
	for _, c := range g.Conditions {
		if !foremost(c.Role) && c.Role != trial.RoleBaseline {
			continue
		}
		if t, ok := judged(c, g.Persona, texts, prompt); ok {
			shown = append(shown, t)
		}
	}
	return shown
}

// judged finds the first text of a condition on a prompt, at the alpha at which that prompt is judged.
func judged(c trial.ConditionReport, persona string, texts []artifacts.Sample, prompt int) (artifacts.Sample, bool) {
	alpha := 0.0
	for _, a := range c.Alphas {
		if a.Persona == persona {
			if alpha = a.Even; prompt%2 == 1 {
				alpha = a.Odd
			}
		}
	}
	for _, t := range texts {
		if t.Condition == c.Condition && t.Persona == persona && t.Alpha == alpha && int(t.Prompt) == prompt {
			return t, true
		}
	}
	return artifacts.Sample{}, false
}

// cut quotes a text, so that nothing in it moves the cursor, in at most maxExampleWidth characters.
func cut(text string) string {
	quoted := strconv.Quote(text)
	if utf8.RuneCountInString(quoted) <= maxExampleWidth {
		return quoted
	}
	short := ""
	for _, c := range text {
		next := short + string(c)
		if utf8.RuneCountInString(strconv.Quote(next)) >= maxExampleWidth {
			break
		}
		short = next
	}
	return strconv.Quote(short) + "…"
}
