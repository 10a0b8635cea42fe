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

// Resemblance is the stage that says which calibration texts resemble a persona ([trial.Scorer.Resembles]):
// one unit a persona. A map that has seen a persona's manner answers an easier question than one that has
// not; the condition ridge_held_out asks the harder one.
type Resemblance struct {
	Personas []string `json:"personas"`      // in the order of the stage trait
	Pairs    int      `json:"pairs" key:"-"` // of which there are at least as many as texts
}

// A CalibrationReport says how much of the calibration resembles a persona.
type CalibrationReport struct {
	Persona         string       `json:"persona"`
	Texts           int          `json:"texts"`            // that give pairs
	Resembling      int          `json:"resembling"`       // of these texts
	Pairs           int          `json:"pairs"`            // of activations
	PairsResembling int          `json:"pairs_resembling"` // of texts that resemble the persona: ridge_held_out is fitted without them
	Share           trial.Number `json:"share"`            // of the texts; missing without a trait scorer
	Threshold       trial.Number `json:"threshold_logit"`  // above which a text resembles the persona
	Warnings        []string     `json:"warnings,omitempty"`
}

// A Resembling is what the stage stores for a persona: the texts as well.
type Resembling struct {
	CalibrationReport
	Rows [][]int32 `json:"rows"` // for each shard of the pairs, the indices of its texts that resemble the persona, rising
}

const resemblanceVersion = 1

func init() { register("resemblance", resemblanceVersion, many, resemblanceWork, resemblance) }

// resemblanceWork is scoring each text and half of it again.
func resemblanceWork(s Resemblance, _ int) Work {
	return Work{Pace: Counting, Elements: 1e5 * float64(s.Pairs)}
}

// resemblance scores the texts for one persona. It reads pairs and trait.
func resemblance(ctx context.Context, u *Unit, s Resemblance) (cache.ActionKey, error) {
	persona := s.Personas[u.Index]
	fitted, err := u.InputAt("trait", u.Index, "scorer")
	if err != nil {
		return cache.ActionKey{}, err
	}
	r := u.Recipe().Text("persona", persona).Input("pairs", u.Input("pairs").Digest()).Input("scorer", fitted.Digest)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		scorer, err := u.scorer(ctx, u.Index, persona)
		if err != nil {
			return nil, err
		}
		found := &Resembling{CalibrationReport: CalibrationReport{Persona: persona}, Rows: [][]int32{}}
		resembles := func(string) bool { return false }
		if scorer != nil {
			resembles = scorer.Resembles
		}
		var last artifacts.Text
		for _, o := range u.Input("pairs") {
			shard, err := load(ctx, u.Store, o, artifacts.KindTexts, artifacts.DecodeTexts)
			if err != nil {
				return nil, err
			}
			last = found.add(shard, last, resembles)
		}
		found.conclude(scorer)
		return []Product{{Name: "texts", Kind: KindJSON, Write: writeBytes(EncodeJSON(found))}}, nil
	})
}

// add looks at the texts of the next shard, and gives its last one. last is that of the shard before: a text
// whose positions go on in this shard is no other text.
func (r *Resembling) add(shard *artifacts.Texts, last artifacts.Text, resembles func(string) bool) artifacts.Text {
	rows := []int32{}
	for i, row := range shard.Rows {
		if len(row.Ends) == 0 {
			continue
		}
		goesOn := row.Text == last.Text && row.Document == last.Document && len(last.Ends) > 0 && row.Ends[0] > last.Ends[len(last.Ends)-1]
		last = row
		r.Pairs += len(row.Ends)
		if !goesOn {
			r.Texts++
		}
		if resembles(row.Text) {
			rows = append(rows, int32(i))
			r.PairsResembling += len(row.Ends)
			if !goesOn {
				r.Resembling++
			}
		}
	}
	r.Rows = append(r.Rows, rows)
	return last
}

// conclude sets what follows from the counts. Without a scorer nothing is known.
func (r *Resembling) conclude(scorer *trial.Scorer) {
	if scorer == nil {
		r.Share, r.Threshold = trial.Number(math.NaN()), trial.Number(math.NaN())
		r.Warnings = append(r.Warnings, "no trait scorer tells which calibration texts resemble it: nothing is left out for ridge_held_out, which is no evidence here")
		return
	}
	r.Share, r.Threshold = trial.Number(float64(r.Resembling)/float64(max(r.Texts, 1))), trial.Number(scorer.Threshold())
	if 2*r.PairsResembling > r.Pairs {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of the %d calibration pairs resemble it: its map of ridge_held_out has fewer than half of the pairs", r.PairsResembling, r.Pairs))
	}
}

// resembling reads what the stage stored for the persona of that index.
func (u *Unit) resembling(ctx context.Context, index int) (*Resembling, error) {
	o, err := u.InputAt("resemblance", index, "texts")
	if err != nil {
		return nil, err
	}
	b, err := u.Store.Read(ctx, o.Digest)
	if err != nil {
		return nil, err
	}
	r := new(Resembling)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read which texts resemble a persona, %s: %w", o.Digest.Short(), artifacts.ErrFormat)
	}
	return r, nil
}

// Has reports whether text i of a shard resembles the persona.
func (r *Resembling) Has(shard int, i int32) bool {
	_, found := slices.BinarySearch(r.Rows[shard], i)
	return found
}
