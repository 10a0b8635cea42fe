package linear

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// fixture is testdata/sklearn.json, written by testdata/make_sklearn.py.
type fixture struct {
	N, D, E int
	X, Y    []float32
	Folds   [][]int
	Maps    []struct {
		Method        Method
		Centre        bool
		Lambda, Alpha float64
		W, Predict    []float64
	}
	Scores []struct {
		Centre         bool
		Lambda, R2     float64
		StandardError  float64 `json:"standard_error"`
		R2Standardised float64 `json:"r2_standardised"`
		R2Median       float64 `json:"r2_median"`
	}
}

func readFixture(t *testing.T) (f fixture) {
	t.Helper()
	data, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// agree is the agreement asked of the two implementations, relative to max(1, |want|). Both solve
// a system of condition below 10⁴ in float64, so 10⁻¹⁰ is expected.
const agree = 1e-8

func near(got, want float64) bool { return math.Abs(got-want) <= agree*max(1, math.Abs(want)) }

func TestMapsEqualScikitLearn(t *testing.T) {
	f := readFixture(t)
	g := gramOf(t, f.D, f.E, f.X, f.Y)
	for _, c := range f.Maps {
		for _, spec := range []Spec{
			{Method: c.Method, Centre: c.Centre, Lambda: c.Lambda, Unit: Relative},
			{Method: c.Method, Centre: c.Centre, Lambda: c.Alpha, Unit: Absolute},
		} {
			m := fit(t, g, spec)
			if !near(m.Lambda, c.Alpha) {
				t.Errorf("%s %+v: absolute penalty %g, want %g", c.Method, spec, m.Lambda, c.Alpha)
			}
			for i, want := range c.W {
				if !near(m.W[i], want) {
					t.Errorf("%+v: W[%d] = %.12g, want %.12g", spec, i, m.W[i], want)
				}
			}
			for i := range 3 {
				got, err := m.Predict(f.X[i*f.D : (i+1)*f.D])
				if err != nil {
					t.Fatal(err)
				}
				for j := range got { // Predict returns float32
					if want := c.Predict[i*f.E+j]; math.Abs(float64(got[j])-want) > 1e-6*max(1, math.Abs(want)) {
						t.Errorf("%+v: prediction %d of row %d is %g, want %g", spec, j, i, got[j], want)
					}
				}
			}
		}
	}
}

func TestGroupedScoresEqualScikitLearn(t *testing.T) {
	f := readFixture(t)
	fold := make([]int, f.N)
	for k, rows := range f.Folds {
		for _, i := range rows {
			fold[i] = k
		}
	}
	folds, err := NewTable(f.D, f.E, f.X, f.Y, fold)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Scores {
		cv, err := CrossValidate(folds, []float64{c.Lambda}, ridgeOf(c.Centre))
		if err != nil {
			t.Fatal(err)
		}
		s := cv.Penalties[0]
		for name, pair := range map[string][2]float64{
			"R²": {s.R2, c.R2}, "standard error": {s.StandardError, c.StandardError},
			"standardised": {s.R2Standardised, c.R2Standardised}, "median": {s.R2Median, c.R2Median},
		} {
			if !near(pair[0], pair[1]) {
				t.Errorf("centre %t, λ=%g, %s: %.12g, want %.12g", c.Centre, c.Lambda, name, pair[0], pair[1])
			}
		}
	}
}
