package linear

import (
	"fmt"

	"github.com/persona-transfer/runpipeline/transforms/linear/eigen"
)

// decompositions is how many Cholesky decompositions with their inverses, 2·n³/3 operations each, take as long as
// the eigenvalues, 4·n³/3 of which half wait for memory.
const decompositions = 8

// degreesOfFreedom returns Σ s/(s+λ) for each penalty, over the eigenvalues s of xx:
//
//	d − λ·tr((xx + λI)⁻¹).
//
// The moments are destroyed.
func (m *moments) degreesOfFreedom(penalties []float64, room *scratch) ([]float64, error) {
	out := make([]float64, len(penalties))
	if len(penalties) > decompositions {
		values, err := eigen.Values(m.xx, m.d)
		if err != nil {
			return nil, fmt.Errorf("degrees of freedom: %w", err)
		}
		for i, lambda := range penalties {
			out[i] = sumShares(values, lambda)
		}
		return out, nil
	}
	a := room.square.of(len(m.xx))
	for i, lambda := range penalties {
		copy(a, m.xx)
		f, ok := factorise(a, m.d, lambda)
		if !ok {
			return nil, fmt.Errorf("degrees of freedom, λ=%g: %w", lambda, ErrIllConditioned)
		}
		out[i] = float64(m.d)
		if lambda > 0 {
			out[i] -= lambda * f.traceOfInverse()
		}
	}
	return out, nil
}

// sumShares is Σ s/(s+λ); eigenvalues that rounding made negative are 0.
func sumShares(values []float64, lambda float64) float64 {
	sum := 0.0
	for _, s := range values {
		if s > 0 {
			sum += s / (s + lambda)
		}
	}
	return sum
}
