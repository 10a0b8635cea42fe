package linear

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// A Cross is XᵀY of pairs that were deliberately mismatched. A permutation within a set of rows
// changes neither XᵀX nor any sum, so this is all that a control fitted on shuffled pairs needs
// besides the Gram of the true pairs.
type Cross struct {
	D, E int
	N    int
	XtY  []float64 // [D×E] row-major
}

// NewCross returns the empty Cross of d source and e target dimensions. It panics unless both are
// positive.
func NewCross(d, e int) *Cross {
	if d <= 0 || e <= 0 {
		panic(fmt.Sprintf("linear: Cross of %d × %d dimensions", d, e))
	}
	return &Cross{D: d, E: e, XtY: make([]float64, d*e)}
}

// AddShuffled adds the pairs (row i of x, row perm[i] of y). x, y and perm are those of one shard,
// and the same rows must be in the Gram that the Cross is later put into.
func (c *Cross) AddShuffled(x, y []float32, perm []int) error {
	n, err := pairedRows(c.D, c.E, x, y)
	if err != nil {
		return fmt.Errorf("shuffled pairs: %w", err)
	}
	if err := checkPermutation(perm, n); err != nil {
		return fmt.Errorf("shuffled pairs: %w", err)
	}
	xs := make([]float64, min(n, blockRows)*c.D)
	ys := make([]float64, min(n, blockRows)*c.E)
	for from := 0; from < n; from += blockRows {
		rows := min(blockRows, n-from)
		widen(xs[:rows*c.D], x[from*c.D:])
		for i, p := range perm[from : from+rows] {
			widen(ys[i*c.E:(i+1)*c.E], y[p*c.E:])
		}
		addTransposed(c.XtY, xs[:rows*c.D], ys[:rows*c.E], rows, c.D, c.E)
	}
	c.N += n
	return nil
}

// checkPermutation returns an error unless perm holds each of 0…n−1 once.
func checkPermutation(perm []int, n int) error {
	if len(perm) != n {
		return fmt.Errorf("permutation of %d for %d rows", len(perm), n)
	}
	seen := make([]bool, n)
	for i, p := range perm {
		if p < 0 || p >= n || seen[p] {
			return fmt.Errorf("not a permutation at %d: %d", i, p)
		}
		seen[p] = true
	}
	return nil
}

// Merge adds o to c, in the caller's order; see [Gram.Merge].
func (c *Cross) Merge(o *Cross) error {
	if c.D != o.D || c.E != o.E {
		return fmt.Errorf("shuffled pairs: merge %d×%d into %d×%d", o.D, o.E, c.D, c.E)
	}
	c.N += o.N
	for i, v := range o.XtY {
		c.XtY[i] += v
	}
	return nil
}

// WithCross returns the Gram of the mismatched pairs: g with XᵀY replaced. The other parts are
// shared with g. It returns an error if c was not made of as many rows of the same shape.
func (g *Gram) WithCross(c *Cross) (*Gram, error) {
	if g.D != c.D || g.E != c.E || g.N != c.N {
		return nil, fmt.Errorf("shuffled pairs: %d rows of %d×%d for a Gram of %d rows of %d×%d", c.N, c.D, c.E, g.N, g.D, g.E)
	}
	out := *g
	out.XtY = slices.Clone(c.XtY)
	return &out, nil
}

// Permutation draws a uniform permutation of 0…n−1 from a ChaCha8 stream.
func Permutation(n int, seed [32]byte) []int {
	return rand.New(rand.NewChaCha8(seed)).Perm(n)
}
