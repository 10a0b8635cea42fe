package linear

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// foldsOf deals rows to k folds in documents of five rows, and returns them and the rows of each.
func foldsOf(t testing.TB, k, d, e int, x, y []float32) (folds *Table, xs, ys [][]float32) {
	t.Helper()
	fold := make([]int, len(x)/d)
	for i := range fold {
		fold[i] = i / 5 % k
	}
	folds, err := NewTable(d, e, x, y, fold)
	if err != nil {
		t.Fatal(err)
	}
	xs, ys = make([][]float32, k), make([][]float32, k)
	for f := range k {
		if xs[f], ys[f], err = folds.Rows(f); err != nil {
			t.Fatal(err)
		}
	}
	return folds, xs, ys
}

// ridgeOf is ridge with relative penalties.
func ridgeOf(centre bool) Spec { return Spec{Method: Ridge, Centre: centre, Unit: Relative} }

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
	folds, xs, ys := foldsOf(t, k, d, e, x, y)
	lambdas := []float64{10, 1e-4, 0.1, 1}
	for _, centre := range []bool{true, false} {
		cv, err := CrossValidate(folds, lambdas, ridgeOf(centre))
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
	folds, xs, ys := foldsOf(t, k, d, e, x, y)
	cv, err := CrossValidate(folds, []float64{0.05}, ridgeOf(true))
	if err != nil {
		t.Fatal(err)
	}
	var r2, standard, half []float64
	for f := range k {
		m := fit(t, gramOf(t, d, e, slices.Concat(slices.Concat(xs[:f], xs[f+1:])...), slices.Concat(slices.Concat(ys[:f], ys[f+1:])...)), Spec{Method: Ridge, Centre: true, Lambda: 0.05, Unit: Relative})
		s, err := m.Goodness(gramOf(t, d, e, xs[f], ys[f]))
		if err != nil {
			t.Fatal(err)
		}
		r2 = append(r2, s.R2)
		standard, half = append(standard, s.R2Standardised), append(half, s.R2Median)
	}
	got := cv.Penalties[0]
	for name, pair := range map[string][2]float64{
		"R²": {got.R2, mean(r2)}, "standardised": {got.R2Standardised, mean(standard)},
		"median": {got.R2Median, mean(half)}, "degrees of freedom": {got.DegreesOfFreedom, fit(t, gramOf(t, d, e, x, y), Spec{Method: Ridge, Centre: true, Lambda: 0.05, Unit: Relative}).DegreesOfFreedom},
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
	folds, _, _ := foldsOf(t, 6, d, e, x, y)
	cv, err := CrossValidate(folds, []float64{1, 10, 100, 1000, 10000}, Spec{Method: Ridge, Centre: true, Unit: Absolute})
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
	folds, _, _ := foldsOf(t, 4, d, e, x, y)
	for _, c := range []struct {
		lambdas []float64
		want    []string
	}{
		{[]float64{0.1, 1, 10}, []string{"best λ=0.1 is the smallest of the grid: a smaller one may be better"}},
		{[]float64{1e-12}, nil}, // one penalty has no edge, and the rows are well conditioned without any
	} {
		cv, err := CrossValidate(folds, c.lambdas, ridgeOf(true))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cv.Warnings, c.want) {
			t.Errorf("%v: warnings %q, want %q", c.lambdas, cv.Warnings, c.want)
		}
	}

	// Four rows in six dimensions: λ = 0 cannot be solved, the others can.
	small, _, _ := foldsOf(t, 2, d, e, x[:10*d], y[:10*e])
	cv, err := CrossValidate(small, []float64{0, 0.1}, ridgeOf(true))
	if err != nil {
		t.Fatal(err)
	}
	if len(cv.Penalties) != 1 || !strings.Contains(strings.Join(cv.Warnings, ";"), "λ=0 left out") {
		t.Errorf("scores %v, warnings %q, want λ=0 left out", cv.Penalties, cv.Warnings)
	}
	if _, err := CrossValidate(small, []float64{0}, Spec{Method: Ridge, Centre: true, Unit: Absolute}); !errors.Is(err, ErrIllConditioned) {
		t.Errorf("only λ=0: %v, want ErrIllConditioned", err)
	}
}

func TestCrossValidationRefusesBadInput(t *testing.T) {
	x, y, _ := planted(20, 3, 2, 1, 57)
	good, _, _ := foldsOf(t, 2, 3, 2, x, y)
	whole, _, _ := foldsOf(t, 1, 3, 2, x, y)
	empty := *good
	empty.Count = 3
	for name, c := range map[string]struct {
		folds   Folds
		lambdas []float64
		unit    LambdaUnit
	}{
		"one fold":     {whole, []float64{1}, Relative},
		"no penalty":   {good, nil, Relative},
		"negative":     {good, []float64{-1}, Relative},
		"NaN":          {good, []float64{math.NaN()}, Relative},
		"unknown unit": {good, []float64{1}, "metre"},
		"empty fold":   {&empty, []float64{1}, Relative},
	} {
		if cv, err := CrossValidate(c.folds, c.lambdas, Spec{Method: Ridge, Centre: true, Unit: c.unit}); err == nil {
			t.Errorf("%s: accepted, %+v", name, cv)
		}
	}
}

func TestTableRefusesBadInput(t *testing.T) {
	x, y := normals(12, 1), normals(8, 3)
	hole := slices.Clone(x)
	hole[7] = float32(math.NaN())
	for name, c := range map[string]struct {
		d, e int
		x, y []float32
		fold []int
		want string
	}{
		"no width":       {0, 2, x, y, []int{0, 1, 0, 1}, "0 and 2 dimensions"},
		"other widths":   {3, 3, x, y, []int{0, 1, 0, 1}, "are not rows of 3 and 3"},
		"too few folds":  {3, 2, x, y, []int{0, 1, 0}, "folds of 3 rows"},
		"negative fold":  {3, 2, x, y, []int{0, -1, 0, 1}, "row 1 is in fold -1"},
		"fold of no row": {3, 2, x, y, []int{0, 2, 0, 2}, "fold 1 of 3 has no row"},
		"NaN":            {3, 2, hole, y, []int{0, 1, 0, 1}, "source row 2, dimension 1 is NaN"},
	} {
		if table, err := NewTable(c.d, c.e, c.x, c.y, c.fold); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, error %v, want one with %q", name, table, err, c.want)
		}
	}
}

// The curve has maps of 1, 2 and 4 folds, and of all but the first.
func TestLearningCurveRises(t *testing.T) {
	const d, e, k = 10, 8, 7
	x, y, _ := planted(70, d, e, 8, 61)
	folds, xs, ys := foldsOf(t, k, d, e, x, y)
	study, err := FitBest(folds, []float64{centredRidge.Lambda}, centredRidge)
	if err != nil {
		t.Fatal(err)
	}
	points := study.Curve
	if len(points) != 4 || points[3].Held.R2 <= points[0].Held.R2 {
		t.Fatalf("curve %+v, want four rising points", points)
	}
	for i, last := range []int{1, 2, 4, 6} {
		g := gramOf(t, d, e, slices.Concat(xs[1:last+1]...), slices.Concat(ys[1:last+1]...))
		want, err := fit(t, g, centredRidge).Goodness(gramOf(t, d, e, xs[0], ys[0]))
		if err != nil {
			t.Fatal(err)
		}
		if p := points[i]; p.N != 10*last || math.Abs(p.Held.R2-want.R2) > 1e-10 {
			t.Errorf("point %d: %d rows, R² %.12f, want %d and %.12f", i, p.N, p.Held.R2, 10*last, want.R2)
		}
	}
}

func BenchmarkCrossValidate(b *testing.B) {
	const n, d, e = 2000, 128, 96
	x, y, _ := planted(n, d, e, 1, 63)
	folds, _, _ := foldsOf(b, 5, d, e, x, y)
	for b.Loop() {
		if _, err := CrossValidate(folds, []float64{1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10}, ridgeOf(true)); err != nil {
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
