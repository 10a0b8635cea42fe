package linear

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A LambdaUnit says what a penalty is a multiple of.
type LambdaUnit string

const (
	// Relative penalties are multiples of tr(XᵀX)/d, the mean eigenvalue of the (centred) Gram
	// matrix that is solved, so that one grid serves models of any scale and any sample size.
	Relative LambdaUnit = "relative"
	// Absolute penalties are added to the diagonal as they are.
	Absolute LambdaUnit = "absolute"
)

// absolute converts a penalty in the given unit, where the mean of the diagonal is mean.
func (u LambdaUnit) absolute(lambda, mean float64) (float64, error) {
	if !(lambda >= 0) || math.IsInf(lambda, 0) {
		return 0, fmt.Errorf("penalty %g is not a non-negative number", lambda)
	}
	switch u {
	case Relative:
		return lambda * mean, nil
	case Absolute:
		return lambda, nil
	}
	return 0, fmt.Errorf("unknown penalty unit %q, want %q or %q", u, Relative, Absolute)
}

// A PenaltyFit is how well one penalty predicts rows that were not fitted. R² are means over
// folds and compare with the mean of the held-out fold itself, as scikit-learn's r2_score does.
type PenaltyFit struct {
	Lambda           float64 `json:"lambda"`             // as configured
	Absolute         float64 `json:"absolute"`           // mean over folds of the penalty added to the diagonal
	R2               float64 `json:"r2"`                 // 1 − ΣSSE/ΣSST over dimensions ("variance_weighted")
	StandardError    float64 `json:"standard_error"`     // of R2, over folds
	R2Standardised   float64 `json:"r2_standardised"`    // mean over dimensions of 1 − SSE/SST ("uniform_average")
	R2Median         float64 `json:"r2_median"`          // median over dimensions
	R2Pooled         float64 `json:"r2_pooled"`          // 1 − ΣSSE/ΣSST over dimensions and folds
	MeanSquaredError float64 `json:"mean_squared_error"` // per row and dimension
	DegreesOfFreedom float64 `json:"degrees_of_freedom"` // of the map of all rows: Σ s/(s+λ)
}

// A CV is the result of a cross-validation: one fit per penalty, in increasing order, and two
// choices among them.
type CV struct {
	Unit      LambdaUnit   `json:"unit"`
	Folds     int          `json:"folds"`
	N         int          `json:"n"`
	Penalties []PenaltyFit `json:"scores"`
	// Best is the penalty with the highest R2.
	Best float64 `json:"best"`
	// OneStandardError is the largest penalty whose R2 is within one standard error of the best.
	OneStandardError float64 `json:"one_standard_error"`
	// AtEdge says that the best penalty is the first or the last of the grid.
	AtEdge   bool     `json:"at_edge"`
	Warnings []string `json:"warnings,omitempty"`
}

// CrossValidate scores penalties for the method of spec, whose Lambda they stand in for, by K-fold
// cross-validation: for each fold a map is fitted on the rows of the others and predicts the fold's. A method
// without a penalty has one score, at λ = 0.
//
// A penalty that leaves a fold's Gram ill-conditioned is left out with a warning; if none is left the error
// wraps [ErrIllConditioned].
func CrossValidate(f Folds, lambdas []float64, spec Spec) (*CV, error) {
	r, grid, err := newRounds(f, lambdas, spec)
	if err != nil {
		return nil, fmt.Errorf("cross-validate: %w", err)
	}
	cv, _, err := r.crossValidate(grid)
	return cv, err
}

// newRounds checks what is asked, and sums up all folds.
func newRounds(f Folds, lambdas []float64, spec Spec) (r *rounds, grid []float64, err error) {
	r = &rounds{folds: f, sizes: f.Sizes(), spec: spec}
	switch {
	case len(r.sizes) < 2:
		return nil, nil, fmt.Errorf("%d folds, want at least 2", len(r.sizes))
	case len(lambdas) == 0 && spec.penalised():
		return nil, nil, errors.New("no penalties")
	case slices.Contains(r.sizes, 0):
		return nil, nil, fmt.Errorf("fold %d has no row", slices.Index(r.sizes, 0))
	}
	grid = slices.Clone(lambdas)
	if !spec.penalised() {
		grid = []float64{0}
	}
	slices.Sort(grid)
	if r.total, err = totalOf(f, func(others *Gram) { r.gram(0).set(others) }); err != nil {
		return nil, nil, err
	}
	r.rounding = r.total.rounding()
	return r, slices.Compact(grid), nil
}

// crossValidate also returns the round of the first fold.
func (r *rounds) crossValidate(grid []float64) (cv *CV, first *round, err error) {
	cv = &CV{Unit: r.spec.Unit, Folds: len(r.sizes), N: r.total.N}
	tallies := make([]tally, len(grid))
	for k := range r.sizes {
		held, err := r.hold(k, grid)
		if err != nil {
			return nil, nil, fmt.Errorf("cross-validate: fold %d: %w", k, err)
		}
		for i := range grid {
			tallies[i].add(held, i)
		}
		if k == 0 {
			first = held
		}
	}
	for i, lambda := range grid {
		if tallies[i].singular {
			cv.Warnings = append(cv.Warnings, fmt.Sprintf("λ=%g left out: a fold's Gram matrix is ill-conditioned", lambda))
			continue
		}
		cv.Penalties = append(cv.Penalties, tallies[i].result(lambda, cv.N))
	}
	if len(cv.Penalties) == 0 {
		return nil, nil, fmt.Errorf("cross-validate %s, λ=%g…%g, %d samples in %d dimensions: %w",
			r.spec.Method, grid[0], grid[len(grid)-1], cv.N, r.total.D, ErrIllConditioned)
	}
	cv.choose()
	return cv, first, r.freedom(cv)
}

// freedom sets the degrees of freedom of the maps of all rows.
func (r *rounds) freedom(cv *CV) error {
	if r.spec.Method == Procrustes {
		return nil // it has none
	}
	source := r.gram(0)
	source.set(r.total)
	mo := source.moments(r.spec.Centre)
	if r.spec.Method == Standardised {
		mo.standardise()
	}
	var penalties []float64
	for _, p := range cv.Penalties {
		absolute, err := r.spec.Unit.absolute(p.Lambda, mo.trace()/float64(mo.d))
		if err != nil && r.spec.penalised() {
			return err
		}
		penalties = append(penalties, absolute)
	}
	freedom, err := mo.degreesOfFreedom(penalties, &r.scratch)
	if err != nil {
		return err
	}
	for i, v := range freedom {
		cv.Penalties[i].DegreesOfFreedom = v
	}
	return nil
}

// choose sets the best penalty, the one-standard-error choice and the warnings about them.
func (cv *CV) choose() {
	best := 0
	for i, s := range cv.Penalties {
		if s.R2 > cv.Penalties[best].R2 {
			best = i
		}
	}
	simple := best
	for i := best; i < len(cv.Penalties); i++ {
		if cv.Penalties[i].R2 >= cv.Penalties[best].R2-cv.Penalties[best].StandardError {
			simple = i
		}
	}
	cv.Best, cv.OneStandardError = cv.Penalties[best].Lambda, cv.Penalties[simple].Lambda
	if len(cv.Penalties) > 1 && (best == 0 || best == len(cv.Penalties)-1) {
		cv.AtEdge = true
		side, word := "smallest", "smaller"
		if best > 0 {
			side, word = "largest", "larger"
		}
		cv.Warnings = append(cv.Warnings, fmt.Sprintf("best λ=%g is the %s of the grid: a %s one may be better", cv.Best, side, word))
	}
	if cv.Penalties[best].R2 <= 0 {
		cv.Warnings = append(cv.Warnings, fmt.Sprintf("best λ=%g predicts held-out rows no better than their mean (R² %.3f)", cv.Best, cv.Penalties[best].R2))
	}
}
