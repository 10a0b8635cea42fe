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
	Folds  int    `json:"folds"` // the pairs are added up by fold, as the fit does: without a text left out the map has the same bits
	Widths Widths `json:"widths" key:"-"`
}

const refitVersion = 1

func init() { register("refit", refitVersion, many, refitWork, refit) }

// refitWork is the products of all rows with each other and one map.
func refitWork(s Refit, _ int) Work {
	d, e := float64(s.Widths.Source), float64(s.Widths.Target)
	each := d*d + d*e
	return Work{Pace: Algebra, Elements: each*float64(s.Widths.Pairs) + d*d*d/3 + d*d*e, Bytes: 2 * s.Widths.bytes(s.Folds, 0)}
}

// refit makes "map". It reads capture.source, capture.target, resemblance, fit.
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
		Input("texts", texts.Digest).Input("fit", fitted.Digest)
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
		rest, source, target, err := u.withoutResembling(ctx, found, s.Folds)
		if err != nil {
			return nil, err
		}
		w, err := linear.Fit(rest, linear.Spec{Method: linear.Method(s.Method), Centre: s.Centre, Unit: linear.LambdaUnit(s.Unit), Rank: s.Rank, Lambda: report.Lambda})
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

// withoutResembling adds up the pairs of the texts that do not resemble the persona, in the order in which
// the stages gram and fit add up all.
func (u *Unit) withoutResembling(ctx context.Context, found *Resembling, folds int) (rest *linear.Gram, source, target artifacts.Meta, err error) {
	sums := make([]*linear.Gram, folds)
	if n := len(u.Input("capture.source")); len(found.Rows) != n {
		return nil, source, target, fmt.Errorf("texts that resemble %s are of %d shards, the activations of %d: %w", found.Persona, len(found.Rows), n, artifacts.ErrMismatch)
	}
	for shard := range found.Rows {
		x, y, err := u.shardPair(ctx, shard)
		if err != nil {
			return nil, source, target, err
		}
		source, target = x.Meta, y.Meta
		for fold := range sums {
			g, err := gramOf(x, y, func(i int) bool { return int(x.Fold[i])%folds == fold && !found.Has(shard, x.Text[i]) })
			if err != nil {
				return nil, source, target, err
			}
			if sums[fold] == nil {
				sums[fold] = linear.NewGram(g.D, g.E)
			}
			if err := sums[fold].Merge(g); err != nil {
				return nil, source, target, err
			}
		}
	}
	rest, err = linear.Sum(sums)
	return rest, source, target, err
}
