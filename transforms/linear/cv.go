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

// absolute converts a penalty in the given unit for the moments m.
func (u LambdaUnit) absolute(lambda float64, m *moments) (float64, error) {
	if !(lambda >= 0) || math.IsInf(lambda, 0) {
		return 0, fmt.Errorf("penalty %g is not a non-negative number", lambda)
	}
	switch u {
	case Relative:
		return lambda * m.meanDiagonal(), nil
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
	DegreesOfFreedom float64 `json:"degrees_of_freedom"` // mean over folds of Σ s/(s+λ)
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

// CrossValidate scores ridge penalties by K-fold cross-validation from the Grams of the folds
// alone. For each fold the map is fitted on the sum of the others and its squared error on the
// fold follows exactly from the fold's Gram,
//
//	SSE_j = Tyy_j − 2·w_j·Txy_j + w_jᵀ·Txx·w_j,
//
// where T are the fold's moments about the training means. One eigendecomposition
// XᵀX = V·diag(s)·Vᵀ per fold serves all penalties: W(λ) = V·diag(1/(s+λ))·Vᵀ·XᵀY.
//
// Folds are independent only if rows of one document are in one fold; that is the caller's part.
// A penalty that leaves a fold's Gram ill-conditioned is left out with a warning; if none is left
// the error wraps [ErrIllConditioned]. Cost per fold: about 10·d³ + 2·d²·e per penalty.
func CrossValidate(folds []*Gram, lambdas []float64, unit LambdaUnit, centre bool) (*CV, error) {
	return crossValidate(folds, lambdas, Spec{Method: Ridge, Centre: centre, Unit: unit}, openRidge)
}

// CrossValidateMethod is [CrossValidate] for the method of spec, whose Lambda the penalties stand
// in for. Ridge takes the way above; any other method is fitted again for each fold and penalty,
// about d³/3 + 2·d²·e each (and a singular value decomposition for low_rank and procrustes). A
// method without a penalty has one score, at λ = 0.
func CrossValidateMethod(folds []*Gram, lambdas []float64, spec Spec) (*CV, error) {
	if spec.Method == Ridge {
		return CrossValidate(folds, lambdas, spec.Unit, spec.Centre)
	}
	if !spec.penalised() {
		lambdas = []float64{0}
	}
	return crossValidate(folds, lambdas, spec, openRefit)
}

func crossValidate(folds []*Gram, lambdas []float64, spec Spec, open func(train, held *Gram, spec Spec) (fold, error)) (*CV, error) {
	if len(folds) < 2 {
		return nil, fmt.Errorf("cross-validate: %d folds, want at least 2", len(folds))
	}
	if len(lambdas) == 0 {
		return nil, errors.New("cross-validate: no penalties")
	}
	grid := slices.Clone(lambdas)
	slices.Sort(grid)
	grid = slices.Compact(grid)
	cv := &CV{Unit: spec.Unit, Folds: len(folds)}
	tally := make([]tally, len(grid))
	for k, held := range folds {
		cv.N += held.N
		train, err := without(folds, k)
		if err != nil {
			return nil, fmt.Errorf("cross-validate: fold %d: %w", k, err)
		}
		f, err := open(train, held, spec)
		if err != nil {
			return nil, fmt.Errorf("cross-validate: fold %d: %w", k, err)
		}
		for i, lambda := range grid {
			if err := f.score(lambda, &tally[i]); err != nil {
				return nil, fmt.Errorf("cross-validate: %w", err)
			}
		}
	}
	for i, lambda := range grid {
		if tally[i].singular {
			cv.Warnings = append(cv.Warnings, fmt.Sprintf("λ=%g left out: a fold's Gram matrix is ill-conditioned", lambda))
			continue
		}
		cv.Penalties = append(cv.Penalties, tally[i].result(lambda, cv.N))
	}
	if len(cv.Penalties) == 0 {
		return nil, fmt.Errorf("cross-validate %s, λ=%g…%g, %d samples in %d dimensions: %w",
			spec.Method, grid[0], grid[len(grid)-1], cv.N, folds[0].D, ErrIllConditioned)
	}
	cv.choose()
	return cv, nil
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
