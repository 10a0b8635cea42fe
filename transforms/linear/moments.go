package linear

import (
	"gonum.org/v1/gonum/mat"
)

// moments are the second moments of a Gram about two points, one per side:
//
//	xx [d×d] = Σ (x−px)(x−px)ᵀ
//	xy [d×e] = Σ (x−px)(y−py)ᵀ
//	yy [e]   = Σ (y−py)²
type moments struct {
	n      int
	xx     *mat.SymDense
	xy     *mat.Dense
	yy     []float64
	px, py []float64
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

// centre returns the moments of g about its own means if centred, else about zero.
func (g *Gram) centre(centred bool) *moments {
	if centred {
		mx, my := g.means()
		return g.about(mx, my)
	}
	return g.about(make([]float64, g.D), make([]float64, g.E))
}

// about returns the moments of g about px and py:
//
//	Σ(x−p)(y−q)ᵀ = XᵀY − p·(Σy)ᵀ − (Σx)·qᵀ + n·p·qᵀ
func (g *Gram) about(px, py []float64) *moments {
	n := float64(g.N)
	m := &moments{
		n: g.N, px: px, py: py,
		xx: mat.NewSymDense(g.D, nil), xy: mat.NewDense(g.D, g.E, nil), yy: make([]float64, g.E),
	}
	for i := range g.D {
		for j := i; j < g.D; j++ {
			m.xx.SetSym(i, j, g.XtX[i*g.D+j]-px[i]*g.SumX[j]-g.SumX[i]*px[j]+n*px[i]*px[j])
		}
		row := m.xy.RawRowView(i)
		for j := range row {
			row[j] = g.XtY[i*g.E+j] - px[i]*g.SumY[j] - g.SumX[i]*py[j] + n*px[i]*py[j]
		}
	}
	for j := range m.yy {
		m.yy[j] = max(0, g.YtY[j]-2*py[j]*g.SumY[j]+n*py[j]*py[j])
	}
	return m
}

// meanDiagonal returns tr(xx)/d, the unit of a relative penalty.
func (m *moments) meanDiagonal() float64 { return mat.Trace(m.xx) / float64(m.xx.SymmetricDim()) }

// Spectrum returns the eigenvalues of the covariance of the source activations (divisor N), or
// without centre of their second moment, in decreasing order. Values that rounding made negative
// are 0. ok is false if g is empty or the iteration does not converge.
func (g *Gram) Spectrum(centre bool) (values []float64, ok bool) {
	if g.N == 0 {
		return nil, false
	}
	var eig mat.EigenSym
	if !eig.Factorize(g.centre(centre).xx, false) {
		return nil, false
	}
	values = eig.Values(nil)
	for i, j := 0, len(values)-1; i < j; i, j = i+1, j-1 {
		values[i], values[j] = values[j], values[i]
	}
	for i := range values {
		values[i] = max(0, values[i]) / float64(g.N)
	}
	return values, true
}
