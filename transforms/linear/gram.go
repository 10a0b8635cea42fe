package linear

import (
	"fmt"
	"math"
	"sync"

	"github.com/persona-transfer/runpipeline/transforms/linear/kernel"
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
	XtX  []float64 // [D×D] row-major, symmetric: the upper triangle counts, what is below is not kept
	XtY  []float64 // [D×E] row-major
	YtY  []float64 // [E], the diagonal only
	SumX []float64 // [D]
	SumY []float64 // [E]
}

// blockRows is how many rows one matrix product takes: large enough that the product and not the
// conversion to float64 decides the time, small enough (16 MiB at 4096 columns) to stay in memory.
const blockRows = 512

// blocks are rows of both sides in float64.
var blocks = sync.Pool{New: func() any { return new([2]buffer) }}

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
	room := blocks.Get().(*[2]buffer)
	defer blocks.Put(room)
	xs, ys := room[0].of(min(n, blockRows)*g.D), room[1].of(min(n, blockRows)*g.E)
	for from := 0; from < n; from += blockRows {
		rows := min(blockRows, n-from)
		bx, by := xs[:rows*g.D], ys[:rows*g.E]
		widen(bx, x[from*g.D:])
		widen(by, y[from*g.E:])
		addSquare(g.XtX, bx, rows, g.D)
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
	from := o.parts()
	for p, into := range g.parts() {
		addAll(into, from[p])
	}
	return nil
}

// reset forgets all rows.
func (g *Gram) reset() {
	g.N = 0
	for _, p := range g.parts() {
		clear(p)
	}
}

// set makes g what o is.
func (g *Gram) set(o *Gram) {
	g.N = o.N
	from := o.parts()
	for p, into := range g.parts() {
		inChunks(len(into), func(begin, end int) { copy(into[begin:end], from[p][begin:end]) })
	}
}

// complement makes g the sums of the rows of all that are not in g.
func (g *Gram) complement(all *Gram) {
	g.N = all.N - g.N
	from := all.parts()
	for p, into := range g.parts() {
		inChunks(len(into), func(begin, end int) {
			into := into[begin:end]
			for i, v := range from[p][begin:end] {
				into[i] = v - into[i]
			}
		})
	}
}

// inChunks goes through n values on all processors.
func inChunks(n int, do func(begin, end int)) {
	const chunk = 1 << 18
	kernel.Each((n+chunk-1)/chunk, float64(n), func(t int) { do(t*chunk, min(n, (t+1)*chunk)) })
}

// Complement makes g the sums of the rows of all that are not in g, which are among them. Subtracting loses what the
// ratio of the two numbers of rows amounts to: nothing next to the other losses, unless few rows are left.
func (g *Gram) Complement(all *Gram) error {
	if g.D != all.D || g.E != all.E || all.N < g.N {
		return fmt.Errorf("gram: %d rows of %d×%d without %d of %d×%d", all.N, all.D, all.E, g.N, g.D, g.E)
	}
	g.complement(all)
	return nil
}

// parts are the sums, in the order of [Gram.Flat] but for the triangle.
func (g *Gram) parts() [][]float64 { return [][]float64{g.XtX, g.XtY, g.YtY, g.SumX, g.SumY} }

// flatHeader is the length of what stands before the products in [Gram.Flat]: N, D, E.
const flatHeader = 3

// flatLen returns the length of the flat form of a d × e Gram.
func flatLen(d, e int) int { return flatHeader + d*(d+1)/2 + d*e + e + d + e }

// Flat returns g as one vector: N, D, E, the upper triangle of XᵀX by rows, XᵀY by rows, the
// diagonal of YᵀY, the sums of X, the sums of Y. [Gram.MergeFlat] reads it back to the bit.
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

// MergeFlat is [Gram.Merge] of a Gram that [Gram.Flat] wrote. Anything else (counts that are not whole, a wrong
// length, a value that is not finite) is an error, and leaves g as it was.
func (g *Gram) MergeFlat(flat []float64) error {
	n, d, e, err := readHeader(flat)
	if err != nil {
		return fmt.Errorf("gram: %w", err)
	}
	if d != g.D || e != g.E || len(flat) != flatLen(d, e) {
		return fmt.Errorf("gram: %d values for %d × %d dimensions, want %d for %d × %d", len(flat), d, e, flatLen(g.D, g.E), g.D, g.E)
	}
	g.N += n
	rest := flat[flatHeader:]
	for i := range d {
		rest = addAll(g.XtX[i*d+i:(i+1)*d], rest)
	}
	for _, p := range g.parts()[1:] {
		rest = addAll(p, rest)
	}
	return nil
}

// addAll adds the first values of from, and gives the rest.
func addAll(to, from []float64) (rest []float64) {
	for i := range to {
		to[i] += from[i]
	}
	return from[len(to):]
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
