package linear

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

var centredRidge = Spec{Method: Ridge, Centre: true, Lambda: 0.01, Unit: Relative}

// seedOf makes a 32-byte seed of a small number.
func seedOf(n byte) (seed [32]byte) { seed[0] = n; return seed }

// normals draws n standard normal float32 values.
func normals(n int, seed byte) []float32 {
	r := rand.New(rand.NewChaCha8(seedOf(seed)))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

// planted returns rows x [n×d] of uneven scale and non-zero mean, and y = xW + b + noise [n×e].
func planted(n, d, e int, noise float64, seed byte) (x, y []float32, w *mat.Dense) {
	x = normals(n*d, seed)
	for i := range x {
		x[i] = x[i]*float32(1+i%d%7) + float32(i%d%5)
	}
	w = mat.NewDense(d, e, nil)
	for i, v := range normals(d*e, seed+1) {
		w.Set(i/e, i%e, float64(v))
	}
	y = normals(n*e, seed+2)
	for i := range n {
		for j := range e {
			sum := float64(y[i*e+j])*noise + float64(j)
			for k := range d {
				sum += float64(x[i*d+k]) * w.At(k, j)
			}
			y[i*e+j] = float32(sum)
		}
	}
	return x, y, w
}

func gramOf(t testing.TB, d, e int, x, y []float32) *Gram {
	t.Helper()
	g := NewGram(d, e)
	if err := g.Add(x, y); err != nil {
		t.Fatal(err)
	}
	return g
}

func dense(rows, cols int, v []float32) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	widen(m.RawMatrix().Data, v)
	return m
}

// centred returns m less its column means.
func centred(m *mat.Dense) *mat.Dense {
	out := mat.DenseCopyOf(m)
	r, c := m.Dims()
	for j := range c {
		mean := 0.0
		for i := range r {
			mean += m.At(i, j) / float64(r)
		}
		for i := range r {
			out.Set(i, j, m.At(i, j)-mean)
		}
	}
	return out
}

func fit(t testing.TB, g *Gram, spec Spec) *Map {
	t.Helper()
	m, err := Fit(g, spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// At the minimum the gradient Xᵀ(XW − Y) + λW is zero.
func TestRidgeIsStationary(t *testing.T) {
	const n, d, e = 200, 16, 12
	rx, ry, _ := planted(n, d, e, 1, 1)
	g := gramOf(t, d, e, rx, ry)
	for _, centre := range []bool{true, false} {
		x, y := dense(n, d, rx), dense(n, e, ry)
		if centre {
			x, y = centred(x), centred(y)
		}
		for _, lambda := range []float64{0, 1e-6, 1, 1e6} {
			m := fit(t, g, Spec{Method: Ridge, Centre: centre, Lambda: lambda, Unit: Absolute})
			w := mat.NewDense(d, e, m.W)
			var resid, grad, shrink mat.Dense
			resid.Mul(x, w)
			resid.Sub(&resid, y)
			grad.Mul(x.T(), &resid)
			shrink.Scale(lambda, w)
			grad.Add(&grad, &shrink)
			// Rounding in an n-term dot product is at most about n·ε·‖X‖·‖Y‖; solving multiplies
			// it by at most the condition of the problem, here below 100.
			tol := 100 * n * 0x1p-52 * mat.Norm(x, 2) * mat.Norm(y, 2)
			if got := mat.Norm(&grad, 2); got > tol {
				t.Errorf("centre %t, λ=%g: gradient %.2e, want ≤ %.2e", centre, lambda, got, tol)
			}
		}
	}
}

// Scaling the source by c scales W by 1/c under a relative penalty, and scaling the target by c
// scales W by c under any. Powers of two make both exact up to the solver's own rounding.
func TestRidgeScales(t *testing.T) {
	const n, d, e = 150, 9, 11
	x, y, _ := planted(n, d, e, 1, 4)
	spec := Spec{Method: Ridge, Centre: true, Lambda: 0.3, Unit: Relative}
	base := fit(t, gramOf(t, d, e, x, y), spec)
	for _, method := range []Method{Ridge, Standardised} {
		spec.Method = method
		base = fit(t, gramOf(t, d, e, x, y), spec)
		bigger := fit(t, gramOf(t, d, e, scaled(x, 4), scaled(y, 8)), spec)
		for i, w := range base.W {
			if got, want := bigger.W[i], 2*w; math.Abs(got-want) > 1e-9*math.Abs(want)+1e-12 {
				t.Fatalf("%s: W[%d] = %g after scaling, want %g", method, i, got, want)
			}
		}
	}
	if got, want := base.N, n; got != want {
		t.Errorf("N = %d, want %d", got, want)
	}
}

func scaled(v []float32, c float32) []float32 {
	out := slices.Clone(v)
	for i := range out {
		out[i] *= c
	}
	return out
}

// rotation returns a random orthogonal matrix [d×d].
func rotation(d int, seed byte) *mat.Dense {
	var qr mat.QR
	qr.Factorize(dense(d, d, normals(d*d, seed)))
	var q mat.Dense
	qr.QTo(&q)
	return &q
}

func flat32(m mat.Matrix) []float32 {
	r, c := m.Dims()
	out := make([]float32, 0, r*c)
	for i := range r {
		for j := range c {
			out = append(out, float32(m.At(i, j)))
		}
	}
	return out
}

// Rotating the source by Q turns W into QᵀW, and rotating the target by R turns it into WR: ridge
// and Procrustes do not see the basis. (Standardised ridge does, which is its purpose.)
func TestMapsAreRotationEquivariant(t *testing.T) {
	const n, d, e = 300, 8, 10
	x, y, _ := planted(n, d, e, 1, 7)
	q, r := rotation(d, 10), rotation(e, 11)
	var xq, yr mat.Dense
	xq.Mul(dense(n, d, x), q)
	yr.Mul(dense(n, e, y), r)
	for _, method := range []Method{Ridge, OLS, Procrustes, LowRank} {
		spec := Spec{Method: method, Centre: true, Lambda: 0.1, Unit: Relative, Rank: 3}
		plain := fit(t, gramOf(t, d, e, x, y), spec)
		turned := fit(t, gramOf(t, d, e, flat32(&xq), flat32(&yr)), spec)
		var want mat.Dense
		want.Mul(q.T(), mat.NewDense(d, e, plain.W))
		want.Mul(&want, r)
		// The rotated rows are rounded to float32, 6e-8 relative of rows of size 30.
		for i := range turned.W {
			if got, w := turned.W[i], want.At(i/e, i%e); math.Abs(got-w) > 1e-5 {
				t.Fatalf("%s: W[%d] = %g after rotation, want %g", method, i, got, w)
			}
		}
	}
}

func TestFitRecoversPlantedMap(t *testing.T) {
	const n, d, e = 2000, 12, 15
	x, y, w := planted(n, d, e, 0, 13)
	g := gramOf(t, d, e, x, y)
	for _, spec := range []Spec{
		{Method: OLS, Centre: true},
		{Method: Ridge, Centre: true, Lambda: 1e-9, Unit: Relative},
		{Method: Standardised, Centre: true, Lambda: 1e-9, Unit: Relative},
		{Method: LowRank, Centre: true, Lambda: 1e-9, Unit: Relative, Rank: 99},
	} {
		m := fit(t, g, spec)
		for i := range m.W {
			// y is rounded to float32: 6e-8 of values below 100.
			if got, want := m.W[i], w.At(i/e, i%e); math.Abs(got-want) > 1e-5 {
				t.Fatalf("%s: W[%d] = %g, want %g", spec.Method, i, got, want)
			}
		}
		s, err := m.Goodness(g)
		if err != nil || s.R2 < 1-1e-9 {
			t.Errorf("%s: R² %g, %v, want 1", spec.Method, s.R2, err)
		}
	}
}

// Procrustes on y = c·xQ returns c·Q, for wider and for narrower targets.
func TestProcrustesRecoversRotationAndScale(t *testing.T) {
	const n, c = 500, 2.5
	for _, shape := range [][2]int{{6, 6}, {6, 9}} {
		d, e := shape[0], shape[1]
		x := normals(n*d, 17)
		q := mat.DenseCopyOf(rotation(max(d, e), 18).Slice(0, d, 0, e))
		var y mat.Dense
		y.Mul(dense(n, d, x), q)
		y.Scale(c, &y)
		m := fit(t, gramOf(t, d, e, x, flat32(&y)), Spec{Method: Procrustes, Centre: true})
		for i := range m.W {
			if got, want := m.W[i], c*q.At(i/e, i%e); math.Abs(got-want) > 1e-5 {
				t.Fatalf("%d×%d: W[%d] = %g, want %g", d, e, i, got, want)
			}
		}
	}
}

// The map of a rank is the one that is nearest to the whole (Eckart & Young): what gonum's singular value
// decomposition leaves of it. Wider and narrower targets go different ways.
func TestLowRankIsTheNearest(t *testing.T) {
	const n, rank = 300, 3
	for _, shape := range [][2]int{{9, 7}, {7, 9}} {
		d, e := shape[0], shape[1]
		x, y, _ := planted(n, d, e, 1, 21)
		g := gramOf(t, d, e, x, y)
		m := fit(t, g, Spec{Method: LowRank, Centre: true, Lambda: 0.01, Unit: Relative, Rank: rank})
		full := fit(t, g, Spec{Method: Ridge, Centre: true, Lambda: 0.01, Unit: Relative})
		var svd mat.SVD
		if !svd.Factorize(mat.NewDense(d, e, full.W), mat.SVDThin) {
			t.Fatal("no decomposition")
		}
		values := svd.Values(nil)
		var u, v mat.Dense
		svd.UTo(&u)
		svd.VTo(&v)
		for i := range d {
			for j := range e {
				want := 0.0
				for k := range rank {
					want += u.At(i, k) * values[k] * v.At(j, k)
				}
				if got := m.W[i*e+j]; math.Abs(got-want) > 1e-10*values[0] {
					t.Errorf("%d×%d: W[%d,%d] = %g, want %g", d, e, i, j, got, want)
				}
			}
		}
		for name, of := range map[string]*Map{"whole": full, "low rank": m} {
			got, err := of.Spectrum()
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range values {
				if of == m && i >= rank {
					want = 0
				}
				if math.Abs(got[i]-want) > 1e-10*values[0] {
					t.Errorf("%d×%d, %s: singular value %d = %g, want %g", d, e, name, i, got[i], want)
				}
			}
		}
	}
}

func TestDegreesOfFreedomMatchEigenvalues(t *testing.T) {
	const n, d, e = 100, 10, 3
	x, y, _ := planted(n, d, e, 1, 25)
	g := gramOf(t, d, e, x, y)
	var eig mat.EigenSym
	cx := centred(dense(n, d, x))
	var square mat.SymDense
	square.SymOuterK(1, cx.T())
	if !eig.Factorize(&square, false) {
		t.Fatal("no eigenvalues")
	}
	for _, lambda := range []float64{1e-4, 1, 100} {
		m := fit(t, g, Spec{Method: Ridge, Centre: true, Lambda: lambda, Unit: Relative})
		want := 0.0
		for _, s := range eig.Values(nil) {
			want += s / (s + m.Lambda)
		}
		if math.Abs(m.DegreesOfFreedom-want) > 1e-9*d {
			t.Errorf("λ=%g: %g degrees of freedom, want %g", lambda, m.DegreesOfFreedom, want)
		}
	}
}

// TestConditionOfPenalties: the condition is that of the matrix that is solved, (s₁ + λ)/(s₂ + λ) of its eigenvalues.
func TestConditionOfPenalties(t *testing.T) {
	g := gramOf(t, 2, 1, []float32{3, 0, 0, 1}, []float32{1, 1}) // XᵀX = diag(9, 1)
	for _, lambda := range []float64{0, 1, 7, 1e6} {
		m := fit(t, g, Spec{Method: Ridge, Lambda: lambda, Unit: Absolute})
		if want := (9 + lambda) / (1 + lambda); math.Abs(m.Condition-want) > 1e-12 {
			t.Errorf("λ=%g: condition %g, want %g", lambda, m.Condition, want)
		}
	}
}

func TestTooFewSamplesAreIllConditioned(t *testing.T) {
	const d, e = 10, 4
	x, y, _ := planted(8, d, e, 1, 27)
	g := gramOf(t, d, e, x, y)
	for _, spec := range []Spec{{Method: OLS, Centre: true}, {Method: Ridge, Unit: Absolute}, {Method: Ridge, Lambda: 1e-14, Unit: Relative}} {
		if m, err := Fit(g, spec); !errors.Is(err, ErrIllConditioned) || m != nil {
			t.Errorf("%+v: map %v, error %v, want ErrIllConditioned", spec, m, err)
		}
	}
	if _, err := Fit(NewGram(d, e), centredRidge); !errors.Is(err, ErrIllConditioned) {
		t.Errorf("empty Gram: %v, want ErrIllConditioned", err)
	}
	if _, err := Fit(g, Spec{Method: "magic", Lambda: -1, Unit: "inch"}); err == nil {
		t.Error("a wrong spec was accepted")
	}
}

func TestApplyLeavesTheMeansOut(t *testing.T) {
	const n, d, e = 300, 5, 6
	x, y, _ := planted(n, d, e, 0.1, 29)
	m := fit(t, gramOf(t, d, e, x, y), centredRidge)
	a, b := x[:d], x[d:2*d]
	pa, _ := m.Predict(a)
	pb, _ := m.Predict(b)
	diff := make([]float32, d)
	for i := range diff {
		diff[i] = a[i] - b[i]
	}
	got, err := m.Apply(diff)
	if err != nil {
		t.Fatal(err)
	}
	for j := range got {
		// Each prediction is rounded to float32 at a size of up to 100.
		if want := pa[j] - pb[j]; math.Abs(float64(got[j]-want)) > 1e-4 {
			t.Errorf("difference %d maps to %g, want %g", j, got[j], want)
		}
	}
	if _, err := m.Apply(diff[1:]); err == nil {
		t.Error("a vector of another width was accepted")
	}
	rows, cols, w := m.Matrix()
	back, err := NewMap(rows, cols, w, m.MeanX, m.MeanY)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := back.Apply(diff)
	for j := range got {
		if math.Abs(float64(got[j]-again[j])) > 1e-4 {
			t.Errorf("stored map: %g, want %g", again[j], got[j])
		}
	}
}

func TestNewMapRefusesWhatDoesNotFit(t *testing.T) {
	w := []float32{1, 2, 3, 4, 5, 6}
	if m, err := NewMap(2, 3, w, nil, nil); err != nil || len(m.MeanX) != 2 || len(m.MeanY) != 3 {
		t.Errorf("map without means: %+v, %v", m, err)
	}
	for name, f := range map[string]func() (*Map, error){
		"too short":   func() (*Map, error) { return NewMap(2, 3, w[:5], nil, nil) },
		"no rows":     func() (*Map, error) { return NewMap(0, 3, nil, nil, nil) },
		"NaN":         func() (*Map, error) { return NewMap(1, 1, []float32{float32(math.NaN())}, nil, nil) },
		"source mean": func() (*Map, error) { return NewMap(2, 3, w, []float64{1}, nil) },
		"target mean": func() (*Map, error) { return NewMap(2, 3, w, nil, []float64{1}) },
	} {
		if m, err := f(); err == nil {
			t.Errorf("%s: %+v was accepted", name, m)
		}
	}
}

// A map scores as its definition says, and a target dimension that does not vary counts as
// scikit-learn counts it: 1 if it is predicted exactly, else 0.
func TestGoodness(t *testing.T) {
	m, err := NewMap(1, 3, []float32{2, 0, 0}, nil, []float64{0, 7, 1})
	if err != nil {
		t.Fatal(err)
	}
	// Errors: 1, −1, 0 in dimension 0 (total squares 6 about the mean 2); none in 1; 1 each in 2.
	g := gramOf(t, 1, 3, []float32{0, 1, 2}, []float32{1, 7, 2, 1, 7, 2, 4, 7, 2})
	s, err := m.Goodness(g)
	if err != nil {
		t.Fatal(err)
	}
	first := 1 - 2.0/6
	want := Goodness{N: 3, R2: 1 - 5.0/6, R2Standardised: (first + 1) / 3, R2Median: first, MeanSquaredError: 5.0 / 9}
	for name, p := range map[string][2]float64{
		"R²": {s.R2, want.R2}, "standardised": {s.R2Standardised, want.R2Standardised},
		"median": {s.R2Median, want.R2Median}, "mean squared error": {s.MeanSquaredError, want.MeanSquaredError},
	} {
		if math.Abs(p[0]-p[1]) > 1e-12 {
			t.Errorf("%s = %g, want %g", name, p[0], p[1])
		}
	}
	if _, err := m.Goodness(NewGram(1, 3)); err == nil {
		t.Error("a score of no rows")
	}
	if _, err := m.Goodness(NewGram(3, 1)); err == nil {
		t.Error("a score on another shape")
	}
}

// TestCarryIsTheProduct carries several vectors by a matrix of more rows than are widened at a time, and one that
// is narrow: v·W by its definition, to the rounding of float32 of sums of so many terms.
func TestCarryIsTheProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, shape := range [][3]int{{2*blockRows + 7, 5, 3}, {3, 4, 1}, {blockRows, 2, 2}} {
		rows, cols, n := shape[0], shape[1], shape[2]
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		vectors := make([][]float32, n)
		for k := range vectors {
			for range rows {
				vectors[k] = append(vectors[k], float32(r.NormFloat64()))
			}
		}
		got, err := Carry(rows, cols, w, vectors)
		if err != nil || len(got) != n {
			t.Fatalf("%v: %d vectors, %v", shape, len(got), err)
		}
		for k, v := range vectors {
			for j := range cols {
				want, size := 0.0, 0.0
				for i, x := range v {
					want += float64(x) * float64(w[i*cols+j])
					size += math.Abs(float64(x) * float64(w[i*cols+j]))
				}
				if math.Abs(float64(got[k][j])-want) > math.Abs(want)*0x1p-24+float64(rows)*0x1p-52*size {
					t.Errorf("%v, vector %d, dimension %d: %g, want %g", shape, k, j, got[k][j], want)
				}
			}
		}
	}
	for what, c := range map[string]struct {
		w       []float32
		vectors [][]float32
	}{
		"a vector of another width": {[]float32{1, 2}, [][]float32{{1, 2}, {1}}},
		"too few values":            {[]float32{1}, [][]float32{{1, 2}}},
		"no number":                 {[]float32{1, float32(math.NaN())}, [][]float32{{1, 2}}},
	} {
		if got, err := Carry(2, 1, c.w, c.vectors); err == nil {
			t.Errorf("%s: %v", what, got)
		}
	}
	if got, err := Carry(2, 1, []float32{1, 2}, nil); err != nil || len(got) != 0 {
		t.Errorf("no vectors: %v, %v", got, err)
	}
}
