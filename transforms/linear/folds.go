package linear

import (
	"fmt"
	"slices"
)

// Folds are paired rows, x [d] and y [e], that are cut into the folds of a cross-validation. They need not
// be in memory: a fold is asked for when its turn comes, more than once. Folds are independent only if rows
// of one document are in one fold; that is the caller's part.
type Folds interface {
	// Shape is the widths of x and y.
	Shape() (d, e int)
	// Sizes is the number of rows of each fold.
	Sizes() []int
	// AddTo adds the rows of fold k to g.
	AddTo(g *Gram, k int) error
	// Rows returns the rows of fold k, x [n×d] and y [n×e], in the order in which AddTo adds them. They are
	// only read. It is asked where there are few: no more than d in the fold or in all others.
	Rows(k int) (x, y []float32, err error)
}

// A Table is [Folds] in memory: rows x [n×D] and y [n×E], row i in fold Fold[i] of Count.
type Table struct {
	D, E  int
	X, Y  []float32
	Fold  []int
	Count int
}

// NewTable cuts rows into folds: row i is in fold fold[i], counted from 0. The error says which length or
// value is wrong, or which fold has no row.
func NewTable(d, e int, x, y []float32, fold []int) (*Table, error) {
	if d < 1 || e < 1 {
		return nil, fmt.Errorf("pairs of %d and %d dimensions", d, e)
	}
	n, err := pairedRows(d, e, x, y)
	if err != nil {
		return nil, err
	}
	if len(fold) != n {
		return nil, fmt.Errorf("folds of %d rows, there are %d", len(fold), n)
	}
	t := &Table{D: d, E: e, X: x, Y: y, Fold: fold}
	for i, k := range fold {
		if k < 0 || k >= n {
			return nil, fmt.Errorf("row %d is in fold %d of %d rows", i, k, n)
		}
		t.Count = max(t.Count, k+1)
	}
	if k := slices.Index(t.Sizes(), 0); k >= 0 {
		return nil, fmt.Errorf("fold %d of %d has no row", k, t.Count)
	}
	return t, nil
}

// Shape is the widths of x and y.
func (t *Table) Shape() (d, e int) { return t.D, t.E }

// Sizes is the number of rows of each fold.
func (t *Table) Sizes() []int {
	sizes := make([]int, t.Count)
	for _, k := range t.Fold {
		sizes[k]++
	}
	return sizes
}

// AddTo adds the rows of fold k to g.
func (t *Table) AddTo(g *Gram, k int) error {
	x, y, err := t.Rows(k)
	if err != nil {
		return err
	}
	return g.Add(x, y)
}

// Rows returns the rows of fold k.
func (t *Table) Rows(k int) (x, y []float32, err error) {
	n, first := t.Sizes()[k], slices.Index(t.Fold, k)
	if first >= 0 && first+n <= len(t.Fold) && !slices.ContainsFunc(t.Fold[first:first+n], func(f int) bool { return f != k }) {
		return t.X[first*t.D : (first+n)*t.D], t.Y[first*t.E : (first+n)*t.E], nil // they lie together
	}
	x, y = make([]float32, 0, n*t.D), make([]float32, 0, n*t.E)
	for i, f := range t.Fold {
		if f == k {
			x = append(x, t.X[i*t.D:(i+1)*t.D]...)
			y = append(y, t.Y[i*t.E:(i+1)*t.E]...)
		}
	}
	return x, y, nil
}

// Total sums up the rows of all folds, the first one last.
func Total(f Folds) (*Gram, error) { return totalOf(f, func(*Gram) {}) }

// totalOf also shows the sums of all folds but the first.
func totalOf(f Folds, others func(*Gram)) (*Gram, error) {
	total := NewGram(f.Shape())
	add := func(k int) error {
		if err := f.AddTo(total, k); err != nil {
			return fmt.Errorf("fold %d: %w", k, err)
		}
		return nil
	}
	for k := 1; k < len(f.Sizes()); k++ {
		if err := add(k); err != nil {
			return nil, err
		}
	}
	others(total)
	return total, add(0)
}
