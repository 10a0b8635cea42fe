package transforms

import (
	"context"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// Gram is the stage that turns paired activations into what the fit needs: for each shard and fold
// the sums, products and cross products of centred regression. They add up, so the map is fitted
// as a combine over references: shards in parallel, merged in index order.
type Gram struct {
	Folds    int    `json:"folds"`
	Shuffles int    `json:"shuffles"` // permutations of the pairs, for the condition shuffled_pairs
	Self     bool   `json:"self"`     // also the target with itself, for the condition self
	Seed     uint64 `json:"seed"`
	Widths   Widths `json:"widths" key:"-"`
}

// Widths are those of the two models, and how many pairs there are.
type Widths struct {
	Source int `json:"source"`
	Target int `json:"target"`
	Pairs  int `json:"pairs"`
}

const gramVersion = 2 // 2: artifacts of format 2

func init() { register("gram", gramVersion, many, gramWork, gram) }

// gramWork is the products of a shard's rows with each other.
func gramWork(s Gram, _ int) Work {
	d, e := float64(s.Widths.Source), float64(s.Widths.Target)
	each := d*d + d*e*float64(1+s.Shuffles)
	if s.Self {
		each += 2 * e * e
	}
	return Work{Pace: Algebra, Elements: each * float64(min(s.Widths.Pairs, ShardRows)), Bytes: s.Widths.bytes(s.Folds, s.Shuffles)}
}

// bytes is what the matrices of folds and permutations take, twice: as they are made or read, and stored.
func (w Widths) bytes(folds, shuffles int) float64 {
	d, e := float64(w.Source), float64(w.Target)
	return 2 * 8 * (float64(folds)*(d*d+d*e) + float64(shuffles)*d*e)
}

// gram reduces one shard. It reads capture.source and capture.target.
func gram(ctx context.Context, u *Unit, s Gram) (cache.ActionKey, error) {
	source, err := u.InputAt("capture.source", u.Index, "activations")
	if err != nil {
		return cache.ActionKey{}, err
	}
	target, err := u.InputAt("capture.target", u.Index, "activations")
	if err != nil {
		return cache.ActionKey{}, err
	}
	r := u.Recipe().Struct(s).Int("shard", int64(u.Index)).Input("source", source.Digest).Input("target", target.Digest)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		x, y, err := u.shardPair(ctx, u.Index)
		if err != nil {
			return nil, err
		}
		out := &artifacts.Matrices{Source: x.Meta, Target: y.Meta}
		if err := s.reduce(x, y, u.Index, out); err != nil {
			return nil, err
		}
		return []Product{{Name: "gram", Kind: artifacts.KindMatrices, Rows: int64(x.Rows()), Write: out.Encode}}, nil
	})
}

// reduce adds a shard's sums: one Gram a fold, and for each permutation the cross product alone.
func (s Gram) reduce(x, y *artifacts.Activations, shard int, out *artifacts.Matrices) error {
	for fold := range s.Folds {
		inFold := func(i int) bool { return int(x.Fold[i])%s.Folds == fold }
		g, err := gramOf(x, y, inFold)
		if err != nil {
			return err
		}
		addRow(out, foldName(fold), g.Flat())
		if s.Self {
			if g, err = gramOf(y, y, inFold); err != nil {
				return err
			}
			addRow(out, selfName(fold), g.Flat())
		}
	}
	for j := range s.Shuffles {
		seed := cache.NewRecipe("shuffled pairs", 1).Uint("seed", s.Seed).Int("shard", int64(shard)).Int("permutation", int64(j)).Key()
		cross := linear.NewCross(x.Dim, y.Dim)
		if err := cross.AddShuffled(x.Residual, y.Residual, linear.Permutation(x.Rows(), seed)); err != nil {
			return err
		}
		out.Add(shuffledName(j), cross.D, cross.E, cross.XtY)
	}
	return nil
}

func addRow(m *artifacts.Matrices, name string, data []float64) { m.Add(name, 1, len(data), data) }

func foldName(k int) string     { return fmt.Sprintf("fold.%d", k) }
func selfName(k int) string     { return fmt.Sprintf("self.%d", k) }
func shuffledName(j int) string { return fmt.Sprintf("shuffled.%d", j) }

func isShuffled(name string) bool { return strings.HasPrefix(name, "shuffled.") }

// gramOf sums over the rows that are wanted.
func gramOf(x, y *artifacts.Activations, wanted func(row int) bool) (*linear.Gram, error) {
	g := linear.NewGram(x.Dim, y.Dim)
	var xs, ys []float32
	for i := range x.Rows() {
		if wanted(i) {
			xs = append(xs, x.Residual[i*x.Dim:(i+1)*x.Dim]...)
			ys = append(ys, y.Residual[i*y.Dim:(i+1)*y.Dim]...)
		}
	}
	return g, g.Add(xs, ys)
}

// shardPair reads a shard of both models' activations.
func (u *Unit) shardPair(ctx context.Context, shard int) (x, y *artifacts.Activations, err error) {
	for _, side := range []struct {
		input string
		into  **artifacts.Activations
	}{{"capture.source", &x}, {"capture.target", &y}} {
		o, err := u.InputAt(side.input, shard, "activations")
		if err != nil {
			return nil, nil, err
		}
		if *side.into, err = load(ctx, u.Store, o, artifacts.KindActivations, artifacts.DecodeActivations); err != nil {
			return nil, nil, err
		}
	}
	return x, y, paired(x, y)
}

// paired checks that row i of both shards is the same place in the same text.
func paired(x, y *artifacts.Activations) error {
	if x.Rows() != y.Rows() {
		return fmt.Errorf("pair activations: %d source rows, %d target rows", x.Rows(), y.Rows())
	}
	for i := range x.Rows() {
		if x.Document[i] != y.Document[i] || x.Text[i] != y.Text[i] || x.End[i] != y.End[i] {
			return fmt.Errorf("pair activations: row %d is %s/%d@%d in the source, %s/%d@%d in the target", i,
				x.Document[i], x.Text[i], x.End[i], y.Document[i], y.Text[i], y.End[i])
		}
	}
	return nil
}
