package linear

import (
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// A fold is one of the K rounds of a cross-validation: a training set and the rows held out.
type fold interface {
	// score adds the held-out result at one penalty to t.
	score(lambda float64, t *tally) error
}

// without returns the sum of all folds but the k-th. It is merged in index order rather than
// subtracted from the total, which costs as little and cancels nothing.
func without(folds []*Gram, k int) (*Gram, error) {
	if folds[k].N == 0 {
		return nil, errors.New("it is empty")
	}
	train, err := Sum(slices.Concat(folds[:k], folds[k+1:]))
	if err != nil {
		return nil, err
	}
	if train.D != folds[k].D || train.E != folds[k].E {
		return nil, fmt.Errorf("%d×%d among folds of %d×%d", folds[k].D, folds[k].E, train.D, train.E)
	}
	if train.N == 0 {
		return nil, errors.New("no rows in the other folds")
	}
	return train, nil
}

// A ridgeFold is a training set in the eigenbasis of its Gram matrix, with the held-out moments in
// the same basis.
type ridgeFold struct {
	train    *moments
	unit     LambdaUnit
	s        []float64  // eigenvalues of the training Gram, increasing
	b        *mat.Dense // [d×e] Vᵀ·XᵀY of the training rows
	txx, txy *mat.Dense // held-out moments about the training means, in the eigenbasis
	tyy      []float64
	sst      []float64 // held-out squares about the held-out means
}

func openRidge(train, held *Gram, spec Spec) (fold, error) {
	f := &ridgeFold{train: train.centre(spec.Centre), unit: spec.Unit, sst: held.centre(true).yy}
	var eig mat.EigenSym
	if !eig.Factorize(f.train.xx, true) {
		return nil, errors.New("eigendecomposition does not converge")
	}
	f.s = eig.Values(nil)
	var v, tv mat.Dense
	eig.VectorsTo(&v)
	f.b = new(mat.Dense)
	f.b.Mul(v.T(), f.train.xy)
	t := held.about(f.train.px, f.train.py)
	tv.Mul(t.xx, &v)
	f.txx, f.txy = new(mat.Dense), new(mat.Dense)
	f.txx.Mul(v.T(), &tv)
	f.txy.Mul(v.T(), t.xy)
	f.tyy = t.yy
	return f, nil
}

func (f *ridgeFold) score(lambda float64, t *tally) error {
	a, err := f.unit.absolute(lambda, f.train)
	if err != nil {
		return err
	}
	low, high := f.s[0]+a, f.s[len(f.s)-1]+a
	if low <= 0 || high/low > maxCond {
		t.singular = true
		return nil
	}
	u := mat.DenseCopyOf(f.b)
	dof := 0.0
	for i, s := range f.s {
		s = max(s, 0)
		dof += s / (s + a)
		row := u.RawRowView(i)
		for j := range row {
			row[j] /= s + a
		}
	}
	t.absolute = append(t.absolute, a)
	t.dof = append(t.dof, dof)
	t.add(squaredErrors(u, f.txx, f.txy, f.tyy), f.sst)
	return nil
}

// A refitFold is a training set and a held-out one as they are, for methods that have no short way
// from one penalty to the next.
type refitFold struct {
	train, held *Gram
	spec        Spec
	sst         []float64 // held-out squares about the held-out means
}

func openRefit(train, held *Gram, spec Spec) (fold, error) {
	return &refitFold{train: train, held: held, spec: spec, sst: held.centre(true).yy}, nil
}

func (f *refitFold) score(lambda float64, t *tally) error {
	f.spec.Lambda = lambda
	m, err := Fit(f.train, f.spec)
	if errors.Is(err, ErrIllConditioned) {
		t.singular = true
		return nil
	}
	if err != nil {
		return err
	}
	t.absolute = append(t.absolute, m.Lambda)
	t.dof = append(t.dof, m.DegreesOfFreedom)
	t.add(m.squaredErrors(f.held), f.sst)
	return nil
}

// squaredErrors returns Σ(y−xW)² per target dimension from second moments: tyy − 2·w·txy + w·txx·w.
func squaredErrors(w mat.Matrix, txx mat.Matrix, txy *mat.Dense, tyy []float64) []float64 {
	var tw mat.Dense
	tw.Mul(txx, w)
	sse := slices.Clone(tyy)
	d, e := w.Dims()
	for i := range d {
		a, b := tw.RawRowView(i), txy.RawRowView(i)
		for j := range e {
			sse[j] += w.At(i, j) * (a[j] - 2*b[j])
		}
	}
	for j := range sse {
		sse[j] = max(0, sse[j])
	}
	return sse
}
