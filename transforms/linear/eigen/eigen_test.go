package eigen

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// slack is how far, in multiples of the norm, an element of a residual may be from zero: a few n·2⁻⁵³, of
// which one n is the backward error that is promised and one the rounding of the check's own sums of n terms. For
// small n the constant of the promise counts.
func slack(n int) float64 { return float64(2*n+16) * eps }

// checkDecomposition holds values and vectors, the rows of v, against their definition.
func checkDecomposition(t *testing.T, a []float64, n int, values, v []float64) {
	t.Helper()
	if len(values) != n {
		t.Fatalf("%d values of a matrix of %d rows", len(values), n)
	}
	if !slices.IsSorted(values) {
		t.Errorf("values do not increase: %v", values)
	}
	if n == 0 {
		return
	}
	var norm, trace, sum float64
	for i, x := range values {
		norm = max(norm, math.Abs(x))
		sum += x
		trace += a[i*n+i]
	}
	// The norm of a right result is that of the matrix; too large a one would hide errors.
	if most := mat.Norm(mat.NewDense(n, n, a), 1); norm > most*(1+slack(n)) {
		t.Errorf("largest value %g of a matrix of norm at most %g", norm, most)
	}
	if most := slices.MaxFunc(a, bySize); norm < math.Abs(most)*(1-slack(n)) {
		t.Errorf("largest value %g of a matrix with an element %g", norm, most)
	}
	if got := math.Abs(trace - sum); got > float64(n)*slack(n)*norm {
		t.Errorf("trace %g, values add up to %g", trace, sum)
	}
	A, V := square(a, n), square(v, n)
	product := square(make([]float64, n*n), n)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, V, A, 0, product)
	gram := square(make([]float64, n*n), n)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, V, V, 0, gram)
	var residual, skew float64
	for i := range n {
		for j := range n {
			residual = worse(residual, product.Data[i*n+j]-values[i]*v[i*n+j])
			want := 0.0
			if i == j {
				want = 1
			}
			skew = worse(skew, gram.Data[i*n+j]-want)
		}
		row := v[i*n:][:n]
		most := slices.MaxFunc(row, bySize)
		if most < 0 {
			t.Errorf("the largest element of vector %d is %g", i, most)
		}
	}
	const last = 0x1p-1074 // of the digits where numbers end
	if !(residual <= slack(n)*norm+float64(n)*last) {
		t.Errorf("AV − VS is up to %.2e, want ≤ %.2e for norm %.2e", residual, slack(n)*norm, norm)
	}
	if !(skew <= slack(n)) {
		t.Errorf("VᵀV − I is up to %.2e, want ≤ %.2e", skew, slack(n))
	}
}

// bySize is the order of absolute values.
func bySize(x, y float64) int { return cmp.Compare(math.Abs(x), math.Abs(y)) }

// worse is the larger of two errors, and NaN if one is.
func worse(x, y float64) float64 {
	if math.IsNaN(x) || math.IsNaN(y) {
		return math.NaN()
	}
	return max(x, math.Abs(y))
}

// decompose checks both functions on a, of which the lower triangle is filled with what must not be read.
func decompose(t *testing.T, a []float64, n int) (values, v []float64) {
	t.Helper()
	v = slices.Clone(a)
	for i := range n {
		for j := range i {
			v[i*n+j] = math.NaN()
		}
	}
	own := slices.Clone(v)
	values, err := Symmetric(v, n)
	if err != nil {
		t.Fatal(err)
	}
	checkDecomposition(t, a, n, values, v)
	alone, err := Values(own, n)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(alone) || len(alone) != n {
		t.Errorf("values alone: %v", alone)
	}
	for i, x := range alone {
		// Both are within a backward error of the truth, and no value moves by more than that (Weyl).
		if norm := max(math.Abs(values[0]), math.Abs(values[n-1])); !(math.Abs(x-values[i]) <= slack(n)*norm) {
			t.Errorf("value %d is %v with vectors and %v without", i, values[i], x)
		}
	}
	return values, v
}

func TestDecompositionsOfRandomMatrices(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 127, 128, 129, 200, 256, 257, 300, 513, 520}
	for n := 31; n <= 70; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) { decompose(t, randomMatrix(n, uint64(n)), n) })
	}
}

func TestDecompositionsOfHardMatrices(t *testing.T) {
	for name, a := range hardMatrices() {
		t.Run(name, func(t *testing.T) { decompose(t, a, int(math.Round(math.Sqrt(float64(len(a)))))) })
	}
}

// Elements of few values, of all sizes, and next to none beside the diagonal: parts share values with the whole
// in every way.
func TestDecompositionsOfDrawnMatrices(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	kinds := map[string]func(i, j int) float64{
		"few values": func(int, int) float64 { return float64(r.IntN(3) - 1) },
		"all sizes":  func(int, int) float64 { return r.NormFloat64() * math.Pow(10, -float64(r.IntN(30))) },
		"graded":     func(i, j int) float64 { return r.NormFloat64() * math.Pow(2, -float64(i+j)/8) },
		"tridiagonal of all sizes": func(i, j int) float64 {
			if j-i > 1 {
				return 0
			}
			return r.NormFloat64() * math.Pow(10, -float64(r.IntN(20)))
		},
		"tridiagonal of few values": func(i, j int) float64 {
			if j-i > 1 {
				return 0
			}
			return float64(r.IntN(2))
		},
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		for range 12 {
			n := 1 + r.IntN(200)
			a := make([]float64, n*n)
			for i := range n {
				for j := i; j < n; j++ {
					a[i*n+j] = kinds[name](i, j)
					a[j*n+i] = a[i*n+j]
				}
			}
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) { decompose(t, a, n) })
		}
	}
}

// The values of the second difference matrix are known: 2 − 2·cos(πk/(n+1)).
func TestValuesThatAreKnown(t *testing.T) {
	for _, n := range []int{5, 100, 700} {
		a := make([]float64, n*n)
		for i := range n {
			a[i*n+i] = 2
			if i > 0 {
				a[i*n+i-1], a[(i-1)*n+i] = -1, -1
			}
		}
		values, _ := decompose(t, a, n)
		for k, got := range values {
			if want := 2 - 2*math.Cos(math.Pi*float64(k+1)/float64(n+1)); math.Abs(got-want) > 4*slack(n) {
				t.Errorf("n=%d: value %d is %v, want %v", n, k, got, want)
			}
		}
	}
}

func TestDecompositionsAreGonums(t *testing.T) {
	for _, n := range []int{6, 90, 280} {
		a := randomMatrix(n, 17)
		values, v := decompose(t, a, n)
		var e mat.EigenSym
		if !e.Factorize(mat.NewSymDense(n, a), true) {
			t.Fatal("gonum found no decomposition")
		}
		var u mat.Dense
		e.VectorsTo(&u)
		for i, want := range e.Values(nil) {
			norm := max(math.Abs(values[0]), math.Abs(values[n-1]))
			if math.Abs(values[i]-want) > slack(n)*norm {
				t.Errorf("n=%d: value %d is %v, gonum's is %v", n, i, values[i], want)
			}
			gap := math.Inf(1)
			for j := range values {
				if j != i {
					gap = min(gap, math.Abs(values[j]-values[i]))
				}
			}
			// A vector turns by no more than twice the error over the gap between values (Davis & Kahan).
			cos := blas64.Dot(blas64.Vector{N: n, Inc: 1, Data: v[i*n:]}, blas64.Vector{N: n, Inc: n, Data: u.RawMatrix().Data[i:]})
			if angle := 2 * slack(n) * norm * math.Sqrt(float64(n)) / gap; 1-math.Abs(cos) > angle*angle/2+slack(n) {
				t.Errorf("n=%d: vector %d has cosine %v with gonum's, the angle may be %.1e", n, i, cos, angle)
			}
		}
	}
}

// Scaling by a power of two changes no bit but the exponents of the values, however large or small the
// elements become.
func TestScaledMatricesHaveTheSameVectors(t *testing.T) {
	const n = 90
	a := randomMatrix(n, 5)
	for i := range a { // no digit is lost where numbers end
		a[i] = math.Round(a[i]*64) / 64
	}
	values, v := decompose(t, a, n)
	for _, exponent := range []int{-1060, -500, -1, 1, 500, 1010} {
		b := slices.Clone(a)
		for i := range b {
			b[i] = math.Ldexp(b[i], exponent)
		}
		got, err := Symmetric(b, n)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range values {
			if want = math.Ldexp(want, exponent); got[i] != want {
				t.Errorf("times 2^%d: value %d is %v, want %v", exponent, i, got[i], want)
			}
		}
		if !slices.Equal(b, v) {
			t.Errorf("times 2^%d: vectors differ", exponent)
		}
	}
}

func TestThreadsChangeNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, a := range map[string][]float64{"random": randomMatrix(330, 3), "clustered": clustered(270, 4)} {
		n := int(math.Sqrt(float64(len(a))))
		var values, v, alone []float64
		for _, threads := range []int{1, 2, 3, 5} {
			runtime.GOMAXPROCS(threads)
			b, c := slices.Clone(a), slices.Clone(a)
			x, err := Symmetric(b, n)
			if err != nil {
				t.Fatal(err)
			}
			y, err := Values(c, n)
			if err != nil {
				t.Fatal(err)
			}
			if threads == 1 {
				values, v, alone = x, b, y
				continue
			}
			if !slices.Equal(x, values) || !slices.Equal(b, v) || !slices.Equal(y, alone) {
				t.Errorf("%s: %d threads have other bits than one", name, threads)
			}
		}
	}
}

func TestWhatIsNoNumberIsAnError(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, f := range []func([]float64, int) ([]float64, error){Symmetric, Values} {
			a := randomMatrix(40, 1)
			a[7*40+30] = bad
			if values, err := f(a, 40); err == nil || values != nil || !strings.Contains(err.Error(), fmt.Sprintf("element (7, 30) is %v", bad)) {
				t.Errorf("%v is decomposed: %v, %v", bad, values, err)
			}
		}
	}
}

func TestValuesOutOfRangeAreAnError(t *testing.T) {
	const most = math.MaxFloat64
	for _, f := range []func([]float64, int) ([]float64, error){Symmetric, Values} {
		if values, err := f([]float64{most, most, most, most}, 2); err == nil || values != nil || !strings.Contains(err.Error(), "out of range") {
			t.Errorf("2·%g is a value: %v, %v", most, values, err)
		}
		values, err := f([]float64{most, 0, 0, -most}, 2)
		if err != nil || !slices.Equal(values, []float64{-most, most}) {
			t.Errorf("values of diag(%g, %g): %v, %v", most, -most, values, err)
		}
	}
}

// Beside a, two matrices are in memory and some thousand rows: at 4,096 rows 300 MB.
func TestMemoryIsTwoMatrices(t *testing.T) {
	const n = 700
	a := randomMatrix(n, 2)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Symmetric(a, n); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*(2*n*n+1200*n)); got > most {
		t.Errorf("%d bytes are allocated for %d rows, want at most %d", got, n, most)
	}
}

func TestShortSlicesPanic(t *testing.T) {
	for _, f := range []func([]float64, int) ([]float64, error){Symmetric, Values} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "eigen: ") {
					t.Errorf("8 elements are decomposed as 3×3: %v", r)
				}
			}()
			_, _ = f(make([]float64, 8), 3)
		}()
	}
}

// randomMatrix returns a symmetric matrix of standard normal elements.
func randomMatrix(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	a := make([]float64, n*n)
	for i := range n {
		for j := i; j < n; j++ {
			a[i*n+j] = r.NormFloat64()
			a[j*n+i] = a[i*n+j]
		}
	}
	return a
}
