package transforms

import (
	"context"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// Gram is the stage that turns paired activations into what the fit needs: for each fold the sums, products and
// cross products of centred regression, one unit a fold. A unit is a combine over references: it goes through the
// shards in index order, whoever made them, and what it stores does not grow with their number.
type Gram struct {
	Folds  int    `json:"folds"`
	Widths Widths `json:"widths" key:"-"`
}

// Widths are those of the two models, and how many pairs there are.
type Widths struct {
	Source int `json:"source"`
	Target int `json:"target"`
	Pairs  int `json:"pairs"`
}

const gramVersion = 3 // 3: a unit a fold, not one a shard, and the true pairs alone; 2: artifacts of format 2

func init() { register("gram", gramVersion, many, gramWork, gram) }

// gramWork is the products of a fold's rows with each other, reading all of them, and writing their sums. In memory
// are a Gram, its flat form, the rows that are gathered and a shard of either model.
func gramWork(s Gram, _ int) Work {
	w := s.Widths
	return Work{Pace: Algebra, Operations: w.size(w.Pairs / max(s.Folds, 1)).Sums(), Elements: reads*w.values() + storing*w.stored()/8,
		Bytes: w.gram() + w.stored() + w.reading(), Stored: w.stored()}
}

// What it takes to bring a value from the store, by the elements that are gone through in the time, and to the store:
// compression, a digest, and the Arrow file.
const (
	reads   = 10
	storing = 20
)

// size is that of a fit to so many pairs.
func (w Widths) size(pairs int) linear.Size {
	return linear.Size{Rows: pairs, D: w.Source, E: w.Target}
}

// values is how many there are in all activations of both models.
func (w Widths) values() float64 { return float64(w.Source+w.Target) * float64(w.Pairs) }

// gram is the bytes of a Gram in memory, stored those of one as it is stored.
func (w Widths) gram() float64 { return 8 * float64(w.Source) * float64(w.Source+w.Target) }
func (w Widths) stored() float64 {
	d, e := float64(w.Source), float64(w.Target)
	return 8 * (d*(d+1)/2 + d*e)
}

// mapped is the bytes of a map as it is fitted, in float64.
func (w Widths) mapped() float64 { return 8 * float64(w.Source) * float64(w.Target) }

// reading is the bytes that shards take that are read one after the other: a shard of either model, which the
// collector has not yet seen the last of, and a block of rows in float32 and float64.
func (w Widths) reading() float64 {
	return float64(w.Source+w.Target) * float64(min(w.Pairs, ShardRows)) * (2*4 + 4 + 8)
}

// gram sums up one fold. It reads capture.source and capture.target.
func gram(ctx context.Context, u *Unit, s Gram) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s).Int("fold", int64(u.Index)).
		Input("source", u.Input("capture.source").Digest()).Input("target", u.Input("capture.target").Digest())
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		g, source, target, err := u.sumPairs(ctx, func(p pairShard, row int) bool { return p.fold(row, s.Folds) == u.Index })
		if err != nil {
			return nil, err
		}
		out, flat := &artifacts.Matrices{Source: source, Target: target}, g.Flat()
		out.Add(gramBlock, 1, len(flat), flat)
		return []Product{{Name: "gram", Kind: artifacts.KindMatrices, Rows: int64(g.N), Write: out.Encode}}, nil
	})
}

// gramBlock is the name of the one block of a stored Gram, which is as [linear.Gram.Flat] writes it.
const gramBlock = "gram"

// sumPairs adds up the pairs that are wanted, in order, and says where they are from. It takes a block of rows at
// a time, since a product of a few rows takes about as long as one of many.
func (u *Unit) sumPairs(ctx context.Context, wanted func(p pairShard, row int) bool) (g *linear.Gram, source, target artifacts.Meta, err error) {
	var xs, ys []float32
	for p, err := range u.pairShards(ctx) {
		if err != nil {
			return nil, source, target, err
		}
		if g == nil {
			g, source, target = linear.NewGram(p.x.Dim, p.y.Dim), p.x.Meta, p.y.Meta
		}
		xs, ys = p.gather(xs, ys, wanted)
		if len(xs) >= ShardRows*p.x.Dim {
			if err := g.Add(xs, ys); err != nil {
				return nil, source, target, err
			}
			xs, ys = xs[:0], ys[:0]
		}
	}
	if g == nil {
		return nil, source, target, errNoPairs
	}
	return g, source, target, g.Add(xs, ys)
}
