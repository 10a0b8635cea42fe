package linear

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/persona-transfer/runpipeline/transforms/linear/kernel"
)

// A fold is a set of rows that is held out, and what a method that is linear in the targets has learned from the
// others. Its predictions at a penalty λ are
//
//	Ŷ = R·(S + λI)⁻¹·Q,
//
// with, X and Y being the other rows about their means and X₀ the held-out ones about the same means, either
// S = XᵀX, Q = XᵀY, R = X₀, or, where there are fewer rows than dimensions, S = XXᵀ, Q = Y, R = X₀Xᵀ: the same
// map, seen from the rows (Saunders, Gammerman & Vovk 1998).
type fold struct {
	order, e int // of S, and target dimensions
	mean     float64
	trace    float64
	s        []float64 // [order×order], the upper triangle
	q        []float64 // [order×e]
	lacking  bool      // X has dimensions that S knows nothing of, all of eigenvalue zero

	h        int       // rows held out
	sst      []float64 // their Σ(y − ȳ)²
	rounding []float64 // of sums of squares of their targets
	rt       []float64 // [order×h], Rᵀ
	y        []float64 // [h×e]

	held *moments // in place of rt and y: of the held-out rows about the others' means
}

// open prepares a fold from the sums of train, in their place, and of the held-out rows, or from these themselves.
func (r *rounds) open(train *Gram, k int, held *Gram) (*fold, error) {
	px, py := train.points(r.spec.Centre)
	mo := train.shift(px, py, r.rounding)
	var scale []float64
	if r.spec.Method == Standardised {
		scale = mo.standardise()
	}
	d, h := mo.d, r.sizes[k]
	f := &fold{order: d, e: mo.e, trace: mo.trace(), s: mo.xx, q: mo.xy, h: h}
	f.mean = f.trace / float64(d)
	if held != nil {
		f.sst, f.rounding = held.total(), held.targetRounding()
		f.held = held.shift(px, py, nil)
		if scale != nil {
			f.held.divide(scale)
		}
		return f, nil
	}
	rows, err := r.read(k)
	if err != nil {
		return nil, err
	}
	x := rows.x
	f.rt, f.y = r.scratch.held.of(d*h), less(rows.y, mo.py, nil)
	f.sst, f.rounding = columnSquares(f.y, f.e), columnRounding(rows.y, f.e)
	const some = 16 // columns at a time, so that both sides of the transposition stay in the cache
	kernel.Each((d+some-1)/some, float64(len(x)), func(t int) {
		for i := range h {
			for j := t * some; j < min((t+1)*some, d); j++ {
				c := float64(x[i*d+j]) - mo.px[j]
				if scale != nil {
					c /= scale[j]
				}
				f.rt[j*h+i] = c
			}
		}
	})
	return f, nil
}

// openRows prepares fold k from its rows and those of the folds that are fitted on.
func (r *rounds) openRows(train []int, k int) (*fold, error) {
	d, e := r.folds.Shape()
	var fitted pairs
	for _, other := range train {
		p, err := r.rowsOf(other)
		if err != nil {
			return nil, err
		}
		fitted.x, fitted.y = append(fitted.x, p.x...), append(fitted.y, p.y...)
	}
	held, err := r.rowsOf(k)
	if err != nil {
		return nil, err
	}
	n, h := len(fitted.x)/d, len(held.x)/d
	px, py := make([]float64, d), make([]float64, e)
	if r.spec.Centre {
		px, py = MeanRow(fitted.x, d), MeanRow(fitted.y, e)
	}
	var scale []float64
	if r.spec.Method == Standardised {
		scale = columnScales(fitted.x, px)
	}
	x, x0 := less(fitted.x, px, scale), less(held.x, px, scale)
	f := &fold{order: n, e: e, q: less(fitted.y, py, nil), lacking: true, h: h, y: less(held.y, py, nil),
		s: make([]float64, n*n), rt: make([]float64, n*h)}
	blas64.Syrk(blas.NoTrans, 1, general(n, d, x), 0, upperOf(n, f.s))
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, general(n, d, x), general(h, d, x0), 0, general(n, h, f.rt))
	f.sst, f.rounding, f.trace = columnSquares(f.y, e), columnRounding(held.y, e), trace(f.s, n)
	f.mean = f.trace / float64(d)
	return f, nil
}

// pairs are rows of both sides.
type pairs struct{ x, y []float32 }

// rowsOf are the rows of a fold, which are kept.
func (r *rounds) rowsOf(k int) (p pairs, err error) {
	if r.rows == nil {
		r.rows = make([]pairs, len(r.sizes))
	}
	if r.rows[k].x == nil {
		r.rows[k], err = r.read(k)
	}
	return r.rows[k], err
}

// read asks for the rows of a fold, and checks them.
func (r *rounds) read(k int) (p pairs, err error) {
	d, e := r.folds.Shape()
	if p.x, p.y, err = r.folds.Rows(k); err != nil {
		return pairs{}, err
	}
	if n := r.sizes[k]; len(p.x) != n*d || len(p.y) != n*e {
		return pairs{}, fmt.Errorf("%d and %d values in %d rows of %d and %d", len(p.x), len(p.y), n, d, e)
	}
	return p, nil
}

// less returns rows − p, column by column, divided by scale if there is one.
func less(rows []float32, p, scale []float64) []float64 {
	out := make([]float64, len(rows))
	kernel.Each(len(rows)/len(p), float64(len(rows)), func(i int) {
		line := out[i*len(p) : (i+1)*len(p)]
		for j, v := range rows[i*len(p) : (i+1)*len(p)] {
			line[j] = float64(v) - p[j]
		}
		for j, s := range scale {
			line[j] /= s
		}
	})
	return out
}

// columnSquares is Σ(y − ȳ)² per column.
func columnSquares(y []float64, width int) []float64 {
	mean := make([]float64, width)
	addColumns(mean, y)
	for j := range mean {
		mean[j] /= float64(len(y) / width)
	}
	sum := make([]float64, width)
	for ; len(y) > 0; y = y[width:] {
		for j, m := range mean {
			c := y[j] - m
			sum[j] += c * c
		}
	}
	return sum
}

// MeanRow is the mean of rows [n×width], of which there is one at least, accumulated in float64.
func MeanRow(rows []float32, width int) []float64 {
	sum := make([]float64, width)
	for i, v := range rows {
		sum[i%width] += float64(v)
	}
	for j := range sum {
		sum[j] /= float64(len(rows) / width)
	}
	return sum
}

// columnScales is what [moments.standardise] divides by.
func columnScales(rows []float32, p []float64) []float64 {
	sum, squares := make([]float64, len(p)), make([]float64, len(p))
	for i, v := range rows {
		c := float64(v) - p[i%len(p)]
		sum[i%len(p)] += c * c
		squares[i%len(p)] += float64(v) * float64(v)
	}
	n := len(rows) / len(p)
	for j := range sum {
		if sum[j] <= roundingOf(squares[j], n) {
			sum[j] = 1
		} else {
			sum[j] = rootMean(sum[j], n)
		}
	}
	return sum
}

// columnRounding is what [Gram.targetRounding] is.
func columnRounding(rows []float32, width int) []float64 {
	squares := make([]float64, width)
	for i, v := range rows {
		squares[i%width] += float64(v) * float64(v)
	}
	for j := range squares {
		squares[j] = roundingOf(squares[j], len(rows)/width)
	}
	return squares
}

func rootMean(sum float64, n int) float64 { return math.Sqrt(sum / float64(n)) }
