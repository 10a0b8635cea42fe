package linear

import (
	"errors"
	"fmt"
)

// rounds are those of a cross-validation: in each, one fold is held out. They share what takes much memory.
type rounds struct {
	folds    Folds
	sizes    []int
	total    *Gram     // the sums of all folds
	rounding []float64 // of the total, which the folds are taken from
	spec     Spec
	rows     []pairs // of the folds, where those that are fitted on are fewer than their dimensions

	grams   [3]*Gram
	scratch scratch
}

// A round has, for each penalty, Σ(y − ŷ)² per target dimension of the n rows that are held out, or nothing where
// a penalty cannot be solved for. sst is Σ(y − ȳ)² of the same rows.
type round struct {
	n        int
	absolute []float64 // penalties
	sse      [][]float64
	sst      []float64
}

// gram is the i-th of the Grams that the rounds share, with anything in it.
func (r *rounds) gram(i int) *Gram {
	if r.grams[i] == nil {
		r.grams[i] = NewGram(r.folds.Shape())
	}
	return r.grams[i]
}

// hold scores penalties on fold k.
func (r *rounds) hold(k int, lambdas []float64) (*round, error) {
	if r.spec.linear() && r.total.N-r.sizes[k] < r.total.D {
		return r.fromRows(r.allBut(k), k, lambdas)
	}
	train, held, err := r.others(k)
	if err != nil {
		return nil, err
	}
	return r.against(train, k, held, lambdas)
}

// allBut are the folds but one.
func (r *rounds) allBut(k int) (folds []int) {
	for other := range r.sizes {
		if other != k {
			folds = append(folds, other)
		}
	}
	return folds
}

// fromRows scores maps of some folds, which have fewer rows than dimensions, on fold k.
func (r *rounds) fromRows(train []int, k int, lambdas []float64) (*round, error) {
	f, err := r.openRows(train, k)
	if err != nil {
		return nil, err
	}
	return r.score(f, lambdas)
}

// others sums up the rows that are not in fold k, and those that are, if they are many.
func (r *rounds) others(k int) (train, held *Gram, err error) {
	if train = r.gram(0); k > 0 { // the first fold's others are there from the beginning
		train.reset()
		if err := r.folds.AddTo(train, k); err != nil {
			return nil, nil, err
		}
	}
	if n := train.N; k == 0 && n != r.total.N-r.sizes[0] || k > 0 && n != r.sizes[k] {
		return nil, nil, fmt.Errorf("%d of %d rows are in it, want %d", n, r.total.N, r.sizes[k])
	}
	if !r.few(k) {
		held = r.gram(1)
		held.set(train)
		if k == 0 {
			held.complement(r.total)
		}
	}
	if k > 0 {
		train.complement(r.total)
	}
	return train, held, nil
}

// few reports whether fold k is scored by its rows; else it is by its sums.
func (r *rounds) few(k int) bool { return r.spec.linear() && r.sizes[k] <= r.total.D }

// against scores maps of the rows of train, whose sums it destroys, on fold k, whose sums are held unless it has
// few rows.
func (r *rounds) against(train *Gram, k int, held *Gram, lambdas []float64) (*round, error) {
	if !r.spec.linear() {
		return r.refit(train, held, lambdas)
	}
	f, err := r.open(train, k, held)
	if err != nil {
		return nil, err
	}
	return r.score(f, lambdas)
}

func (r *rounds) score(f *fold, lambdas []float64) (out *round, err error) {
	out = &round{n: f.h, sst: f.sst}
	for _, lambda := range lambdas {
		absolute, err := r.spec.Unit.absolute(lambda, f.mean)
		if err != nil && r.spec.penalised() {
			return nil, err
		}
		out.absolute = append(out.absolute, absolute)
	}
	if out.sse, err = f.score(out.absolute, &r.scratch); err != nil {
		return nil, err
	}
	settle(out.sst, f.rounding, out.sse...)
	return out, nil
}

// refit fits and scores a map for each penalty: the way of methods that are not linear in the targets.
func (r *rounds) refit(train, held *Gram, lambdas []float64) (*round, error) {
	out := &round{n: held.N, sst: held.total()}
	for _, lambda := range lambdas {
		spec := r.spec
		spec.Lambda = lambda
		m, err := Fit(train, spec)
		switch {
		case errors.Is(err, ErrIllConditioned):
			out.absolute, out.sse = append(out.absolute, 0), append(out.sse, nil)
		case err != nil:
			return nil, err
		default:
			out.absolute, out.sse = append(out.absolute, m.Lambda), append(out.sse, m.squaredErrors(held.clone()))
		}
	}
	settle(out.sst, held.targetRounding(), out.sse...)
	return out, nil
}
