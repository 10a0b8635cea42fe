package transforms

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// The further measures that there are, by the names of the stages that take them. The lexical scorer and coherence
// are no such measures: they decide.
const (
	MeasureProbe = "probe"
	MeasureJudge = "judge"
)

// A MeasureReport is what a further measure says of the texts. It stands beside the evaluation, which it does not
// change.
type MeasureReport struct {
	Name     string         `json:"name"`
	What     string         `json:"what"` // takes the measure
	Scores   int            `json:"scores"`
	Weighted int            `json:"weighted,omitempty"` // of a judge's, by the probabilities of tokens
	Missing  map[string]int `json:"missing"`            // how many more scores there should be, by reason
	// Scales are where the measure has 1 and 5, and how well it tells the persona's own texts from unsteered ones;
	// none where the measure is asked on a scale of its own.
	Scales    []TraitScale        `json:"scales,omitempty"`
	Groups    []MeasuredGroup     `json:"groups"`
	Agreement []MeasuredAgreement `json:"agreement"`
	trial.SecondMeasure
	Says     string   `json:"says"` // of the direction, in a sentence
	Warnings []string `json:"warnings"`
}

// A MeasuredGroup is the mean of a measure's scores over the texts of one condition, persona and alpha; the trait
// leaves collapsed texts out, as in the evaluation.
type MeasuredGroup struct {
	Persona   string       `json:"persona"`
	Condition string       `json:"condition"`
	Alpha     float64      `json:"alpha"`
	Trait     trial.Number `json:"trait"`
	Coherence trial.Number `json:"coherence"`
	Texts     int          `json:"texts"`
}

// A MeasuredAgreement says how far the measure agrees with the trait scorer, or with coherence, over some texts.
// Conditions that lie far apart make raters agree on all texts together who agree on none of one condition.
type MeasuredAgreement struct {
	Measure string `json:"measure"` // trait or coherence
	Texts   string `json:"texts"`   // AllTexts, or the condition whose texts at the alphas that are judged they are
	trial.Agreement
}

// AllTexts stands for the texts of all conditions.
const AllTexts = "all"

// A further is one further measure of an experiment, in the order of the evaluation's rows.
type further struct {
	report MeasureReport
	of     []string                            // what it measures: trial.MeasureTrait and perhaps MeasureCoherence
	scores map[string]map[measuredText]float64 // by what it measures
	inRows map[string][]float64                // the same, row by row
}

// A measuredText is one text under one persona; under none for coherence.
type measuredText struct {
	batch, row int
	persona    string
}

func newFurther(name, what string, of ...string) *further {
	f := &further{report: MeasureReport{Name: name, What: what, Missing: map[string]int{}, Warnings: []string{}}, of: of, scores: map[string]map[measuredText]float64{}, inRows: map[string][]float64{}}
	for _, m := range of {
		f.scores[m] = map[measuredText]float64{}
	}
	return f
}

// enter keeps a score, or counts why there is none.
func (f *further) enter(of string, text measuredText, score float64, status string) {
	if status != "" {
		f.report.Missing[reasonOf(status)]++
		return
	}
	f.report.Scores++
	f.scores[of][text] = score
}

// furtherMeasures reads those that the stage is given.
func (u *Unit) furtherMeasures(ctx context.Context, s Evaluate, batches []batch) (all []*further, err error) {
	for _, m := range []struct {
		name string
		read func(context.Context, Evaluate, []batch) (*further, error)
	}{{MeasureProbe, u.probed}, {MeasureJudge, u.judged}} {
		if !slices.Contains(u.Stage.Inputs, m.name) {
			continue
		}
		f, err := m.read(ctx, s, batches)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", m.name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// take enters the scores of the next row of the evaluation into its sample, and keeps them in order.
func (f *further) take(batch, row int, sample *artifacts.Sample) {
	for _, of := range f.of {
		text := measuredText{batch, row, sample.Persona}
		if of == trial.MeasureCoherence {
			text.persona = ""
		}
		score, ok := f.scores[of][text]
		if !ok {
			score = math.NaN()
		}
		sample.Measures.Add(f.report.Name, of, score)
		f.inRows[of] = append(f.inRows[of], score)
	}
}

// finish compares the measure with the evaluation e of the rows, which are batch by batch, persona by persona, text
// by text.
func (f *further) finish(s Evaluate, batches []batch, rows []trial.Row, e *trial.Evaluation) MeasureReport {
	r := &f.report
	trait := f.inRows[trial.MeasureTrait]
	at := 0
	for i, b := range s.Batches {
		n := len(batches[i].texts.Rows)
		for _, p := range b.Personas(s.Personas) {
			to := at + n
			g := MeasuredGroup{p, b.Condition, b.Alpha, 0, trial.Number(math.NaN()), n}
			var readable []float64
			for k := at; k < to; k++ {
				if !rows[k].Collapsed {
					readable = append(readable, trait[k])
				}
			}
			g.Trait = trial.Number(trial.Mean(readable))
			if c := f.inRows[trial.MeasureCoherence]; c != nil {
				g.Coherence = trial.Number(trial.Mean(c[at:to]))
			}
			r.Groups, at = append(r.Groups, g), to
		}
	}
	seed := cache.NewRecipe("agreement", 1).Uint("seed", s.Seed).Key()
	for _, of := range f.of {
		var all, judged []trial.Pair
		for k, row := range rows {
			own := row.Trait
			if of == trial.MeasureCoherence {
				own = row.Coherence
			}
			pair := trial.Pair{A: f.inRows[of][k], B: own, Prompt: row.Prompt}
			if all = append(all, pair); row.Condition == e.Options.Mapped && e.Judges(row) {
				judged = append(judged, pair)
			}
		}
		r.Agreement = append(r.Agreement, MeasuredAgreement{of, AllTexts, trial.Agree(all, seed)}, MeasuredAgreement{of, e.Options.Mapped, trial.Agree(judged, seed)})
	}
	r.SecondMeasure = e.ByMeasure(rows, trait, seed)
	r.Says = r.says(e.Options.Mapped)
	return *r
}

// says tells in a sentence whether the measure finds the direction that the trait scorer finds.
func (r *MeasureReport) says(mapped string) string {
	var parts []string
	for _, c := range r.Contrasts {
		if c.Persona != "" {
			continue
		}
		versus := c.Versus
		if versus == trial.BestControl {
			versus = "the " + versus
		}
		where := "above"
		if c.Scorer.Value < 0 {
			where = "below"
		}
		by := fmt.Sprintf("%+.2f [%.2f, %.2f]", float64(c.Difference.Value), float64(c.Difference.Low), float64(c.Difference.High))
		switch c.Finding {
		case trial.Agrees:
			parts = append(parts, fmt.Sprintf("agrees that %s is %s %s (%s)", mapped, where, versus, by))
		case trial.Contradicts:
			parts = append(parts, fmt.Sprintf("contradicts that %s is %s %s (%s)", mapped, where, versus, by))
		case trial.NotShown:
			parts = append(parts, fmt.Sprintf("does not show that %s is %s %s (%s)", mapped, where, versus, by))
		default:
			parts = append(parts, fmt.Sprintf("cannot compare %s with %s", mapped, versus))
		}
	}
	text := fmt.Sprintf("the %s %s", r.Name, strings.Join(parts, ", and "))
	if weak := r.weak(); len(weak) > 0 {
		text += fmt.Sprintf("; of %s it tells nothing, its d′ being below %d", strings.Join(weak, ", "), trial.MinDPrime)
	}
	return text
}

// weak are the personas of which the measure tells nothing, by how well it tells their own texts from unsteered ones.
func (r *MeasureReport) weak() (names []string) {
	for _, s := range r.Scales {
		if s.Missing == "" && !(s.Separation.DPrime.Value >= trial.MinDPrime) {
			names = append(names, s.Persona)
		}
	}
	return names
}

// probed is what the probes read, on the scale from unsteered to held-out positive texts, as the trait scorer's.
func (u *Unit) probed(ctx context.Context, s Evaluate, batches []batch) (*further, error) {
	f := newFurther(MeasureProbe, fmt.Sprintf("a linear probe on the mean activation of %s, unsteered, after block %d, over the text alone", s.SourceModel, s.SourceLayer), trial.MeasureTrait)
	if s.SourceModel == s.TargetModel && s.SourceLayer == s.TargetLayer {
		f.report.Warnings = append(f.report.Warnings, "the probe reads the model that is steered, at the layer where it is: it is less independent of the vectors than a probe elsewhere")
	}
	anchors, err := u.readings(ctx, "anchors.probe", 0)
	if err != nil {
		return nil, err
	}
	scales := map[string]TraitScale{}
	for i, p := range s.Personas {
		probe, err := u.probe(ctx, "probe.fit", i)
		if err != nil {
			return nil, err
		}
		scale := probeScale(p, probe, anchors)
		scales[p] = scale
		f.report.Scales = append(f.report.Scales, scale)
		if scale.Missing != "" {
			f.report.Warnings = append(f.report.Warnings, p+": "+scale.Missing)
		} else if d := scale.Separation.DPrime; !(d.Value >= trial.MinDPrime) {
			f.report.Warnings = append(f.report.Warnings, fmt.Sprintf("%s: the probe tells nothing of it: held-out texts of the persona lie %.2f standard deviations (d′) above the model's unsteered ones, below %d", p, float64(d.Value), trial.MinDPrime))
		}
	}
	for i, b := range s.Batches {
		found, err := u.readings(ctx, MeasureProbe, i)
		if err != nil {
			return nil, err
		}
		texts, _, err := asTexts(batches[i].texts, s.Personas)
		if err != nil {
			return nil, err
		}
		if found.Texts != digestOf(texts).String() {
			return nil, fmt.Errorf("readings of batch %d are of other texts: %w", i, artifacts.ErrMismatch)
		}
		read := map[measuredText]artifacts.Reading{}
		for _, row := range found.Rows {
			read[measuredText{i, int(row.Row), row.Persona}] = row
		}
		for _, p := range b.Personas(s.Personas) {
			for k := range texts {
				text := measuredText{i, k, p}
				row, ok := read[text]
				switch scale := scales[p]; {
				case !ok:
					f.enter(trial.MeasureTrait, text, 0, "the persona has no probe")
				case row.Status != "":
					f.enter(trial.MeasureTrait, text, 0, row.Status)
				case scale.Missing != "":
					f.enter(trial.MeasureTrait, text, 0, "the persona has no scale")
				default:
					f.enter(trial.MeasureTrait, text, trial.Trait(row.Logit, float64(scale.Unsteered), float64(scale.Positive)), "")
				}
			}
		}
	}
	return f, nil
}

// probeScale places unsteered texts and the persona's own on the probe's line.
func probeScale(persona string, probe *trial.Probe, anchors *artifacts.Readings) TraitScale {
	if probe == nil {
		missing := trial.Number(math.NaN())
		return TraitScale{Persona: persona, Unsteered: missing, Positive: missing, AUROC: missing, Separation: trial.Separate(nil, nil),
			Missing: fmt.Sprintf("no probe, which needs at least %d texts a side with odd numbers", trial.MinTexts)}
	}
	var logits []float64
	unread := 0
	for _, row := range anchors.Rows {
		switch {
		case row.Persona != persona:
		case row.Status != "":
			unread++
		default:
			logits = append(logits, row.Logit)
		}
	}
	s := placed(persona, probe.HeldOutPositive, logits)
	s.AUROC, s.Unlike = trial.Number(trial.AUROC(probe.HeldOutPositive, probe.HeldOutNegative)), unread
	if len(logits) == 0 {
		s.Missing = "the probe could read none of the model's unsteered texts"
	}
	return s
}

// readings are those of a batch.
func (u *Unit) readings(ctx context.Context, stage string, batch int) (*artifacts.Readings, error) {
	o, err := u.InputAt(stage, batch, "readings")
	if err != nil {
		return nil, err
	}
	return load(ctx, u.Store, o, artifacts.KindReadings, artifacts.DecodeReadings)
}
