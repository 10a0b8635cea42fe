package linear

import (
	"fmt"
	"math"
	"slices"
)

// A Contrast is two groups of texts of which only sums of rows are kept, text by text: the first Positive
// texts are one group, the others the other. It is enough for the difference of the groups' means, and
// for what that difference is if the texts are halved or their labels permuted. Texts, not rows, are what
// is drawn: rows of one text are alike. A text may have no row; it then counts nowhere.
type Contrast struct {
	Dim      int
	Positive int
	Rows     []int     // how many each text has
	Sum      []float64 // [texts×Dim] row-major
}

// NewContrast returns the contrast of so many texts a side that have no rows yet. It panics unless dim is
// positive.
func NewContrast(dim, positive, negative int) *Contrast {
	if dim <= 0 {
		panic(fmt.Sprintf("linear: contrast of %d dimensions", dim))
	}
	n := positive + negative
	return &Contrast{Dim: dim, Positive: positive, Rows: make([]int, n), Sum: make([]float64, n*dim)}
}

// Add adds a row to a text, counted from the first positive one.
func (c *Contrast) Add(text int, row []float32) {
	c.Rows[text]++
	for j, v := range row {
		c.Sum[text*c.Dim+j] += float64(v)
	}
}

// Texts lists those that have rows, in their order, and says how many of them are positive.
func (c *Contrast) Texts() (texts []int, positive int) {
	for i, n := range c.Rows {
		if n > 0 {
			texts = append(texts, i)
			if i < c.Positive {
				positive++
			}
		}
	}
	return texts, positive
}

// Vector returns mean(rows of the texts up) − mean(rows of the texts down); nil if one of the two has no row.
func (c *Contrast) Vector(up, down []int) []float32 {
	a, b := c.mean(up), c.mean(down)
	if a == nil || b == nil {
		return nil
	}
	for j := range a {
		a[j] -= b[j]
	}
	return narrow(a)
}

func (c *Contrast) mean(texts []int) []float64 {
	mean, n := make([]float64, c.Dim), 0
	for _, i := range texts {
		n += c.Rows[i]
		for j, v := range c.Sum[i*c.Dim : (i+1)*c.Dim] {
			mean[j] += v
		}
	}
	if n == 0 {
		return nil
	}
	for j := range mean {
		mean[j] /= float64(n)
	}
	return mean
}

// SplitHalf cuts the texts of either side in halves that are drawn from a ChaCha8 stream each, and returns the
// cosine of the halves' vectors: NaN if a side has fewer than two texts with rows. Of an odd number, the second
// half is the larger.
func (c *Contrast) SplitHalf(up, down [32]byte) float64 {
	texts, p := c.Texts()
	if p < 2 || len(texts)-p < 2 {
		return math.NaN()
	}
	a, b := halves(texts[:p], up)
	x, y := halves(texts[p:], down)
	return Cosine(c.Vector(a, x), c.Vector(b, y))
}

func halves(texts []int, seed [32]byte) (a, b []int) {
	drawn := pick(texts, Permutation(len(texts), seed))
	return drawn[:len(drawn)/2], drawn[len(drawn)/2:]
}

func pick(texts, order []int) []int {
	out := make([]int, len(order))
	for i, k := range order {
		out[i] = texts[k]
	}
	return out
}

// Relabelled permutes the labels of texts that two contrasts have in common, in both alike, and returns the
// vectors that they then have. A text that has no row in one of them is in neither (see [Common]); of those that
// are left, text perm[i] gets the label of text i, so there are as many of each label as before, and the identity
// gives the contrasts' own vectors. The vectors are nil if a side is left without texts.
func Relabelled(a, b *Contrast, perm []int) (va, vb []float32) {
	texts, p := Common(a, b)
	drawn := pick(texts, perm)
	return a.Vector(drawn[:p], drawn[p:]), b.Vector(drawn[:p], drawn[p:])
}

// Common lists the texts that have rows in both contrasts, and says how many of them are positive.
func Common(a, b *Contrast) (texts []int, positive int) {
	texts, _ = a.Texts()
	texts = slices.DeleteFunc(texts, func(i int) bool { return b.Rows[i] == 0 })
	for positive < len(texts) && texts[positive] < a.Positive {
		positive++
	}
	return texts, positive
}
