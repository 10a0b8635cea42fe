package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Evaluate is the stage that turns texts and scores into the report and the rows.
type Evaluate struct {
	SourceModel string    `json:"source_model"` // names for the report
	TargetModel string    `json:"target_model"`
	SourceLayer int       `json:"source_layer_idx"`
	TargetLayer int       `json:"target_layer_idx"`
	Positions   string    `json:"positions"`
	Samples     int       `json:"n_training_samples"`
	Personas    []string  `json:"personas"`
	Conditions  []string  `json:"conditions"`
	Alphas      []float64 `json:"alpha_values"`
	AlphaUnit   string    `json:"alpha_unit"`
	EndAllowed  bool      `json:"stop_at_eos"`
	Primary     Primary   `json:"primary"`
	Batches     []Batch   `json:"batches"`
	Seed        uint64    `json:"seed"`
	Texts       int       `json:"texts" key:"-"` // that are judged, about
}

// Primary is the declared endpoint.
type Primary struct {
	Condition string   `json:"condition"`
	Versus    []string `json:"versus"`
	Measure   string   `json:"measure"`
	Margin    float64  `json:"margin"` // by which the mapped vector's trait may fall short of the oracle's
}

// A Report is report.json: everything that the experiment found, computed from stored rows.
type Report struct {
	Experiment Facts          `json:"experiment"`
	LeftOut    map[string]int `json:"calibration_texts_left_out"` // how many, by reason
	// Calibration says how much of it resembles each persona: what the map has seen of it.
	Calibration []CalibrationReport `json:"calibration"`
	Fit         FitReport           `json:"fit"`
	Vectors     []VectorReport      `json:"vectors"`
	Anchors     AnchorReport        `json:"anchors"`
	Evaluation  *trial.Evaluation   `json:"evaluation"`
	Measures    []MeasureReport     `json:"measures"` // further ones, beside the lexical scorer
}

// Facts say which experiment a report is of.
type Facts struct {
	SourceModel string    `json:"source_model"`
	TargetModel string    `json:"target_model"`
	SourceLayer int       `json:"source_layer_idx"`
	TargetLayer int       `json:"target_layer_idx"`
	Positions   string    `json:"positions"`
	Pairs       int       `json:"n_training_samples"`
	Alphas      []float64 `json:"alpha_values"`
	AlphaUnit   string    `json:"alpha_unit"`
	Generations int       `json:"generations"`
}

// A VectorReport says what a condition's vectors look like beside the target's own.
type VectorReport struct {
	Persona   string         `json:"persona"`
	Condition string         `json:"condition"`
	Cosine    []trial.Number `json:"cosine_with_native"` // one a draw
	// CosineWithout leaves out FitReport.LargestVariance, which can make a cosine by themselves.
	CosineWithout []trial.Number `json:"cosine_without_largest_variance"`
	// Floor and FloorWithout are what these cosines come to with permuted labels; nil where the vectors are drawn, so
	// that the draws themselves tell, and for the target's own.
	Floor        *trial.Floor `json:"floor,omitempty"`
	FloorWithout *trial.Floor `json:"floor_without_largest_variance,omitempty"`
	// Reliability is that of the vectors that the cosine is between, however it is carried: the source's own and the
	// target's own.
	SourceReliability trial.Reliability `json:"source_reliability"`
	TargetReliability trial.Reliability `json:"target_reliability"`
	Norm              []float64         `json:"norm"`   // before it is reset to the dose
	Scales            artifacts.Scales  `json:"scales"` // what alpha 1 is in each unit
}

// UnderFloor reports a cosine that is no more than permuted labels give.
func (v VectorReport) UnderFloor() bool {
	return v.Floor != nil && len(v.Cosine) > 0 && v.Floor.Under(v.Cosine[0])
}

// An AnchorReport gives the unsteered texts that set the zero of the scores.
type AnchorReport struct {
	AnchorSummary
	Unsteered map[string]trial.Number `json:"unsteered_logit"` // mean of each persona's scorer
	Positive  map[string]trial.Number `json:"positive_logit"`  // of held-out positive texts
	// Separation is how well the scorer tells the one from the other.
	Separation map[string]trial.Separation `json:"separation"`
}

const evaluateVersion = 15 // 15: how many more prompts, of intervals with a longer side; 14: further measures by name, in the rows too; 13: reliability and floor beside each cosine; 12: the spread of random vectors less what may be chance; 11: coherence from the order of words; 10: how much of the calibration resembles each persona; 9: no trait for texts that are unlike the scorer's own; 8: alphas are chosen anew in every resample, random vectors' spread is in the intervals, another decision rule; 7: separation; 6: the anchors are stages of their own, and a persona without a trait scale is in no difference; 5: artifacts of format 2; 4: resamples by the seed alone; 2: cosines without the largest dimensions, texts left out, repeated spans; 3: why a trait is missing, scorers of few texts

func init() { register("evaluate", evaluateVersion, whole, evaluateWork, evaluate) }

// evaluateWork is judging every text and the resamples of all.
func evaluateWork(s Evaluate, _ int) Work {
	return Work{Pace: Counting, Elements: 5e7 + 4e5*float64(s.Texts)}
}

// evaluate makes "report" (JSON) and "rows" (one JSON line a text). It reads yardstick, generate, score,
// trait, vectors, fit, pairs, resemblance, cosines, and what the further measures made that it is given.
func evaluate(ctx context.Context, u *Unit, s Evaluate) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s)
	for _, name := range u.Stage.Inputs {
		r.Input(name, u.Input(name).Digest())
	}
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		j := &jury{settings: s}
		var err error
		if j.scorers, err = u.scorers(ctx, s.Personas); err != nil {
			return nil, err
		}
		if j.yardstick, err = u.yardstick(ctx); err != nil {
			return nil, err
		}
		if j.batches, err = u.batches(ctx, len(s.Batches)); err != nil {
			return nil, err
		}
		if j.further, err = u.furtherMeasures(ctx, s, j.batches); err != nil {
			return nil, err
		}
		rows, samples := j.read(u)
		report, err := j.report(ctx, u, rows)
		if err != nil {
			return nil, err
		}
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("write the report: %w", err)
		}
		return []Product{
			{Name: "report", Kind: KindJSON, Write: writeBytes(append(text, '\n'))},
			{Name: "rows", Kind: artifacts.KindEvaluation, Rows: int64(len(samples.Rows)), Write: samples.Encode},
		}, nil
	})
}

// A jury knows what a text is judged by.
type jury struct {
	settings  Evaluate
	scorers   map[string]*trial.Scorer // nil for a persona with too few texts
	yardstick *Yardstick
	batches   []batch
	further   []*further
}

// A batch is the texts of one unit, and what the target's likelihoods say of them.
type batch struct {
	texts  *artifacts.Generations
	scores *artifacts.Scores
}

// batches reads all that were written.
func (u *Unit) batches(ctx context.Context, n int) ([]batch, error) {
	all := make([]batch, n)
	for i := range all {
		var err error
		if all[i].texts, all[i].scores, err = u.batch(ctx, "generate", "score", i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// batch reads the texts of unit i of one stage, and their scores of another.
func (u *Unit) batch(ctx context.Context, written, scored string, i int) (*artifacts.Generations, *artifacts.Scores, error) {
	g, err := u.InputAt(written, i, "texts")
	if err != nil {
		return nil, nil, err
	}
	o, err := u.InputAt(scored, i, "scores")
	if err != nil {
		return nil, nil, err
	}
	texts, err := load(ctx, u.Store, g, artifacts.KindGenerations, artifacts.DecodeGenerations)
	if err != nil {
		return nil, nil, err
	}
	scores, err := load(ctx, u.Store, o, artifacts.KindScores, artifacts.DecodeScores)
	if err == nil && (len(scores.Rows) != len(texts.Rows) || scores.Generations != g.Digest.String()) {
		err = fmt.Errorf("scores of batch %d: %w", i, artifacts.ErrMismatch)
	}
	return texts, scores, err
}

// read judges every text of every batch.
func (j *jury) read(u *Unit) ([]trial.Row, *artifacts.Evaluation) {
	var rows []trial.Row
	samples := &artifacts.Evaluation{}
	judged := j.judgeAll()
	for i, b := range j.settings.Batches {
		texts, scores := j.batches[i].texts, j.batches[i].scores
		vector := ""
		if o, ok := u.Input("vectors").Find(b.Condition + "/" + b.Persona); ok && b.Alpha != 0 {
			vector = o.Digest.String()
		}
		for n, s := range judged[i] {
			s.Vector, s.Generations = vector, scores.Generations
			for _, f := range j.further {
				f.take(i, n%len(texts.Rows), &s)
			}
			samples.Rows = append(samples.Rows, s)
			rows = append(rows, trial.Row{Condition: s.Condition, Persona: s.Persona, Alpha: s.Alpha, Prompt: int(s.Prompt), Seed: int(s.Seed), Draw: int(s.Draw),
				Trait: s.Trait, Coherence: s.Coherence, Collapsed: len(s.Collapse) > 0, Tokens: int(s.Tokens), Perplexity: s.Perplexity})
		}
	}
	return rows, samples
}

// judgeAll judges the texts of each batch, persona by persona, on all cores.
func (j *jury) judgeAll() [][]artifacts.Sample {
	out := make([][]artifacts.Sample, len(j.batches))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, b := range j.batches {
		group.Go(func() error {
			for _, p := range j.settings.Batches[i].Personas(j.settings.Personas) {
				for k, t := range b.texts.Rows {
					out[i] = append(out[i], j.judge(t, b.scores.Rows[k], p))
				}
			}
			return nil
		})
	}
	_ = group.Wait() // nothing fails
	return out
}

// judge gathers everything about one text, seen as a text of a persona.
func (j *jury) judge(t artifacts.Generation, score artifacts.Score, persona string) artifacts.Sample {
	s := artifacts.Sample{Persona: persona, Condition: t.Condition, Draw: t.Draw, Layer: int32(j.settings.TargetLayer), Alpha: t.Alpha, AlphaUnit: j.settings.AlphaUnit,
		AlphaAbsolute: t.AlphaAbsolute, Prompt: t.Prompt, PromptText: t.PromptText, Seed: t.Seed, Text: t.Text, Tokens: int32(len(t.Tokens)), Ended: t.Ended,
		NLL: score.NLL, Perplexity: score.Perplexity, Shuffled: score.Shuffled, Trait: math.NaN()}
	anchors, scale, order := j.yardstick.Anchors, j.yardstick.Scale(persona), score.Shuffled-score.NLL
	for _, f := range trial.Collapse(t.Tokens, t.Text, trial.CollapseOptions{Prompt: t.PromptText, EndAllowed: j.settings.EndAllowed, Ended: t.Ended,
		EndShare: anchors.EndShare, Order: order, AnchorOrder: float64(anchors.Order)}) {
		s.Collapse = append(s.Collapse, f.Name+": "+f.Reason)
	}
	s.Coherence = trial.Coherence(trial.Likelihood{NLL: score.NLL, Order: order}, trial.Likelihood{NLL: float64(anchors.NLL), Order: float64(anchors.Order)}, len(s.Collapse) > 0)
	if scale.Missing != "" {
		s.Status = "trait is missing: " + scale.Missing
	} else if why := j.scorers[persona].Unlike(t.Text); why != "" {
		s.Status = "trait is missing: the text is unlike those that the scorer was fitted on: " + why
	} else {
		s.Trait = trial.Trait(j.scorers[persona].Logit(t.Text), float64(scale.Unsteered), float64(scale.Positive))
	}
	return s
}

// report evaluates the rows and adds what is known of the map and the vectors.
func (j *jury) report(ctx context.Context, u *Unit, rows []trial.Row) (*Report, error) {
	s := j.settings
	o := trial.DefaultOptions()
	o.Mapped, o.Versus, o.Measure, o.Seed = s.Primary.Condition, s.Primary.Versus, s.Primary.Measure, resamples(s.Seed)
	o.Thresholds.Margin = s.Primary.Margin
	for _, c := range Conditions() {
		if c.Role == trial.RoleControl && c.Name != o.Mapped {
			o.Controls = append(o.Controls, c.Name)
			if c.Random {
				o.Null = append(o.Null, c.Name)
			}
		}
	}
	o.AUROC, o.Few, o.Separation = map[string]float64{}, map[string][2]trial.Number{}, map[string]trial.Separation{}
	for _, scale := range j.yardstick.Personas {
		o.Separation[scale.Persona] = scale.Separation
	}
	for p, scorer := range j.scorers {
		if scorer != nil {
			o.AUROC[p] = scorer.AUROC
			if scorer.Few {
				low, high := trial.AUROCInterval(scorer.AUROC, len(scorer.HeldOutPositive), len(scorer.HeldOutNegative))
				o.Few[p] = [2]trial.Number{low, high}
			}
		}
	}
	e, err := trial.Evaluate(rows, o)
	if err != nil {
		return nil, err
	}
	anchors := AnchorReport{AnchorSummary: j.yardstick.Anchors, Unsteered: map[string]trial.Number{}, Positive: map[string]trial.Number{}, Separation: map[string]trial.Separation{}}
	for _, scale := range j.yardstick.Personas {
		if j.scorers[scale.Persona] == nil {
			continue // the evaluation says so itself
		}
		anchors.Unsteered[scale.Persona], anchors.Positive[scale.Persona], anchors.Separation[scale.Persona] = scale.Unsteered, scale.Positive, scale.Separation
		if scale.Missing != "" {
			e.Warnings = append(e.Warnings, scale.Persona+": "+scale.Missing)
		}
	}
	report := &Report{Evaluation: e, Anchors: anchors, Experiment: Facts{SourceModel: s.SourceModel, TargetModel: s.TargetModel, SourceLayer: s.SourceLayer,
		TargetLayer: s.TargetLayer, Positions: s.Positions, Pairs: s.Samples, Alphas: s.Alphas, AlphaUnit: s.AlphaUnit}}
	for _, b := range j.batches {
		report.Experiment.Generations += len(b.texts.Rows)
	}
	if report.Fit, err = u.fitReport(ctx); err != nil {
		return nil, err
	}
	for i := range s.Personas {
		found, err := u.resembling(ctx, i)
		if err != nil {
			return nil, err
		}
		report.Calibration = append(report.Calibration, found.CalibrationReport)
	}
	if report.Vectors, err = u.compareVectors(ctx, report.Fit.LargestVariance); err != nil {
		return nil, err
	}
	report.Measures = []MeasureReport{}
	for _, f := range j.further {
		report.Measures = append(report.Measures, f.finish(s, j.batches, rows, e))
	}
	report.LeftOut, err = u.leftOut(ctx)
	return report, err
}

// resamples keys the draws of the bootstrap by the seed alone, so that an interval changes only if its
// data do.
func resamples(seed uint64) [32]byte {
	return cache.NewRecipe("bootstrap", 1).Uint("seed", seed).Key()
}

// leftOut counts the calibration texts that gave no pair, by reason.
func (u *Unit) leftOut(ctx context.Context) (map[string]int, error) {
	count := map[string]int{}
	for _, o := range u.Input("pairs") {
		texts, err := load(ctx, u.Store, o, artifacts.KindTexts, artifacts.DecodeTexts)
		if err != nil {
			return nil, err
		}
		for _, row := range texts.Rows {
			if row.Status != "" {
				count[row.Status]++
			}
		}
	}
	return count, nil
}

// compareVectors reports the cosine of every condition's vectors with the target's own, where that
// was asked for, and beside it what it is worth.
func (u *Unit) compareVectors(ctx context.Context, largest []int) ([]VectorReport, error) {
	var reports []VectorReport
	native := map[string][]float32{}
	var all []*artifacts.Vectors
	for _, o := range u.Input("vectors") {
		v, err := load(ctx, u.Store, o, artifacts.KindVectors, artifacts.DecodeVectors)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		if v.Rows[0].Condition == "oracle" {
			native[v.Rows[0].Persona] = v.Rows[0].Values
		}
	}
	worth, err := u.cosineReports(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		persona := v.Rows[0].Persona
		w := worth[persona]
		r := VectorReport{Persona: persona, Condition: v.Rows[0].Condition, Scales: v.Scales, Cosine: []trial.Number{}, CosineWithout: []trial.Number{},
			SourceReliability: w.Source, TargetReliability: w.Target}
		if f, ok := w.Conditions[r.Condition]; ok && native[persona] != nil {
			r.Floor, r.FloorWithout = &f.Whole, &f.Without
		}
		for _, row := range v.Rows {
			r.Norm = append(r.Norm, row.Norm)
			if n := native[r.Persona]; n != nil {
				r.Cosine = append(r.Cosine, trial.Number(linear.Cosine(row.Values, n)))
				r.CosineWithout = append(r.CosineWithout, trial.Number(linear.Cosine(row.Values, n, largest...)))
			}
		}
		reports = append(reports, r)
	}
	return reports, nil
}
