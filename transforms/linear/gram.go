package linear

import (
	"fmt"
	"math"
)

// A Gram holds what a linear fit needs to know about paired rows x [D], y [E]: their number, the
// products XᵀX and XᵀY, the diagonal of YᵀY and the column sums. It is exact: a map, and the
// error of any map on these rows, follow from it without the rows. Memory is 8·D·(D+E) bytes,
// whatever the number of rows.
//
// The products are about zero, not about the mean. Centring afterwards loses about
// 2·log₁₀(|mean|/spread) of the sixteen digits of a float64, which is 2 or 3 for residual streams
// that are mostly their mean.
type Gram struct {
	D, E int
	N    int
	XtX  []float64 // [D×D] row-major, symmetric
	XtY  []float64 // [D×E] row-major
	YtY  []float64 // [E], the diagonal only
	SumX []float64 // [D]
	SumY []float64 // [E]
}

// blockRows is how many rows one matrix product takes: large enough that the product and not the
// conversion to float64 decides the time, small enough (16 MiB at 4096 columns) to stay in memory.
const blockRows = 512

// NewGram returns the empty Gram of d source and e target dimensions. It panics unless both are
// positive.
func NewGram(d, e int) *Gram {
	if d <= 0 || e <= 0 {
		panic(fmt.Sprintf("linear: Gram of %d × %d dimensions", d, e))
	}
	return &Gram{
		D: d, E: e,
		XtX: make([]float64, d*d), XtY: make([]float64, d*e), YtY: make([]float64, e),
		SumX: make([]float64, d), SumY: make([]float64, e),
	}
}

// Add adds paired rows, x [n×D] and y [n×E]. It returns an error, and leaves g as it was, if the
// lengths do not belong to the same number of rows or a value is not finite.
func (g *Gram) Add(x, y []float32) error {
	n, err := pairedRows(g.D, g.E, x, y)
	if err != nil {
		return fmt.Errorf("gram: %w", err)
	}
	xs := make([]float64, min(n, blockRows)*g.D)
	ys := make([]float64, min(n, blockRows)*g.E)
	for from := 0; from < n; from += blockRows {
		rows := min(blockRows, n-from)
		bx, by := xs[:rows*g.D], ys[:rows*g.E]
		widen(bx, x[from*g.D:])
		widen(by, y[from*g.E:])
		addTransposed(g.XtX, bx, bx, rows, g.D, g.D)
		addTransposed(g.XtY, bx, by, rows, g.D, g.E)
		addColumns(g.SumX, bx)
		addColumns(g.SumY, by)
		addSquares(g.YtY, by)
	}
	g.N += n
	return nil
}

// pairedRows returns how many rows x [n×d] and y [n×e] hold, or what is wrong with them.
func pairedRows(d, e int, x, y []float32) (int, error) {
	n := len(x) / d
	if len(x) != n*d || len(y) != n*e {
		return 0, fmt.Errorf("%d and %d values are not rows of %d and %d", len(x), len(y), d, e)
	}
	if i := notFinite(x); i >= 0 {
		return 0, fmt.Errorf("source row %d, dimension %d is %v", i/d, i%d, x[i])
	}
	if i := notFinite(y); i >= 0 {
		return 0, fmt.Errorf("target row %d, dimension %d is %v", i/e, i%e, y[i])
	}
	return n, nil
}

// notFinite returns the first index of a NaN or infinity, or -1.
func notFinite(v []float32) int {
	for i, f := range v {
		if f-f != 0 {
			return i
		}
	}
	return -1
}

func widen(dst []float64, src []float32) {
	for i := range dst {
		dst[i] = float64(src[i])
	}
}

// addColumns adds the column sums of rows [n×len(sum)] to sum.
func addColumns(sum, rows []float64) {
	for ; len(rows) > 0; rows = rows[len(sum):] {
		for j := range sum {
			sum[j] += rows[j]
		}
	}
}

// addSquares adds the column sums of squares of rows [n×len(sum)] to sum.
func addSquares(sum, rows []float64) {
	for ; len(rows) > 0; rows = rows[len(sum):] {
		for j := range sum {
			sum[j] += rows[j] * rows[j]
		}
	}
}

// Merge adds o to g. Sums of floating-point numbers depend on their order, so callers merge in a
// fixed order (shard index) to get the same bits every time.
func (g *Gram) Merge(o *Gram) error {
	if g.D != o.D || g.E != o.E {
		return fmt.Errorf("gram: merge %d×%d into %d×%d", o.D, o.E, g.D, g.E)
	}
	g.N += o.N
	for _, p := range [][2][]float64{
		{g.XtX, o.XtX}, {g.XtY, o.XtY}, {g.YtY, o.YtY}, {g.SumX, o.SumX}, {g.SumY, o.SumY},
	} {
		for i, v := range p[1] {
			p[0][i] += v
		}
	}
	return nil
}

// Sum merges grams in the order given into a new Gram. It needs at least one.
func Sum(grams []*Gram) (*Gram, error) {
	if len(grams) == 0 {
		return nil, fmt.Errorf("gram: nothing to sum")
	}
	total := NewGram(grams[0].D, grams[0].E)
	for _, g := range grams {
		if err := total.Merge(g); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// flatHeader is the length of what stands before the products in [Gram.Flat]: N, D, E.
const flatHeader = 3

// flatLen returns the length of the flat form of a d × e Gram.
func flatLen(d, e int) int { return flatHeader + d*(d+1)/2 + d*e + e + d + e }

// Flat returns g as one vector: N, D, E, the upper triangle of XᵀX by rows, XᵀY by rows, the
// diagonal of YᵀY, the sums of X, the sums of Y. [FromFlat] reads it back to the bit.
func (g *Gram) Flat() []float64 {
	out := make([]float64, 0, flatLen(g.D, g.E))
	out = append(out, float64(g.N), float64(g.D), float64(g.E))
	for i := range g.D {
		out = append(out, g.XtX[i*g.D+i:(i+1)*g.D]...)
	}
	for _, p := range [][]float64{g.XtY, g.YtY, g.SumX, g.SumY} {
		out = append(out, p...)
	}
	return out
}

// FromFlat reads what [Gram.Flat] wrote. Anything else (counts that are not whole, a wrong
// length, a value that is not finite) is an error.
func FromFlat(flat []float64) (*Gram, error) {
	n, d, e, err := readHeader(flat)
	if err != nil {
		return nil, fmt.Errorf("gram: %w", err)
	}
	if want := flatLen(d, e); len(flat) != want {
		return nil, fmt.Errorf("gram: %d values for %d × %d dimensions, want %d", len(flat), d, e, want)
	}
	g := NewGram(d, e)
	g.N = n
	rest := flat[flatHeader:]
	for i := range d {
		for j := i; j < d; j++ {
			g.XtX[i*d+j], g.XtX[j*d+i] = rest[j-i], rest[j-i]
		}
		rest = rest[d-i:]
	}
	for _, p := range [][]float64{g.XtY, g.YtY, g.SumX, g.SumY} {
		rest = rest[copy(p, rest):]
	}
	return g, nil
}

// readHeader returns what stands before the products, or what is wrong with flat.
func readHeader(flat []float64) (n, d, e int, err error) {
	if len(flat) < flatHeader {
		return 0, 0, 0, fmt.Errorf("%d values are too few for a header", len(flat))
	}
	for i, v := range flat {
		if v-v != 0 {
			return 0, 0, 0, fmt.Errorf("value %d is %v", i, v)
		}
	}
	for i, v := range flat[:flatHeader] {
		if v != math.Trunc(v) || v < 0 || v > 1<<40 || i > 0 && (v < 1 || v > 1<<20) {
			return 0, 0, 0, fmt.Errorf("header value %d is %v", i, v)
		}
	}
	return int(flat[0]), int(flat[1]), int(flat[2]), nil
}
