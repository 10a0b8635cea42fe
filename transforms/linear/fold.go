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

	h   int       // rows held out
	sst []float64 // their Σ(y − ȳ)²
	rt  []float64 // [order×h], Rᵀ
	y   []float64 // [h×e]

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
		f.sst = held.total()
		f.held = held.shift(px, py, nil)
		if scale != nil {
			f.held.divide(scale)
		}
		return f, nil
	}
	x, y, err := r.folds.Rows(k)
	if err != nil {
		return nil, err
	}
	if len(x) != h*d || len(y) != h*mo.e {
		return nil, fmt.Errorf("%d and %d values in %d rows of %d and %d", len(x), len(y), h, d, mo.e)
	}
	f.rt, f.y = r.scratch.held.of(d*h), less(y, mo.py, nil)
	f.sst = columnSquares(f.y, f.e)
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

// openRows prepares a fold from the rows of all.
func (r *rounds) openRows(k int) (*fold, error) {
	if r.rows == nil {
		var err error
		if r.rows, err = gather(r.folds); err != nil {
			return nil, err
		}
	}
	d, e := r.rows.D, r.rows.E
	var train, held Table
	for i, at := range r.rows.Fold {
		t := &train
		if at == k {
			t = &held
		}
		t.X = append(t.X, r.rows.X[i*d:(i+1)*d]...)
		t.Y = append(t.Y, r.rows.Y[i*e:(i+1)*e]...)
	}
	n, h := len(train.X)/d, len(held.X)/d
	px, py := make([]float64, d), make([]float64, e)
	if r.spec.Centre {
		px, py = columnMeans(train.X, d), columnMeans(train.Y, e)
	}
	var scale []float64
	if r.spec.Method == Standardised {
		scale = columnScales(train.X, px)
	}
	x, x0 := less(train.X, px, scale), less(held.X, px, scale)
	f := &fold{order: n, e: e, q: less(train.Y, py, nil), lacking: true, h: h, y: less(held.Y, py, nil),
		s: make([]float64, n*n), rt: make([]float64, n*h)}
	blas64.Syrk(blas.NoTrans, 1, general(n, d, x), 0, upperOf(n, f.s))
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, general(n, d, x), general(h, d, x0), 0, general(n, h, f.rt))
	f.sst, f.trace = columnSquares(f.y, e), trace(f.s, n)
	f.mean = f.trace / float64(d)
	return f, nil
}

// gather brings the rows of all folds into memory.
func gather(f Folds) (*Table, error) {
	t := &Table{}
	t.D, t.E = f.Shape()
	for k, n := range f.Sizes() {
		x, y, err := f.Rows(k)
		if err != nil {
			return nil, err
		}
		if len(x) != n*t.D || len(y) != n*t.E {
			return nil, fmt.Errorf("fold %d: %d and %d values in %d rows of %d and %d", k, len(x), len(y), n, t.D, t.E)
		}
		t.X, t.Y = append(t.X, x...), append(t.Y, y...)
		for range n {
			t.Fold = append(t.Fold, k)
		}
	}
	return t, nil
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

func columnMeans(rows []float32, width int) []float64 {
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
		if sum[j] <= float64(n)*0x1p-52*squares[j] {
			sum[j] = 1
		} else {
			sum[j] = rootMean(sum[j], n)
		}
	}
	return sum
}

func rootMean(sum float64, n int) float64 { return math.Sqrt(sum / float64(n)) }
