package transforms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

var errNoPairs = errors.New("no shard of activations")

// A pairShard is a shard of both models' activations, row i of either the same place in the same text.
type pairShard struct {
	index int
	x, y  *artifacts.Activations
}

// fold is that of a row, of so many.
func (p pairShard) fold(row, folds int) int { return int(p.x.Fold[row]) % folds }

// gather appends the rows that are wanted.
func (p pairShard) gather(xs, ys []float32, wanted func(p pairShard, row int) bool) (x, y []float32) {
	for i := range p.x.Rows() {
		if wanted(p, i) {
			xs, ys = append(xs, p.x.Row(i)...), append(ys, p.y.Row(i)...)
		}
	}
	return xs, ys
}

// pairShards goes through the shards of both models' activations in index order, one of each in memory at a time.
// It ends with the first error.
func (u *Unit) pairShards(ctx context.Context) iter.Seq2[pairShard, error] {
	return func(yield func(pairShard, error) bool) {
		var source, target artifacts.Meta
		for i := range u.Input("capture.source") {
			x, y, err := u.shardPair(ctx, i)
			if err == nil {
				if i == 0 {
					source, target = x.Meta, y.Meta
				}
				err = cmp.Or(source.Match(x.Meta), target.Match(y.Meta))
			}
			if !yield(pairShard{i, x, y}, err) || err != nil {
				return
			}
		}
	}
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

// storedFolds are the pairs of a calibration as the stages gram and capture stored them: [linear.Folds] of which
// none is in memory. A unit that uses them reads gram, capture.source and capture.target.
type storedFolds struct {
	unit           *Unit
	ctx            context.Context // of the unit's work
	source, target artifacts.Meta
	sizes          []int
}

// folds finds the folds of a calibration.
func (u *Unit) folds(ctx context.Context) (*storedFolds, error) {
	f := &storedFolds{unit: u, ctx: ctx}
	for k := range u.Input("gram") {
		o, err := u.InputAt("gram", k, "gram")
		if err != nil {
			return nil, err
		}
		f.sizes = append(f.sizes, int(o.Rows))
	}
	for p, err := range u.pairShards(ctx) {
		if err != nil {
			return nil, err
		}
		f.source, f.target = p.x.Meta, p.y.Meta
		return f, nil
	}
	return nil, errNoPairs
}

// Shape is the widths of the two models.
func (f *storedFolds) Shape() (d, e int) { return f.source.Hidden, f.target.Hidden }

// Sizes is the number of pairs of each fold.
func (f *storedFolds) Sizes() []int { return f.sizes }

// AddTo adds the stored sums of a fold.
func (f *storedFolds) AddTo(g *linear.Gram, k int) error {
	o, err := f.unit.InputAt("gram", k, "gram")
	if err != nil {
		return err
	}
	m, err := load(f.ctx, f.unit.Store, o, artifacts.KindMatrices, artifacts.DecodeMatrices)
	if err != nil {
		return err
	}
	if err := cmp.Or(f.source.Match(m.Source), f.target.Match(m.Target)); err != nil {
		return fmt.Errorf("read %s: %w", o.Name, err)
	}
	flat, err := block(m, gramBlock)
	if err != nil {
		return err
	}
	before := g.N
	if err := g.MergeFlat(flat); err != nil {
		return fmt.Errorf("read %s: %w: %w", o.Name, artifacts.ErrFormat, err)
	}
	if n := g.N - before; n != f.sizes[k] {
		return fmt.Errorf("read %s: the sums of %d pairs, want %d: %w", o.Name, n, f.sizes[k], artifacts.ErrMismatch)
	}
	return nil
}

// Rows goes through all shards for the rows of a fold.
func (f *storedFolds) Rows(k int) (x, y []float32, err error) {
	d, e := f.Shape()
	x, y = make([]float32, 0, f.sizes[k]*d), make([]float32, 0, f.sizes[k]*e)
	for p, err := range f.unit.pairShards(f.ctx) {
		if err != nil {
			return nil, nil, err
		}
		x, y = p.gather(x, y, func(p pairShard, row int) bool { return p.fold(row, len(f.sizes)) == k })
	}
	return x, y, nil
}

// everyFold refuses pairs of so few documents that a fold has none.
func (f *storedFolds) everyFold() error {
	filled, pairs := 0, 0
	for _, n := range f.sizes {
		pairs += n
		if n > 0 {
			filled++
		}
	}
	if filled < len(f.sizes) {
		return fmt.Errorf("%w: the %d pairs of calibration_texts come from too few documents: they fill %d of the %d folds; a text gives a pair at each of its word ends, unless positions is \"last\", so a larger n_training_samples takes more of them", ErrTexts, pairs, filled, len(f.sizes))
	}
	return nil
}

func block(m *artifacts.Matrices, name string) ([]float64, error) {
	b := m.Block(name)
	if b == nil {
		return nil, fmt.Errorf("block %s is not there: %w", name, artifacts.ErrFormat)
	}
	return b.Data, nil
}
