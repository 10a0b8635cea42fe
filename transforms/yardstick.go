package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// YardstickSettings is the stage that finds what texts are measured by, from unsteered texts and the trait
// scorers: before any steered text is written it is known which personas can be measured at all.
type YardstickSettings struct {
	Personas []string `json:"personas"` // in the order of the stage trait
}

// A Yardstick is what texts are measured by, as stored.
type Yardstick struct {
	Anchors  AnchorSummary `json:"anchors"`
	Personas []TraitScale  `json:"personas"`
}

// An AnchorSummary is what unsteered texts say of coherence and collapse: how likely they are, and how much
// of that is the order of their words.
type AnchorSummary struct {
	Texts    int          `json:"texts"`
	NLL      trial.Number `json:"nll_median"`   // nats a token
	Order    trial.Number `json:"order_median"` // see [trial.Likelihood]
	EndShare float64      `json:"end_share"`    // how many ended by themselves
}

// A TraitScale is the line on which a persona's trait is read, by the logit of its scorer: 1 at Unsteered,
// 5 at Positive. Both are missing if there is no scorer.
type TraitScale struct {
	Persona   string       `json:"persona"`
	Unsteered trial.Number `json:"unsteered_logit"` // mean over the anchors
	Positive  trial.Number `json:"positive_logit"`  // mean over held-out positive texts
	AUROC     trial.Number `json:"auroc"`
	// Separation is of the held-out positive texts from the anchors.
	Separation trial.Separation `json:"separation"`
	Few        bool             `json:"few"`               // see [trial.Scorer]
	Unlike     int              `json:"unlike"`            // anchors that are unlike the scorer's own texts, and left out
	Missing    string           `json:"missing,omitempty"` // why no text of the persona can have a trait
}

const yardstickVersion = 4 // 4: what the order of words tells; 3: without anchors that are unlike the scorer's texts; 2: how far the persona is from the unsteered texts

func init() { register("yardstick", yardstickVersion, whole, yardstickWork, yardstick) }

// yardstickWork is reading a number of texts that is the same for every experiment.
func yardstickWork(YardstickSettings, int) Work { return Work{Pace: Counting, Elements: 3e7} }

// yardstick makes one JSON output. It reads anchors, anchors.score, trait.
func yardstick(ctx context.Context, u *Unit, s YardstickSettings) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s)
	for _, name := range u.Stage.Inputs {
		r.Input(name, u.Input(name).Digest())
	}
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		texts, scores, err := u.batch(ctx, "anchors", "anchors.score", 0)
		if err != nil {
			return nil, err
		}
		scorers, err := u.scorers(ctx, s.Personas)
		if err != nil {
			return nil, err
		}
		y := &Yardstick{Anchors: AnchorSummary{Texts: len(texts.Rows), EndShare: endShare(texts.Rows)}}
		y.Anchors.NLL, y.Anchors.Order = medians(scores)
		for _, p := range s.Personas {
			y.Personas = append(y.Personas, traitScale(p, scorers[p], texts.Rows))
		}
		return []Product{{Name: "yardstick", Kind: KindJSON, Write: writeBytes(EncodeJSON(y))}}, nil
	})
}

func medians(s *artifacts.Scores) (nll, order trial.Number) {
	var n, o []float64
	for _, row := range s.Rows {
		n, o = append(n, row.NLL), append(o, row.Shuffled-row.NLL)
	}
	return trial.Number(trial.Median(n)), trial.Number(trial.Median(o))
}

func endShare(texts []artifacts.Generation) float64 {
	ended := 0
	for _, t := range texts {
		if t.Ended {
			ended++
		}
	}
	return float64(ended) / float64(max(len(texts), 1))
}

// traitScale places the anchors and the persona's own texts on its scorer's line. There is no scale if the
// model says by itself what the persona says: the trait then has no way up.
func traitScale(persona string, scorer *trial.Scorer, anchors []artifacts.Generation) TraitScale {
	if scorer == nil {
		missing := trial.Number(math.NaN())
		return TraitScale{Persona: persona, Unsteered: missing, Positive: missing, AUROC: missing, Separation: trial.Separate(nil, nil),
			Missing: fmt.Sprintf("no trait scorer, which needs at least %d texts a side", trial.MinFewTexts)}
	}
	var logits []float64
	for _, t := range anchors {
		if scorer.Unlike(t.Text) == "" {
			logits = append(logits, scorer.Logit(t.Text))
		}
	}
	s := placed(persona, scorer.HeldOutPositive, logits)
	s.AUROC, s.Few, s.Unlike = trial.Number(scorer.AUROC), scorer.Few, len(anchors)-len(logits)
	if len(logits) == 0 {
		s.Missing = "none of the model's unsteered texts is like those that its trait scorer was fitted on"
	}
	return s
}

// placed is the scale on which unsteered texts have 1 and held-out positive ones 5.
func placed(persona string, positive, unsteered []float64) TraitScale {
	s := TraitScale{Persona: persona, Unsteered: trial.Number(trial.Mean(unsteered)), Positive: trial.Number(trial.Mean(positive)), Separation: trial.Separate(positive, unsteered)}
	if !(s.Positive > s.Unsteered) {
		s.Missing = fmt.Sprintf("the model's unsteered texts score %.2f, held-out texts of the persona %.2f: there is no way up to measure, whatever tells its own texts apart", float64(s.Unsteered), float64(s.Positive))
	}
	return s
}

// yardstick reads what the stage of that name stored.
func (u *Unit) yardstick(ctx context.Context) (*Yardstick, error) {
	o, err := u.Need("yardstick", "yardstick")
	if err != nil {
		return nil, err
	}
	return ReadYardstick(ctx, u.Store, o.Digest)
}

// ReadYardstick reads a stored yardstick.
func ReadYardstick(ctx context.Context, s cache.Store, d cache.Digest) (*Yardstick, error) {
	b, err := s.Read(ctx, d)
	if err != nil {
		return nil, err
	}
	y := new(Yardstick)
	if err := json.Unmarshal(b, y); err != nil {
		return nil, fmt.Errorf("read yardstick %s: %w", d.Short(), artifacts.ErrFormat)
	}
	return y, nil
}

// Scale is that of a persona.
func (y *Yardstick) Scale(persona string) TraitScale {
	i := slices.IndexFunc(y.Personas, func(s TraitScale) bool { return s.Persona == persona })
	if i < 0 {
		return TraitScale{Persona: persona, Missing: "the persona was not measured"}
	}
	return y.Personas[i]
}
