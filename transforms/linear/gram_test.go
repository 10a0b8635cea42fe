package linear

import (
	"math"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// A Gram is what its definition says, however the rows were cut.
func TestGramIsItsDefinition(t *testing.T) {
	const n, d, e = blockRows + 77, 5, 3
	x, y, _ := planted(n, d, e, 1, 31)
	whole := gramOf(t, d, e, x, y)
	var xx, xy mat.Dense
	xx.Mul(dense(n, d, x).T(), dense(n, d, x))
	xy.Mul(dense(n, d, x).T(), dense(n, e, y))
	// Sums of n terms of size up to 1000.
	const tol = n * 0x1p-52 * 1e3 * n
	for i := range d {
		for j := i; j < d; j++ {
			if got, want := whole.XtX[i*d+j], xx.At(i, j); math.Abs(got-want) > tol {
				t.Fatalf("XtX[%d,%d] = %g, want %g", i, j, got, want)
			}
		}
		for j := range e {
			if got, want := whole.XtY[i*e+j], xy.At(i, j); math.Abs(got-want) > tol {
				t.Fatalf("XtY[%d,%d] = %g, want %g", i, j, got, want)
			}
		}
	}
	parts := NewGram(d, e)
	for _, cut := range [][2]int{{0, 100}, {100, 101}, {101, n}} {
		p := gramOf(t, d, e, x[cut[0]*d:cut[1]*d], y[cut[0]*e:cut[1]*e])
		if err := parts.Merge(p); err != nil {
			t.Fatal(err)
		}
	}
	if parts.N != n {
		t.Errorf("%d rows merged, want %d", parts.N, n)
	}
	for i, want := range whole.Flat() {
		if got := parts.Flat()[i]; math.Abs(got-want) > tol {
			t.Fatalf("merged value %d = %g, want %g", i, got, want)
		}
	}
}

// The sums are one chain along the rows, however these are cut, and whatever the number of threads.
func TestGramDoesNotDependOnCuts(t *testing.T) {
	const n, d, e = 1100, 40, 70
	x, y, _ := planted(n, d, e, 1, 32)
	whole := gramOf(t, d, e, x, y)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	parts := NewGram(d, e)
	for from := 0; from < n; from += 123 {
		to := min(n, from+123)
		if err := parts.Add(x[from*d:to*d], y[from*e:to*e]); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(whole.Flat(), parts.Flat()) {
		t.Error("rows that are added in parts, on one thread, gave different bits")
	}
}

func TestFlatRoundTrip(t *testing.T) {
	x, y, _ := planted(50, 4, 6, 1, 33)
	g := gramOf(t, 4, 6, x, y)
	back := NewGram(4, 6)
	if err := back.MergeFlat(g.Flat()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, back) {
		t.Errorf("MergeFlat(Flat()) = %+v, want %+v", back, g)
	}
}

func TestGramRefusesWrongRows(t *testing.T) {
	g := NewGram(2, 3)
	nan := float32(math.NaN())
	for name, rows := range map[string][2][]float32{
		"ragged":       {{1, 2, 3}, {1, 2, 3}},
		"unpaired":     {{1, 2}, {1, 2, 3, 4, 5, 6}},
		"source NaN":   {{1, nan}, {1, 2, 3}},
		"target Inf":   {{1, 2}, {1, float32(math.Inf(1)), 3}},
		"no target":    {{1, 2}, nil},
		"target alone": {nil, {1, 2, 3}},
	} {
		if err := g.Add(rows[0], rows[1]); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if !reflect.DeepEqual(g, NewGram(2, 3)) {
		t.Errorf("refused rows changed the Gram: %+v", g)
	}
	if err := g.Merge(NewGram(3, 2)); err == nil {
		t.Error("a Gram of another shape was merged")
	}
}

// Whatever MergeFlat accepts, Flat writes back; of what it refuses nothing is taken.
func FuzzMergeFlat(f *testing.F) {
	f.Add(1.0, 2.0, 1.0, 12)
	f.Add(0.0, 2.0, 1.0, 12)
	f.Add(1.0, 2.0, 1.0, 11)
	f.Add(-1.0, 1e300, 0.5, 3)
	f.Add(math.NaN(), math.Inf(1), 1048577.0, 0)
	f.Fuzz(func(t *testing.T, n, d, e float64, length int) {
		flat := make([]float64, max(0, min(length, 1<<12)))
		for i := range flat {
			flat[i] = float64(i) * n
		}
		copy(flat, []float64{n, d, e})
		g := NewGram(2, 1)
		switch err := g.MergeFlat(flat); {
		case err == nil && !slices.Equal(g.Flat(), flat):
			t.Errorf("Flat() = %v, want %v", g.Flat(), flat)
		case err != nil && !slices.Equal(g.Flat(), NewGram(2, 1).Flat()):
			t.Errorf("%v, and the sums are %v", err, g.Flat())
		}
	})
}

// A residual stream that is almost all mean (0.99 of its norm) must still be centred well: the
// documented loss is 2·log₁₀(|mean|/spread) digits.
func TestCentringSurvivesLargeMeans(t *testing.T) {
	const n, d, e = 400, 6, 4
	x, y, w := planted(n, d, e, 0, 35)
	for i := range x {
		x[i] = float32(math.Round(float64(x[i])*64)/64) + 4096
	}
	for i := range n {
		for j := range e {
			sum := 0.0
			for k := range d {
				sum += (float64(x[i*d+k]) - 4096) * w.At(k, j)
			}
			y[i*e+j] = float32(sum)
		}
	}
	m := fit(t, gramOf(t, d, e, x, y), Spec{Method: OLS, Centre: true})
	for i := range m.W {
		// (4096/4)² = 1e6 of 2^-52 lost, times n; float32 rounding of y adds 1e-6.
		if got, want := m.W[i], w.At(i/e, i%e); math.Abs(got-want) > 1e-5 {
			t.Errorf("W[%d] = %g, want %g", i, got, want)
		}
	}
}

// TestComplementIsTheOtherRows takes whole rows from all, in numbers that are exact, and refuses those of others.
func TestComplementIsTheOtherRows(t *testing.T) {
	x, y := []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 0, 2, -1}
	all, some, rest := NewGram(2, 1), NewGram(2, 1), NewGram(2, 1)
	for g, rows := range map[*Gram][2]int{all: {0, 4}, some: {1, 3}} {
		if err := g.Add(x[2*rows[0]:2*rows[1]], y[rows[0]:rows[1]]); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 3} {
		if err := rest.Add(x[2*i:2*i+2], y[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := some.Complement(all); err != nil || !slices.Equal(some.Flat(), rest.Flat()) {
		t.Errorf("%v (%v), want %v", some.Flat(), err, rest.Flat())
	}
	if err := all.Complement(rest); err == nil {
		t.Error("four rows are among two")
	}
	if err := rest.Complement(NewGram(3, 1)); err == nil {
		t.Error("rows of two dimensions are among those of three")
	}
}
