package linear

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// odd makes rows awkward: a constant column, a dead one, one that is twice another, and a huge one.
func odd(x []float32, d int) []float32 {
	x = slices.Clone(x)
	for i := 0; i < len(x); i += d {
		x[i], x[i+1], x[i+2], x[i+4] = 7, 0, 2*x[i+3], 300*x[i+4]
	}
	return x
}

// equalButFirst makes the columns of the last two thirds orthogonal and of one length, so that maps of these
// have but one eigenvalue, give or take rounding: 32 values of Walsh functions, twice.
func equalButFirst(x []float32, d int) []float32 {
	x = slices.Clone(x)
	for i := len(x) / d / 3; i < len(x)/d; i++ {
		for j := range d {
			x[i*d+j] = 1
			for b := i % 32 & (j + 1); b > 0; b &= b - 1 { // all but the constant one
				x[i*d+j] = -x[i*d+j]
			}
		}
	}
	return x
}

// TestEveryWayScoresAlike scores each fold by every way there is, against the definition: a map that is fitted
// on the other rows, and its errors one by one.
func TestEveryWayScoresAlike(t *testing.T) {
	const e, k = 6, 3
	lambdas := []float64{1e-4, .03, 1, 50}
	for _, shape := range []struct {
		name string
		n, d int
		x    func(x []float32, d int) []float32
	}{
		{"many rows", 90, 9, nil},
		{"few held out", 90, 40, nil},
		{"fewer than dimensions", 30, 40, nil},
		{"many odd rows", 90, 9, odd},
		{"few odd rows held out", 90, 40, odd},
		{"odd rows, fewer than dimensions", 30, 40, odd},
		{"equal eigenvalues", 3 * 32, 16, equalButFirst},
		{"equal eigenvalues, few held out", 3 * 32, 32, equalButFirst},
	} {
		x, y, _ := planted(shape.n, shape.d, e, 2, 71)
		if shape.x != nil {
			x = shape.x(x, shape.d)
		}
		fold := make([]int, shape.n)
		for i := range fold {
			fold[i] = i * k / shape.n
		}
		folds, err := NewTable(shape.d, e, x, y, fold)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range []Spec{ridgeOf(true), ridgeOf(false), {Method: Standardised, Centre: true, Unit: Relative}, {Method: Standardised, Unit: Absolute}} {
			for hold := range k {
				name := fmt.Sprintf("%s, %s, centred %t, fold %d", shape.name, spec.Method, spec.Centre, hold)
				ways := everyWay(t, folds, spec, hold, lambdas)
				if len(ways) < 2 {
					t.Fatalf("%s: scored in %d ways", name, len(ways))
				}
				for way, r := range ways {
					for i, lambda := range lambdas {
						s := spec
						s.Lambda = lambda
						sse, sst := byDefinition(t, folds, s, hold)
						if r.sse[i] == nil {
							t.Errorf("%s, %s, λ=%g: not scored", name, way, lambda)
							continue
						}
						// Conditions reach 10⁷ with the huge column; the sums are of float64.
						for j := range e {
							if got, want := r.sse[i][j], sse[j]; math.Abs(got-want) > 1e-8*max(want, sst[j]) || math.Abs(r.sst[j]-sst[j]) > 1e-10*sst[j] {
								t.Errorf("%s, %s, λ=%g, target %d: error %.12g of %.12g, want %.12g of %.12g", name, way, lambda, j, got, r.sst[j], want, sst[j])
							}
						}
					}
				}
			}
		}
	}
}

// everyWay opens a fold from sums, from sums and its rows, and from rows alone, where that is possible, and scores
// it by solving and by reducing.
func everyWay(t *testing.T, folds *Table, spec Spec, k int, lambdas []float64) map[string]*round {
	t.Helper()
	r, _, err := newRounds(folds, lambdas, spec)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]func() (*fold, error){
		"sums": func() (*fold, error) {
			held, train := NewGram(folds.D, folds.E), NewGram(folds.D, folds.E)
			if err := folds.AddTo(held, k); err != nil {
				return nil, err
			}
			train.set(held)
			train.complement(r.total)
			return r.open(train, k, held)
		},
		"held-out rows": func() (*fold, error) {
			train := NewGram(folds.D, folds.E)
			if err := folds.AddTo(train, k); err != nil {
				return nil, err
			}
			train.complement(r.total)
			return r.open(train, k, nil)
		},
		"all rows": func() (*fold, error) { return r.openRows(r.allBut(k), k) },
	}
	out := map[string]*round{}
	for name, open := range open {
		if name == "all rows" && r.total.N-r.sizes[k] >= folds.D {
			continue // the rows would have eigenvalues of zero, of which S knows nothing
		}
		for _, way := range []string{"solved", "reduced"} {
			f, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if way == "solved" && f.rt == nil {
				continue
			}
			var absolute []float64
			for _, lambda := range lambdas {
				a, err := spec.Unit.absolute(lambda, f.mean)
				if err != nil {
					t.Fatal(err)
				}
				absolute = append(absolute, a)
			}
			s := &round{n: f.h, sst: f.sst, absolute: absolute}
			if way == "solved" {
				s.sse = f.solve(absolute, new(scratch))
			} else if s.sse, err = f.reduce(absolute); err != nil {
				t.Fatal(err)
			}
			out[name+", "+way] = s
		}
	}
	return out
}

// byDefinition fits the other rows and predicts those of fold k.
func byDefinition(t *testing.T, folds *Table, spec Spec, k int) (sse, sst []float64) {
	t.Helper()
	others := NewGram(folds.D, folds.E)
	for other := range folds.Count {
		if other != k {
			if err := folds.AddTo(others, other); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := fit(t, others, spec)
	x, y, err := folds.Rows(k)
	if err != nil {
		t.Fatal(err)
	}
	predicted := make([]float64, len(y))
	for i := range len(y) / folds.E {
		row := predicted[i*folds.E : (i+1)*folds.E]
		copy(row, m.MeanY)
		for p := range folds.D {
			m.addRow(row, p, float64(x[i*folds.D+p])-m.MeanX[p])
		}
	}
	wide := less(y, make([]float64, folds.E), nil)
	return squaredDifferences(wide, predicted, folds.E), columnSquares(wide, folds.E)
}

// TestNoPenaltyWithoutRows: where there are fewer rows than dimensions, no way solves without a penalty. The scores
// of what is left are those of its penalty.
func TestNoPenaltyWithoutRows(t *testing.T) {
	x, y, _ := planted(30, 40, 5, 1, 73)
	folds, _, _ := foldsOf(t, 3, 40, 5, x, y)
	for _, centre := range []bool{true, false} {
		spec := ridgeOf(centre)
		spec.Lambda = 1e-3
		want, sst := byDefinition(t, folds, spec, 1)
		for way, r := range everyWay(t, folds, ridgeOf(centre), 1, []float64{0, 1e-15, 1e-3}) {
			if r.sse[0] != nil || r.sse[1] != nil || r.sse[2] == nil {
				t.Fatalf("centred %t, %s: scored %t, %t, %t at λ = 0, 1e-15 and 1e-3, want the last alone", centre, way, r.sse[0] != nil, r.sse[1] != nil, r.sse[2] != nil)
			}
			for j, got := range r.sse[2] {
				if math.Abs(got-want[j]) > 1e-9*max(want[j], sst[j]) {
					t.Errorf("centred %t, %s, target %d: error %.12g, want %.12g", centre, way, j, got, want[j])
				}
			}
		}
	}
}

// TestFewMoreRowsThanDimensions have a map without a penalty: 20 other rows in 15 dimensions.
func TestFewMoreRowsThanDimensions(t *testing.T) {
	x, y, _ := planted(30, 15, 5, 1, 77)
	folds, _, _ := foldsOf(t, 3, 15, 5, x, y)
	spec := Spec{Method: OLS, Centre: true}
	cv, err := CrossValidate(folds, nil, spec)
	if err != nil {
		t.Fatal(err)
	}
	var r2 []float64
	for k := range folds.Count {
		sse, sst := byDefinition(t, folds, spec, k)
		r2 = append(r2, goodnessOf(sse, sst, 1).R2)
	}
	if got, want := cv.Penalties[0].R2, mean(r2); math.Abs(got-want) > 1e-9 {
		t.Errorf("R² %.12f, want %.12f", got, want)
	}
}

// TestColumnConstantInTheOtherFolds counts for nothing: the errors are those without it, though it is massive and
// varies in the fold that is held out.
func TestColumnConstantInTheOtherFolds(t *testing.T) {
	const d, e, at = 12, 4, 5
	for _, n := range []int{15, 30, 90} { // by all rows, few held out, many held out
		x, y, _ := planted(n, d, e, 1, 83)
		var without []float32
		for i := range n {
			x[i*d+at] += 10000.3
			if i/5%3 != 0 {
				x[i*d+at] = 10000.3
			}
			without = append(append(without, x[i*d:i*d+at]...), x[i*d+at+1:(i+1)*d]...)
		}
		for _, method := range []Method{Ridge, Standardised} {
			spec := Spec{Method: method, Centre: true, Lambda: 1e-3, Unit: Absolute}
			folds, _, _ := foldsOf(t, 3, d-1, e, without, y)
			sse, sst := byDefinition(t, folds, spec, 0)
			folds, _, _ = foldsOf(t, 3, d, e, x, y)
			for way, r := range everyWay(t, folds, spec, 0, []float64{spec.Lambda}) {
				for j, want := range sse {
					if got := r.sse[0][j]; math.Abs(got-want) > 1e-9*max(want, sst[j]) {
						t.Errorf("%d rows, %s, %s, target %d: error %.12g, without the column %.12g", n, method, way, j, got, want)
					}
				}
			}
		}
	}
}

// TestColumnThatVariesByRounding is constant to every way alike: one value of it is a unit of float32 off. Only
// where a map standardises would it count for as much as the others.
func TestColumnThatVariesByRounding(t *testing.T) {
	const n, d, e = 18, 20, 3
	x, y, _ := planted(n, d, e, 1, 79)
	for i := range n {
		x[i*d] = 1
	}
	x[(n-1)*d] += 0x1p-23
	folds, _, _ := foldsOf(t, 3, d, e, x, y)
	ways := everyWay(t, folds, Spec{Method: Standardised, Centre: true, Unit: Relative}, 1, []float64{.1})
	want := ways["sums, reduced"]
	for way, r := range ways {
		for j, got := range r.sse[0] {
			if math.Abs(got-want.sse[0][j]) > 1e-9*want.sst[j] {
				t.Errorf("%s, target %d: error %.12g, from sums %.12g", way, j, got, want.sse[0][j])
			}
		}
	}
}

// TestWayIsChosenByWork: few penalties are solved for, many are not; rows that are too many are not asked for.
func TestWayIsChosenByWork(t *testing.T) {
	f := &fold{order: 3584, e: 4096, h: 1000, rt: []float64{}}
	if 4*f.solving() > f.reducing() || 100*f.solving() < f.reducing() {
		t.Errorf("solving takes %g operations a penalty, reducing %g: want 4 penalties solved, and 100 reduced", f.solving(), f.reducing())
	}
}

// TestDegreesOfFreedomByEitherWay has few penalties, and many.
func TestDegreesOfFreedomByEitherWay(t *testing.T) {
	x, y, _ := planted(50, 12, 3, 1, 75)
	var grid []float64
	for i := range decompositions + 1 {
		grid = append(grid, float64(i+1)/4)
	}
	moments := func() *moments { g := gramOf(t, 12, 3, x, y); return g.moments(true) }
	many, err := moments().degreesOfFreedom(grid, new(scratch))
	if err != nil {
		t.Fatal(err)
	}
	few, err := moments().degreesOfFreedom(grid[:2], new(scratch))
	if err != nil {
		t.Fatal(err)
	}
	for i := range few {
		if math.Abs(few[i]-many[i]) > 1e-10 {
			t.Errorf("λ=%g: %.12f degrees of freedom from a decomposition, %.12f from the eigenvalues", grid[i], few[i], many[i])
		}
	}
}
