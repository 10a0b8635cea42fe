package rows

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// Blocks cuts n rows into folds of neighbouring rows whose sizes differ by one at most, larger ones first, as
// scikit-learn's KFold does: neighbours come from one text more often than not, and rows of one text in two
// folds would make a map look better than it is.
func Blocks(n, folds int) []int {
	fold := make([]int, n)
	begin := 0
	for k := range folds {
		end := begin + n/folds
		if k < n%folds {
			end++
		}
		for ; begin < end; begin++ {
			fold[begin] = k
		}
	}
	return fold
}

// Deal puts whole groups into folds of about the same number of rows: the largest group first, each to the
// fold that has the fewest rows so far, the first of several, as scikit-learn's GroupKFold does. Groups of the
// same size come in an order that the seed draws. Groups are numbered from 0 in the order of their first rows.
func Deal(groups []int, folds int, seed uint64) ([]int, error) {
	var sizes []int
	for _, g := range groups {
		for len(sizes) <= g {
			sizes = append(sizes, 0)
		}
		sizes[g]++
	}
	if len(sizes) < folds {
		return nil, fmt.Errorf("%d groups for %d folds: a fold is of whole groups", len(sizes), folds)
	}
	order := linear.Permutation(len(sizes), cache.NewRecipe("groups of rows", 1).Uint("seed", seed).Key())
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sizes[b], sizes[a]) })
	rows, of := make([]int, folds), make([]int, len(sizes))
	for _, g := range order {
		lightest := 0
		for k, n := range rows {
			if n < rows[lightest] {
				lightest = k
			}
		}
		of[g] = lightest
		rows[lightest] += sizes[g]
	}
	fold := make([]int, len(groups))
	for i, g := range groups {
		fold[i] = of[g]
	}
	return fold, nil
}

// A Paired is two tables whose rows are pairs, cut into folds. It is [linear.Folds] that are read from the
// files each time.
type Paired struct {
	ctx   context.Context // ends a pass; the interface has none
	x, y  *File
	runs  [][]run // of each fold, in the order of the files
	sizes []int
}

// A run is neighbouring rows of one fold.
type run struct{ from, n int }

// Pair pairs tables of as many rows; row i is in fold fold[i] of count, and each fold has a row.
func Pair(ctx context.Context, x, y *File, fold []int, count int) (*Paired, error) {
	if x.Rows != y.Rows || len(fold) != x.Rows {
		return nil, fmt.Errorf("pair %d source rows, %d target rows and folds of %d", x.Rows, y.Rows, len(fold))
	}
	p := &Paired{ctx: ctx, x: x, y: y, runs: make([][]run, count), sizes: make([]int, count)}
	for i, k := range fold {
		if i > 0 && fold[i-1] == k {
			p.runs[k][len(p.runs[k])-1].n++
		} else {
			p.runs[k] = append(p.runs[k], run{i, 1})
		}
		p.sizes[k]++
	}
	return p, nil
}

// Shape is the widths of the tables.
func (p *Paired) Shape() (d, e int) { return p.x.Width, p.y.Width }

// Sizes is the number of rows of each fold.
func (p *Paired) Sizes() []int { return slices.Clone(p.sizes) }

// blockRows is how many rows are summed up at once.
const blockRows = 512

// AddTo adds the rows of fold k to g.
func (p *Paired) AddTo(g *linear.Gram, k int) error { return p.blocks(k, blockRows, g.Add) }

// Rows returns the rows of fold k.
func (p *Paired) Rows(k int) (x, y []float32, err error) {
	err = p.blocks(k, p.sizes[k], func(bx, by []float32) error { x, y = bx, by; return nil })
	return x, y, err
}

// blocks passes the rows of fold k in blocks of that many rows, gathered from their runs.
func (p *Paired) blocks(k, most int, visit func(x, y []float32) error) error {
	d, e := p.Shape()
	left, held := p.sizes[k], 0
	most = min(most, left)
	x, y := make([]float32, most*d), make([]float32, most*e)
	for _, r := range p.runs[k] {
		for r.n > 0 {
			n := min(r.n, most-held)
			if err := p.x.Read(x[held*d:(held+n)*d], r.from); err != nil {
				return fmt.Errorf("source: %w", err)
			}
			if err := p.y.Read(y[held*e:(held+n)*e], r.from); err != nil {
				return fmt.Errorf("target: %w", err)
			}
			r.from, r.n = r.from+n, r.n-n
			held, left = held+n, left-n
			if held < most && left > 0 {
				continue
			}
			if err := p.ctx.Err(); err != nil {
				return err
			}
			if err := visit(x[:held*d], y[:held*e]); err != nil {
				return err
			}
			held = 0
		}
	}
	return nil
}
