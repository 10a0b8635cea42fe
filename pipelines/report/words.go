package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// claim is what the experiment asks, as the sentence that would be true.
func claim(r transforms.Report) string {
	x := r.Experiment
	end := "as well as its own vector"
	if m := r.Evaluation.Options.Thresholds.Margin; m > 0 {
		end = fmt.Sprintf("not worse than its own vector by more than %g", m)
	}
	return fmt.Sprintf("A persona vector of %s (block %d), carried by a linear map to %s (block %d), steers that model towards the persona: better than every control, and %s.",
		visible(x.SourceModel), x.SourceLayer, visible(x.TargetModel), x.TargetLayer, end)
}

// outcome is the verdict's word and what it means.
func outcome(v trial.Verdict) (word, meaning string) {
	word, meaning, ok := strings.Cut(v.Meaning, ":")
	if !ok {
		return "No verdict", visible(v.Meaning)
	}
	return capital(visible(word)), capital(strings.TrimSpace(visible(meaning))) + "."
}

func capital(text string) string {
	runes := []rune(text)
	if len(runes) > 0 {
		runes[0] = []rune(strings.ToUpper(string(runes[0])))[0]
	}
	return string(runes)
}

// why says which criteria decided, each with the bound that did.
func why(v trial.Verdict) (reasons []string) {
	met := 0
	for _, c := range v.Criteria {
		if c.Pass {
			met++
			continue
		}
		found := "could not be computed"
		if !c.Got.Missing() {
			found = "is " + minus(fmt.Sprintf("%.2f", float64(c.Got)))
			if !c.Interval[0].Missing() && !c.Interval[1].Missing() {
				found += minus(fmt.Sprintf(" [%.2f, %.2f]", float64(c.Interval[0]), float64(c.Interval[1])))
			}
		}
		reason := fmt.Sprintf("Not met: %s has to be %s and %s.", visible(c.Name), visible(minus(c.Want)), found)
		if c.MorePrompts > 0 {
			reason += fmt.Sprintf(" About %d more prompts would settle it, if the value stays.", c.MorePrompts)
		}
		reasons = append(reasons, reason)
	}
	if v.Superior {
		reasons = append(reasons, "It is shown to do better than the target's own vector, which no criterion asks for.")
	}
	switch {
	case len(v.Criteria) == 0:
		return []string{"No criterion was tested."}
	case met == len(v.Criteria):
		return append([]string{fmt.Sprintf("All %d criteria are met.", met)}, reasons...)
	}
	causes := []string{}
	for _, cause := range v.Causes {
		causes = append(causes, capital(visible(cause))+".")
	}
	return append(append(causes, fmt.Sprintf("%d of %d criteria are met.", met, len(v.Criteria))), reasons...)
}

// scope says what the verdict on all personas is not: that on each, and on registers that the map has not seen.
func scope(e *trial.Evaluation) (lines []string) {
	var others []string
	for _, g := range e.Personas {
		if g.Verdict.Outcome != e.Pooled.Verdict.Outcome {
			word, _ := outcome(g.Verdict)
			others = append(others, visible(g.Persona)+" "+strings.ToLower(word))
		}
	}
	if len(others) > 0 {
		lines = append(lines, fmt.Sprintf("By itself, not every persona has this verdict: %s.", strings.Join(others, ", ")))
	}
	if e.Pooled.HeldOut == nil {
		lines = append(lines, "Whether the map carries a persona whose register its calibration does not contain was not tested in this run.")
	}
	return lines
}

// A fact is one number of the head of the page.
type fact struct{ Name, Value, Note string }

// facts are the numbers that a reader wants first.
func facts(r transforms.Report) (list []fact) {
	g := r.Evaluation.Pooled
	for _, role := range []string{trial.RoleBaseline, trial.RoleMapped, trial.RoleHeldOut, trial.RoleOracle} {
		for _, c := range g.Conditions {
			if c.Role == role {
				e := estimate(c.Trait, "%.2f")
				list = append(list, fact{"trait, " + visible(c.Condition), e.Value(), e.Interval()})
			}
		}
	}
	if g.Recovery != nil {
		e := estimate(*g.Recovery, "%.2f")
		list = append(list, fact{"recovery of the oracle's effect", e.Value(), e.Interval()})
	}
	for _, p := range r.Fit.CV.Penalties {
		if p.Lambda == r.Fit.Lambda {
			list = append(list, fact{"R² of the map", number(p.R2, "%.2f").Value(), "on pairs not fitted"})
		}
	}
	return append(list, fact{"texts", fmt.Sprint(r.Experiment.Generations), fmt.Sprintf("%d prompts", r.Evaluation.Prompts)})
}

// methods tells how the numbers came about, from the configuration and the report.
func methods(s *Results) (paragraphs []string) {
	r := s.Report
	x, e := r.Experiment, r.Evaluation
	model := fmt.Sprintf("The source model is %s, read after block %d; the target model is %s, read and steered after block %d (blocks are counted from 0).", x.SourceModel, x.SourceLayer, x.TargetModel, x.TargetLayer)
	pairs := fmt.Sprintf("Both models read the same calibration texts, which gave %d pairs of activations (positions: %s).", x.Pairs, x.Positions)
	fit := fmt.Sprintf("A map from source to target was fitted to them (%s", r.Fit.Method)
	if r.Fit.Lambda != 0 {
		fit += fmt.Sprintf(", lambda %g, %s, chosen among %d by %d-fold cross-validation", r.Fit.Lambda, r.Fit.CV.Unit, len(r.Fit.CV.Penalties), r.Fit.CV.Folds)
	}
	paragraphs = append(paragraphs, model+" "+pairs+" "+fit+").")

	texts := fmt.Sprintf("For each of %d personas (%s), vectors are differences of mean activations between texts that show the persona and texts that do not.", len(e.Personas), strings.Join(personaNames(e), ", "))
	steered := fmt.Sprintf("The target then continued %d prompts under %d conditions (%s) at the alphas %s, in units of %s", e.Prompts, len(e.Pooled.Conditions), strings.Join(conditionNames(e), ", "), numbers(x.Alphas), x.AlphaUnit)
	if s.Run != nil {
		steered += sampling(s.Run.Config)
	}
	paragraphs = append(paragraphs, texts+" "+steered+fmt.Sprintf(": %d texts in all.", x.Generations))

	o := e.Options
	judged := "Trait and coherence are scales from 1 to 5. The trait is that of a scorer trained on held-out texts of the persona, with 1 at the target's unsteered texts and 5 at texts that show the persona; coherence is what the order of a text's words tells the target, as a share of what it tells in its unsteered texts. Collapsed texts are flagged and left out of means of the trait. The alpha of a condition is chosen for each persona on one half of the prompts and used on the other."
	if t := o.Thresholds; t.Margin > 0 {
		judged += fmt.Sprintf(" No verdict is given unless the scorer tells the persona from unsteered texts (AUROC at least %g, d′ at least %g) and the target's own vector is above the best control. Not to be inferior is to fall short of it by less than %g with the whole interval. Alphas are chosen anew in every resample.", t.AUROC, t.DPrime, t.Margin)
	}
	if n := e.Pooled.Null; n.Draws > 0 {
		judged += fmt.Sprintf(" %d vectors of each of %s show how far vectors at random lie apart (±%.2f in trait), which is part of every comparison with none and with the controls.", n.Draws, strings.Join(n.Conditions, " and "), float64(n.Spread))
	}
	if h := e.Pooled.HeldOut; h != nil {
		judged += fmt.Sprintf(" %s is judged by the same rule: there, each persona is carried by a map that was fitted without the calibration texts that resemble it.", h.Condition)
	}
	for _, m := range r.Measures {
		judged += fmt.Sprintf(" A further measure, which decides nothing: %s (%s).", m.Name, m.What)
	}
	chance := fmt.Sprintf("Intervals cover %.0f %% and come from %d resamples of prompts, paired over conditions. Declared before the run: %s against %s in %s.", 100*o.Level, o.Resamples, o.Mapped, strings.Join(o.Versus, " and "), o.Measure)
	paragraphs = append(paragraphs, judged+" "+chance)
	for i := range paragraphs {
		paragraphs[i] = visible(paragraphs[i])
	}
	return paragraphs
}

// sampling is how the target wrote.
func sampling(c pipelines.Config) string {
	return fmt.Sprintf(" (%d %s each, at most %d tokens, temperature %g, top-p %g, top-k %d, steered positions: %s; %s, seed %d)", c.NSeeds, plural(c.NSeeds, "sample", "samples"), c.MaxNewTokens, c.Temperature, c.TopP, c.TopK, c.SteerPositions, c.Arithmetic(), c.Seed)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func numbers(values []float64) string {
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprintf("%g", v))
	}
	return minus(strings.Join(out, ", "))
}

func personaNames(e *trial.Evaluation) (names []string) {
	for _, g := range e.Personas {
		names = append(names, g.Persona)
	}
	return names
}

func conditionNames(e *trial.Evaluation) (names []string) {
	for _, c := range e.Pooled.Conditions {
		names = append(names, c.Condition)
	}
	return names
}

// warnings are all that the report warns of, each once.
func warnings(r transforms.Report) (all []string) {
	add := func(where string, list []string) {
		for _, text := range list {
			if where != "" {
				text = where + ": " + text
			}
			if text = visible(text); !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	add("", r.Evaluation.Warnings)
	add("map", r.Fit.Warnings)
	for _, m := range r.Measures {
		add(m.Name, m.Warnings)
	}
	add("", underFloor(r))
	add("", extraWarnings(r, placedInReport...))
	add("", extraWarnings(*r.Evaluation, placedInEvaluation...))
	for _, reason := range sortedKeys(r.LeftOut) {
		add("", []string{fmt.Sprintf("%d calibration texts are left out: %s", r.LeftOut[reason], reason)})
	}
	for _, g := range groups(r) {
		add(g.Persona, g.Warnings)
		for _, c := range g.Conditions {
			where := c.Condition
			if g.Persona != "" {
				where = g.Persona + ", " + where
			}
			add(where, c.Warnings)
		}
	}
	return all
}

// A trace is where a number comes from: a name and the digest or key of an artifact.
type trace struct{ Name, Digest string }

// traces name the artifacts that the report was made of.
func traces(s *Results) []trace {
	list := []trace{{"report.json, SHA-256", s.ReportDigest.String()}, {"rows.jsonl, SHA-256", s.RowsDigest.String()}}
	if s.Run == nil {
		return list
	}
	if s.Run.Experiment != "" {
		list = append(list, trace{"experiment, key of its last stage", visible(s.Run.Experiment)})
	}
	for _, stage := range s.Run.Stages {
		if stage.Key != "" {
			list = append(list, trace{"stage " + visible(stage.Stage) + ", key", visible(stage.Key)})
		}
	}
	return list
}

// settings are the configuration in lines, without what names a folder of the machine: of files their
// names, of lists of texts their number.
func settings(c pipelines.Config) (list []trace) {
	add := func(name, value string) { list = append(list, trace{name, visible(value)}) }
	texts := func(t pipelines.Texts) string {
		if t.File != "" {
			return filepath.Base(t.File)
		}
		return fmt.Sprintf("%d texts in the configuration", len(t.List))
	}
	personas := fmt.Sprintf("%d in the configuration", len(c.PersonaDatasets.Sets))
	if c.PersonaDatasets.File != "" {
		personas = filepath.Base(c.PersonaDatasets.File)
	}
	add("persona_datasets", personas)
	add("calibration_texts", texts(c.CalibrationTexts))
	add("test_prompts", texts(c.TestPrompts))
	add("n_training_samples", fmt.Sprint(c.NTraining))
	add("lambda_values", numbers(c.LambdaValues)+" ("+c.LambdaUnit+")")
	add("fit", fmt.Sprintf("%s, centred: %t", c.Fit.Method, c.Fit.Centre))
	add("chat_template", fmt.Sprint(c.ChatTemplate))
	add("measures", cmp.Or(strings.Join(c.Measures, ", "), "no further ones"))
	add("n_test_prompts × n_seeds", fmt.Sprintf("%d × %d", c.NTestPrompts, c.NSeeds))
	add("device, dtype, seed", fmt.Sprintf("%s, %s, %d", c.Device, c.DType, c.Seed))
	return list
}
