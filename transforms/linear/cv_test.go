package linear

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// foldsOf deals rows to k folds in documents of five rows, and returns the Grams and the rows.
func foldsOf(t testing.TB, k, d, e int, x, y []float32) (grams []*Gram, xs, ys [][]float32) {
	t.Helper()
	xs, ys = make([][]float32, k), make([][]float32, k)
	for i := range len(x) / d {
		f := i / 5 % k
		xs[f] = append(xs[f], x[i*d:(i+1)*d]...)
		ys[f] = append(ys[f], y[i*e:(i+1)*e]...)
	}
	for f := range k {
		grams = append(grams, gramOf(t, d, e, xs[f], ys[f]))
	}
	return grams, xs, ys
}

// bruteForce refits on the rows of the other folds with dense algebra and scores the held-out
// rows one by one.
func bruteForce(xs, ys [][]float32, d, e, k int, lambda float64, centre bool) (r2 float64) {
	trainX := dense(len(slices.Concat(slices.Concat(xs[:k], xs[k+1:])...))/d, d, slices.Concat(slices.Concat(xs[:k], xs[k+1:])...))
	trainY := dense(len(slices.Concat(slices.Concat(ys[:k], ys[k+1:])...))/e, e, slices.Concat(slices.Concat(ys[:k], ys[k+1:])...))
	cx, cy := trainX, trainY
	if centre {
		cx, cy = centred(trainX), centred(trainY)
	}
	var a, b, w mat.Dense
	a.Mul(cx.T(), cx)
	unit := mat.Trace(&a) / float64(d)
	for i := range d {
		a.Set(i, i, a.At(i, i)+lambda*unit)
	}
	b.Mul(cx.T(), cy)
	if err := w.Solve(&a, &b); err != nil {
		panic(err)
	}
	testX, testY := dense(len(xs[k])/d, d, xs[k]), dense(len(ys[k])/e, e, ys[k])
	var pred mat.Dense
	if centre { // subtract the training means from the held-out rows
		shift(testX, trainX)
		shift(testY, trainY)
	}
	pred.Mul(testX, &w)
	pred.Sub(&pred, testY)
	c := centred(testY)
	return 1 - math.Pow(mat.Norm(&pred, 2)/mat.Norm(c, 2), 2)
}

// shift subtracts the column means of by from m.
func shift(m, by *mat.Dense) {
	r, c := m.Dims()
	n, _ := by.Dims()
	for j := range c {
		mean := mat.Sum(by.ColView(j)) / float64(n)
		for i := range r {
			m.Set(i, j, m.At(i, j)-mean)
		}
	}
}

func TestCrossValidationEqualsRefitting(t *testing.T) {
	const n, d, e, k = 240, 7, 5, 4
	x, y, _ := planted(n, d, e, 4, 41)
	grams, xs, ys := foldsOf(t, k, d, e, x, y)
	lambdas := []float64{10, 1e-4, 0.1, 1}
	for _, centre := range []bool{true, false} {
		cv, err := CrossValidate(grams, lambdas, Relative, centre)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range cv.Penalties {
			var folds []float64
			for f := range k {
				folds = append(folds, bruteForce(xs, ys, d, e, f, s.Lambda, centre))
			}
			if want := mean(folds); math.Abs(s.R2-want) > 1e-10 {
				t.Errorf("centre %t, λ=%g: R² %.12f, want %.12f", centre, s.Lambda, s.R2, want)
			}
		}
	}
}

// The map that Fit makes of the other folds has the score on a fold that CrossValidate reports.
func TestFitAndCrossValidateAgree(t *testing.T) {
	const n, d, e, k = 200, 8, 6, 5
	x, y, _ := planted(n, d, e, 3, 45)
	grams, _, _ := foldsOf(t, k, d, e, x, y)
	cv, err := CrossValidate(grams, []float64{0.05}, Relative, true)
	if err != nil {
		t.Fatal(err)
	}
	var r2, dof, standard, half []float64
	for f := range k {
		train, _ := Sum(slices.Concat(grams[:f], grams[f+1:]))
		m := fit(t, train, Spec{Method: Ridge, Centre: true, Lambda: 0.05, Unit: Relative})
		s, err := m.Goodness(grams[f])
		if err != nil {
			t.Fatal(err)
		}
		r2, dof = append(r2, s.R2), append(dof, m.DegreesOfFreedom)
		standard, half = append(standard, s.R2Standardised), append(half, s.R2Median)
	}
	got := cv.Penalties[0]
	for name, pair := range map[string][2]float64{
		"R²": {got.R2, mean(r2)}, "standardised": {got.R2Standardised, mean(standard)},
		"median": {got.R2Median, mean(half)}, "degrees of freedom": {got.DegreesOfFreedom, mean(dof)},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s: %.12f, want %.12f", name, pair[0], pair[1])
		}
	}
}

// With noise on the target, more rows than dimensions and a known signal the best penalty is near
// its theoretical value: for W of unit variance, λ = noise² (the Bayes estimate).
func TestCrossValidationFindsThePlantedPenalty(t *testing.T) {
	const n, d, e, noise = 120, 40, 60, 10
	x, w := normals(n*d, 51), normals(d*e, 52)
	y := normals(n*e, 53)
	for i := range n {
		for j := range e {
			sum := noise * float64(y[i*e+j])
			for k := range d {
				sum += float64(x[i*d+k]) * float64(w[k*e+j])
			}
			y[i*e+j] = float32(sum)
		}
	}
	grams, _, _ := foldsOf(t, 6, d, e, x, y)
	cv, err := CrossValidate(grams, []float64{1, 10, 100, 1000, 10000}, Absolute, true)
	if err != nil {
		t.Fatal(err)
	}
	if cv.Best != noise*noise || cv.AtEdge || len(cv.Warnings) != 0 {
		t.Errorf("best λ=%g, at edge %t, warnings %q, want λ=%g inside the grid", cv.Best, cv.AtEdge, cv.Warnings, float64(noise*noise))
	}
	// From the definition: the largest penalty whose R² is within the best one's standard error.
	want := cv.Best
	for _, s := range cv.Penalties {
		if s.R2 >= cv.Penalties[2].R2-cv.Penalties[2].StandardError {
			want = max(want, s.Lambda)
		}
	}
	if cv.OneStandardError != want {
		t.Errorf("one-standard-error λ=%g, want %g", cv.OneStandardError, want)
	}
}

func TestCrossValidationWarns(t *testing.T) {
	const d, e = 6, 4
	x, y, _ := planted(100, d, e, 0.01, 55)
	grams, _, _ := foldsOf(t, 4, d, e, x, y)
	for _, c := range []struct {
		lambdas []float64
		want    []string
	}{
		{[]float64{0.1, 1, 10}, []string{"best λ=0.1 is the smallest of the grid: a smaller one may be better"}},
		{[]float64{1e-12}, nil}, // one penalty has no edge, and the rows are well conditioned without any
	} {
		cv, err := CrossValidate(grams, c.lambdas, Relative, true)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cv.Warnings, c.want) {
			t.Errorf("%v: warnings %q, want %q", c.lambdas, cv.Warnings, c.want)
		}
	}

	// Four rows in six dimensions: λ = 0 cannot be solved, the others can.
	small, _, _ := foldsOf(t, 2, d, e, x[:10*d], y[:10*e])
	cv, err := CrossValidate(small, []float64{0, 0.1}, Relative, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(cv.Penalties) != 1 || !strings.Contains(strings.Join(cv.Warnings, ";"), "λ=0 left out") {
		t.Errorf("scores %v, warnings %q, want λ=0 left out", cv.Penalties, cv.Warnings)
	}
	if _, err := CrossValidate(small, []float64{0}, Absolute, true); !errors.Is(err, ErrIllConditioned) {
		t.Errorf("only λ=0: %v, want ErrIllConditioned", err)
	}
}

func TestCrossValidationRefusesBadInput(t *testing.T) {
	x, y, _ := planted(20, 3, 2, 1, 57)
	g := gramOf(t, 3, 2, x, y)
	good := []*Gram{g, g}
	for name, c := range map[string]struct {
		folds   []*Gram
		lambdas []float64
		unit    LambdaUnit
	}{
		"one fold":     {good[:1], []float64{1}, Relative},
		"no penalty":   {good, nil, Relative},
		"negative":     {good, []float64{-1}, Relative},
		"NaN":          {good, []float64{math.NaN()}, Relative},
		"unknown unit": {good, []float64{1}, "metre"},
		"empty fold":   {[]*Gram{g, NewGram(3, 2)}, []float64{1}, Relative},
		"other shape":  {[]*Gram{g, gramOf(t, 2, 3, y[:30], x[:45])}, []float64{1}, Relative},
	} {
		if cv, err := CrossValidate(c.folds, c.lambdas, c.unit, true); err == nil {
			t.Errorf("%s: accepted, %+v", name, cv)
		}
	}
}

func TestLearningCurveRises(t *testing.T) {
	const n, d, e = 400, 10, 8
	x, y, _ := planted(n, d, e, 8, 61)
	train := func(yield func(*Gram, error) bool) {
		for from := 0; from < 300; from += 50 {
			if !yield(gramOf(t, d, e, x[from*d:(from+50)*d], y[from*e:(from+50)*e]), nil) {
				return
			}
		}
	}
	held := gramOf(t, d, e, x[300*d:], y[300*e:])
	curve, err := LearningCurve(train, held, centredRidge)
	if err != nil {
		t.Fatal(err)
	}
	var rows []int
	for _, p := range curve {
		rows = append(rows, p.N)
	}
	if !slices.Equal(rows, []int{50, 100, 200, 300}) || curve[3].Held.R2 <= curve[0].Held.R2 {
		t.Errorf("curve %+v, want rising points after 1, 2, 4 and all 6 parts", curve)
	}
}

func BenchmarkCrossValidate(b *testing.B) {
	const n, d, e = 2000, 128, 96
	x, y, _ := planted(n, d, e, 1, 63)
	grams, _, _ := foldsOf(b, 5, d, e, x, y)
	for b.Loop() {
		if _, err := CrossValidate(grams, []float64{1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10}, Relative, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGram(b *testing.B) {
	const n, d, e = 1000, 576, 640
	x, y := normals(n*d, 65), normals(n*e, 66)
	for b.Loop() {
		gramOf(b, d, e, x, y)
	}
	b.ReportMetric(2*n*d*(d+e)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
