package linear

import (
	"slices"

	"github.com/persona-transfer/runpipeline/transforms/linear/kernel"
)

// moments are the second moments of paired rows about two points, one per side:
//
//	xx [d×d] = Σ (x−px)(x−px)ᵀ, of which the upper triangle counts
//	xy [d×e] = Σ (x−px)(y−py)ᵀ
//	yy [e]   = Σ (y−py)²
type moments struct {
	n, d, e int
	xx, xy  []float64
	yy      []float64
	px, py  []float64
}

// means returns the column means of g, which has at least one row.
func (g *Gram) means() (mx, my []float64) {
	mx, my = make([]float64, g.D), make([]float64, g.E)
	for i, s := range g.SumX {
		mx[i] = s / float64(g.N)
	}
	for i, s := range g.SumY {
		my[i] = s / float64(g.N)
	}
	return mx, my
}

// points are where a map is fitted about: the means if centred, else zero.
func (g *Gram) points(centred bool) (px, py []float64) {
	if centred {
		return g.means()
	}
	return make([]float64, g.D), make([]float64, g.E)
}

// clone is a copy of g.
func (g *Gram) clone() *Gram {
	return &Gram{D: g.D, E: g.E, N: g.N, XtX: slices.Clone(g.XtX), XtY: slices.Clone(g.XtY), YtY: slices.Clone(g.YtY),
		SumX: slices.Clone(g.SumX), SumY: slices.Clone(g.SumY)}
}

// rounding is what rounding may have done to the sums of squares of each source column: equal terms are rounded
// alike, so up to n·2⁻⁵² of the sum. (scikit-learn's StandardScaler, which has the rows, allows Σ(x−x̄)² ≤
// n·(n·2⁻⁵²·x̄)² only.)
func (g *Gram) rounding() []float64 {
	out := make([]float64, g.D)
	for i := range out {
		out[i] = roundingOf(g.XtX[i*g.D+i], g.N)
	}
	return out
}

// targetRounding is the same of each target column.
func (g *Gram) targetRounding() []float64 {
	out := make([]float64, g.E)
	for j, squares := range g.YtY {
		out[j] = roundingOf(squares, g.N)
	}
	return out
}

func roundingOf(squares float64, n int) float64 { return float64(n) * 0x1p-52 * squares }

// shift turns the sums of g into the moments about px and py, in their place: g is of no use after it.
//
//	Σ(x−p)(y−q)ᵀ = XᵀY − p·(Σy)ᵀ − (Σx)·qᵀ + n·p·qᵀ
//
// A source column whose squares are no more than rounding does not vary, and becomes zero.
func (g *Gram) shift(px, py, rounding []float64) *moments {
	n := float64(g.N)
	m := &moments{n: g.N, d: g.D, e: g.E, xx: g.XtX, xy: g.XtY, yy: g.squaresAbout(py), px: px, py: py}
	kernel.Each(g.D, float64(g.D)*float64(g.D+g.E), func(i int) {
		p, row, sum := px[i], m.xx[i*g.D:(i+1)*g.D], g.SumX[i]
		np := n * p
		for j := i; j < g.D; j++ {
			row[j] += px[j]*(np-sum) - p*g.SumX[j]
		}
		row = m.xy[i*g.E : (i+1)*g.E]
		for j := range row {
			row[j] += py[j]*(np-sum) - p*g.SumY[j]
		}
	})
	for i, r := range rounding {
		if m.xx[i*m.d+i] <= r {
			m.silence(i)
		}
	}
	return m
}

// moments are those that a map is fitted on, in the place of g.
func (g *Gram) moments(centred bool) *moments {
	rounding := g.rounding()
	px, py := g.points(centred)
	return g.shift(px, py, rounding)
}

// silence makes zeros of source column i.
func (m *moments) silence(i int) {
	for k := range i {
		m.xx[k*m.d+i] = 0
	}
	clear(m.xx[i*m.d+i : (i+1)*m.d])
	clear(m.xy[i*m.e : (i+1)*m.e])
}

// squaresAbout is Σ(y−py)² per target dimension.
func (g *Gram) squaresAbout(py []float64) []float64 {
	yy, n := make([]float64, g.E), float64(g.N)
	for j, p := range py {
		yy[j] = max(0, g.YtY[j]-2*p*g.SumY[j]+n*p*p)
	}
	return yy
}

// total is Σ(y−ȳ)² per target dimension.
func (g *Gram) total() []float64 {
	_, my := g.means()
	return g.squaresAbout(my)
}

// trace is tr(xx).
func (m *moments) trace() float64 { return trace(m.xx, m.d) }

func trace(a []float64, n int) float64 {
	sum := 0.0
	for i := range n {
		sum += a[i*n+i]
	}
	return sum
}

// standardise divides the source by the root of its mean squares, column by column, and returns what it
// divided by. Columns that do not vary keep their unit, as in scikit-learn's StandardScaler.
func (m *moments) standardise() (scale []float64) {
	scale = make([]float64, m.d)
	for i := range scale {
		if scale[i] = rootMean(m.xx[i*m.d+i], m.n); !(scale[i] > 0) {
			scale[i] = 1
		}
	}
	m.divide(scale)
	return scale
}

// divide divides the source column by column.
func (m *moments) divide(scale []float64) {
	for i, s := range scale {
		row := m.xx[i*m.d : (i+1)*m.d]
		for j := i; j < m.d; j++ {
			row[j] /= s * scale[j]
		}
		row = m.xy[i*m.e : (i+1)*m.e]
		for j := range row {
			row[j] /= s
		}
	}
}

// mirror copies the upper triangle of a [n×n] below it.
func mirror(a []float64, n int) {
	const block = 32 // rows and columns at a time, so that both stay in the cache
	for i := 0; i < n; i += block {
		for j := i; j < n; j += block {
			for r := i; r < min(i+block, n); r++ {
				for c := max(j, r+1); c < min(j+block, n); c++ {
					a[c*n+r] = a[r*n+c]
				}
			}
		}
	}
}
