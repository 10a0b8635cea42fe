package trial

import (
	"math"
	"slices"
)

// A Reliability says how far a vector would come out again from other texts of the same kind.
type Reliability struct {
	// Halves is the mean cosine of the vectors of two halves of the texts.
	Halves Number `json:"cosine_of_halves"`
	// Whole is what it would be of two vectors of as many texts as the whole has: 2r/(1+r) (Spearman and Brown
	// 1910); 0 where the halves have nothing in common.
	Whole  Number `json:"reliability"`
	Splits int    `json:"splits"`
}

// ReliabilityOf takes the cosines of the halves of each split; those that are NaN are left out.
func ReliabilityOf(cosines []float64) Reliability {
	cosines = known(cosines)
	r := Reliability{Halves: missing, Whole: missing, Splits: len(cosines)}
	if len(cosines) > 0 {
		half := Mean(cosines)
		r.Halves, r.Whole = Number(half), 0
		if half > 0 {
			r.Whole = Number(2 * half / (1 + half))
		}
	}
	return r
}

// A Floor is what a cosine comes to by itself, with the labels of the texts permuted: a map that turns
// everything it is given towards a few directions makes cosines near 1 of anything.
type Floor struct {
	Mean Number `json:"mean"`
	Low  Number `json:"quantile_05"`
	// High is the quantile that a cosine has to be above if it is to be more than random labels give.
	High         Number `json:"quantile_95"`
	Permutations int    `json:"permutations"`
}

// floorTail is the share of permutations that may be above a cosine that is called more than chance gives.
const floorTail = .05

// FloorOf takes a cosine of each permutation; those that are NaN are left out.
func FloorOf(cosines []float64) Floor {
	cosines = known(cosines)
	if len(cosines) == 0 {
		return Floor{Mean: missing, Low: missing, High: missing}
	}
	slices.Sort(cosines)
	return Floor{Mean: Number(Mean(cosines)), Low: Number(quantile(cosines, floorTail)), High: Number(quantile(cosines, 1-floorTail)), Permutations: len(cosines)}
}

// Under reports a cosine that is no more than permuted labels give.
func (f Floor) Under(cosine Number) bool { return cosine <= f.High }

func known(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), math.IsNaN)
}
