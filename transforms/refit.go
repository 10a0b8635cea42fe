package transforms

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// Refit is the stage that fits the map once more for each persona, without the pairs of the texts that
// resemble it: one unit a persona. Method and lambda are those of the fit, so the two maps differ in nothing
// but what they have seen.
type Refit struct {
	Method string `json:"method"`
	Centre bool   `json:"centre"`
	Rank   int    `json:"rank"`
	Unit   string `json:"lambda_unit"`
	Widths Widths `json:"widths" key:"-"`
}

const refitVersion = 2 // 2: what resembles is taken from the sums of all pairs, where it is less than half of them

func init() { register("refit", refitVersion, many, refitWork, refit) }

// refitWork is reading all rows and sums, the products of those that are added up, half of them at most, and one map.
func refitWork(s Refit, _ int) Work {
	w := s.Widths
	return Work{Pace: Algebra, Operations: w.size(w.Pairs/4).Sums() + w.size(w.Pairs).Map(), Elements: reads * (w.values() + 5*w.stored()/8),
		Bytes: refitGrams*w.gram() + w.reading(), Stored: w.mapped() / 2}
}

// refitGrams is how many Grams are in memory where a refit takes most, or as much as they take: those of all rows and
// of what resembles, and a fold's as it is read.
const refitGrams = 4

// refit makes "map". It reads capture.source, capture.target, resemblance, fit, gram.
func refit(ctx context.Context, u *Unit, s Refit) (cache.ActionKey, error) {
	texts, err := u.InputAt("resemblance", u.Index, "texts")
	if err != nil {
		return cache.ActionKey{}, err
	}
	fitted, err := u.Need("fit", "report")
	if err != nil {
		return cache.ActionKey{}, err
	}
	r := u.Recipe().Struct(s).Input("source", u.Input("capture.source").Digest()).Input("target", u.Input("capture.target").Digest()).
		Input("texts", texts.Digest).Input("fit", fitted.Digest).Input("gram", u.Input("gram").Digest())
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		found, err := u.resembling(ctx, u.Index)
		if err != nil {
			return nil, err
		}
		report, err := u.fitReport(ctx)
		if err != nil {
			return nil, err
		}
		if err := found.enough(); err != nil {
			return nil, err
		}
		rest, source, target, err := u.withoutResembling(ctx, found)
		if err != nil {
			return nil, err
		}
		w, err := linear.FitInPlace(rest, linear.Spec{Method: linear.Method(s.Method), Centre: s.Centre, Unit: linear.LambdaUnit(s.Unit), Rank: s.Rank, Lambda: report.Lambda})
		if err != nil {
			return nil, fmt.Errorf("fit the map of ridge_held_out for persona %s: %w", found.Persona, err)
		}
		kept, err := stored(w, source, target)
		if err != nil {
			return nil, err
		}
		kept.Notes = map[string]string{"fitted": fmt.Sprintf("on the %d of %d calibration pairs whose texts do not resemble persona %s", rest.N, found.Pairs, found.Persona)}
		return []Product{{Name: "map", Kind: artifacts.KindMap, Rows: int64(w.Rows), Write: kept.Encode}}, nil
	})
}

// leastPairs is how many pairs a map needs at the least, as n_training_samples does.
const leastPairs = 10

// enough refuses a map of a handful of pairs that are left of many.
func (r *Resembling) enough() error {
	left := r.Pairs - r.PairsResembling
	if left >= leastPairs || 2*left >= r.Pairs {
		return nil
	}
	return fmt.Errorf("%w: %d of the %d pairs of calibration_texts are of texts that resemble persona %s; the other %d make no map for ridge_held_out: it needs other calibration_texts, or to be left out of conditions",
		ErrTexts, r.PairsResembling, r.Pairs, r.Persona, left)
}

// withoutResembling sums up the pairs of the texts that do not resemble the persona: all pairs less the others,
// where these are fewer than half, so that without a text left out the map has the bits of the fit's.
func (u *Unit) withoutResembling(ctx context.Context, found *Resembling) (rest *linear.Gram, source, target artifacts.Meta, err error) {
	if n := len(u.Input("capture.source")); len(found.Rows) != n {
		return nil, source, target, fmt.Errorf("texts that resemble %s are of %d shards, the activations of %d: %w", found.Persona, len(found.Rows), n, artifacts.ErrMismatch)
	}
	few := 2*found.PairsResembling < found.Pairs
	g, source, target, err := u.sumPairs(ctx, func(p pairShard, row int) bool { return found.Has(p.index, p.x.Text[row]) == few })
	if err != nil || !few {
		return g, source, target, err
	}
	folds, err := u.folds(ctx)
	if err != nil {
		return nil, source, target, err
	}
	total, err := linear.Total(folds)
	if err != nil {
		return nil, source, target, err
	}
	return g, source, target, g.Complement(total)
}
