package linear

import (
	"fmt"
	"math/bits"
	"slices"
)

// A Study is a map whose penalty was chosen by cross-validation, and what is known of it.
type Study struct {
	CV  *CV
	Map *Map
	// Curve scores maps of fewer rows on the first fold, which none of them was fitted on.
	Curve []CurvePoint
	// Spectrum is the singular values of the map, largest first, at most [SpectrumLength] of them.
	Spectrum []float64
	// LargestVariance are the target dimensions that vary most; see [Gram.LargestVariance].
	LargestVariance []int
}

// SpectrumLength is how many singular values of a map a study keeps; how fast they fall says how many
// directions the map really carries.
const SpectrumLength = 32

// largestDimensions is how many dimensions are left out of a cosine to see whether they alone make it:
// residual streams have a handful of massive ones.
const largestDimensions = 5

// FitBest cross-validates the penalties for the method of spec, fits the map of all rows with the best one,
// and describes it. The error wraps [ErrIllConditioned] if no penalty can be solved for.
func FitBest(f Folds, lambdas []float64, spec Spec) (*Study, error) {
	r, grid, err := newRounds(f, lambdas, spec)
	if err != nil {
		return nil, err
	}
	s := &Study{LargestVariance: r.total.LargestVariance(largestDimensions)}
	cv, first, err := r.crossValidate(grid)
	if err != nil {
		return nil, err
	}
	s.CV, spec.Lambda = cv, cv.Best
	if s.Curve, err = r.curve(first, slices.Index(grid, cv.Best), cv.Best); err != nil {
		return nil, fmt.Errorf("learning curve: %w", err)
	}
	total := r.total
	r = nil // and with it what the rounds took
	if s.Map, err = fitMoments(total.moments(spec.Centre), spec); err != nil {
		return nil, err
	}
	if s.Spectrum, err = s.Map.Spectrum(); err != nil {
		return nil, err
	}
	s.Spectrum = s.Spectrum[:min(SpectrumLength, len(s.Spectrum))]
	return s, nil
}

// A CurvePoint is how well a map that was fitted on N rows predicts held-out ones.
type CurvePoint struct {
	N    int      `json:"n"`
	Held Goodness `json:"held"`
}

// curve scores maps of the folds 1, 1 and 2, 1 to 4, and so on, and of all but the first, on the first. The last
// is known from the first round, where lambda is penalty i. Maps that cannot be solved for are left out.
func (r *rounds) curve(first *round, i int, lambda float64) (points []CurvePoint, err error) {
	var train []int
	n, added := 0, 0
	var sum *Gram // of the folds that were added: none, as long as there are few rows
	for k := 1; k < len(r.sizes)-1; k++ {
		train, n = append(train, k), n+r.sizes[k]
		if bits.OnesCount(uint(k)) > 1 {
			continue
		}
		var point *round
		if r.few(0) && n < r.total.D {
			point, err = r.fromRows(train, 0, []float64{lambda})
		} else {
			if sum == nil {
				sum = r.gram(2)
				sum.reset()
			}
			for ; added < k; added++ {
				if err := r.folds.AddTo(sum, train[added]); err != nil {
					return nil, err
				}
			}
			point, err = r.fromSum(sum, lambda)
		}
		if err != nil {
			return nil, err
		}
		points = point.enter(points, 0, n)
	}
	return first.enter(points, i, r.total.N-r.sizes[0]), nil
}

// fromSum scores a map of the rows that sum is of on the first fold.
func (r *rounds) fromSum(sum *Gram, lambda float64) (*round, error) {
	train := r.gram(0)
	train.set(sum)
	var held *Gram
	if !r.few(0) {
		held = r.gram(1)
		held.reset()
		if err := r.folds.AddTo(held, 0); err != nil {
			return nil, err
		}
	}
	return r.against(train, 0, held, []float64{lambda})
}

// enter appends a point of a map of n rows at penalty i, if that could be solved for.
func (r *round) enter(points []CurvePoint, i, n int) []CurvePoint {
	if r.sse[i] == nil {
		return points
	}
	return append(points, CurvePoint{N: n, Held: goodnessOf(r.sse[i], r.sst, r.n)})
}
