package linear

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// A scene is rows, and what scikit-learn and numpy make of them, of testdata/sklearn.json, written by
// testdata/make_sklearn.py.
type scene struct {
	Name    string
	N, D, E int
	X, Y    []float32
	Fold    []int
	Grid    []float64
	Maps    []struct {
		Method                   Method
		Centre                   bool
		Lambda, Alpha, Condition float64
		W, Predict               []float64
	}
	Scores []struct {
		Method Method
		Centre bool
		Each   []struct { // penalty of the grid
			Condition float64 // the largest of a fold
			Values    scores
		}
	}
}

// scores are, in this order, what [scoreNames] says.
type scores [7]float64

var scoreNames = [7]string{"R²", "standard error", "standardised", "median", "pooled", "squared error", "degrees of freedom"}

func scoresOf(p PenaltyFit) scores {
	return scores{p.R2, p.StandardError, p.R2Standardised, p.R2Median, p.R2Pooled, p.MeanSquaredError, p.DegreesOfFreedom}
}

func readScenes(t *testing.T) []scene {
	t.Helper()
	data, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Scenes []scene }
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f.Scenes
}

// agree is the agreement asked of the two implementations, relative to max(1, |want|).
const agree = 1e-8

// agreement is what can be had at a condition of XᵀX + λI, or of XXᵀ + λI. Their elements are rounded, by some
// 2⁻⁵² of the largest eigenvalue in all, which moves what is solved for by that times the condition (Higham 2002,
// theorem 7.2); the singular value decomposition of the rows, whose condition is its root, is as good as exact beside
// it. So four units of 2⁻⁵² are 10⁻⁸ at a condition of 10⁷: beyond are only the penalties of 10⁻⁸ of the mean
// eigenvalue where X lacks a rank, with 10⁹.
func agreement(condition float64) float64 { return max(agree, 4*0x1p-52*condition) }

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

func TestMapsEqualScikitLearn(t *testing.T) {
	for _, s := range readScenes(t) {
		g := gramOf(t, s.D, s.E, s.X, s.Y)
		for _, c := range s.Maps {
			tolerance := agreement(c.Condition)
			for _, spec := range []Spec{
				{Method: c.Method, Centre: c.Centre, Lambda: c.Lambda, Unit: Relative},
				{Method: c.Method, Centre: c.Centre, Lambda: c.Alpha, Unit: Absolute},
			} {
				name := fmt.Sprintf("%s, %s, λ=%g %s, centred %t, condition %.0e", s.Name, spec.Method, spec.Lambda, spec.Unit, spec.Centre, c.Condition)
				m := fit(t, g, spec)
				if !near(m.Lambda, c.Alpha, agree*c.Alpha) {
					t.Errorf("%s: absolute penalty %g, want %g", name, m.Lambda, c.Alpha)
				}
				for i, want := range c.W {
					if !near(m.W[i], want, tolerance) {
						t.Errorf("%s: W[%d] = %.12g, want %.12g", name, i, m.W[i], want)
					}
				}
				for i := range 3 {
					got, err := m.Predict(s.X[i*s.D : (i+1)*s.D])
					if err != nil {
						t.Fatal(err)
					}
					for j, v := range got { // rounded to float32: by half a unit of 24 bits
						if want := c.Predict[i*s.E+j]; math.Abs(float64(v)-want) > 0x1p-24*math.Abs(want)+tolerance*max(1, math.Abs(want)) {
							t.Errorf("%s: prediction %d of row %d is %g, want %g", name, j, i, v, want)
						}
					}
				}
			}
		}
	}
}

// TestGroupedScoresEqualScikitLearn scores the grid at once and its penalties one by one, as [CrossValidate] chooses
// to, and each fold by every way there is.
func TestGroupedScoresEqualScikitLearn(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range readScenes(t) {
		folds, err := NewTable(s.D, s.E, s.X, s.Y, s.Fold)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Scores {
			spec := Spec{Method: c.Method, Centre: c.Centre, Unit: Relative}
			ways := map[string][]PenaltyFit{"at once": crossValidated(t, folds, s.Grid, spec)}
			for _, lambda := range s.Grid {
				ways["one by one"] = append(ways["one by one"], crossValidated(t, folds, []float64{lambda}, spec)...)
			}
			for way, penalties := range talliedByWay(t, folds, s.Grid, spec) {
				ways[way], seen[way] = penalties, true
			}
			for way, penalties := range ways {
				for i, lambda := range s.Grid {
					want := c.Each[i]
					for j, got := range scoresOf(penalties[i]) {
						if scoreNames[j] == "degrees of freedom" && seen[way] {
							continue // they are no fold's
						}
						if !near(got, want.Values[j], agreement(want.Condition)) {
							t.Errorf("%s, %s, λ=%g, centred %t, condition %.0e, %s: %s %.12g, want %.12g",
								s.Name, c.Method, lambda, c.Centre, want.Condition, way, scoreNames[j], got, want.Values[j])
						}
					}
				}
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("the scenes are scored by %v, want sums and held-out rows and all rows, reduced and, but sums, solved", seen)
	}
}

func crossValidated(t *testing.T, folds *Table, grid []float64, spec Spec) []PenaltyFit {
	t.Helper()
	cv, err := CrossValidate(folds, grid, spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(cv.Penalties) != len(grid) {
		t.Fatalf("%+v: %d penalties of %d: %s", spec, len(cv.Penalties), len(grid), cv.Warnings)
	}
	return cv.Penalties
}

// talliedByWay is the result of each way in which every fold can be scored.
func talliedByWay(t *testing.T, folds *Table, grid []float64, spec Spec) map[string][]PenaltyFit {
	t.Helper()
	tallies := map[string][]tally{}
	for k := range folds.Count {
		for way, r := range everyWay(t, folds, spec, k, grid) {
			if tallies[way] == nil {
				tallies[way] = make([]tally, len(grid))
			}
			for i := range grid {
				tallies[way][i].add(r, i)
			}
		}
	}
	out := map[string][]PenaltyFit{}
	for way, each := range tallies {
		for i, lambda := range grid {
			if len(each[i].r2) == folds.Count {
				out[way] = append(out[way], each[i].result(lambda, len(folds.Fold)))
			}
		}
		if n := len(out[way]); n != 0 && n != len(grid) {
			t.Fatalf("%s: %d penalties of %d could be solved for", way, n, len(grid))
		}
	}
	return out
}
