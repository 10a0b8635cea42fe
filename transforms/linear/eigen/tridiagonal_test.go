package eigen

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Q is orthogonal and QᵀAQ tridiagonal, with the elements that the reduction says. Sizes are around a panel and two.
func TestReductionsAreSimilar(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 31, 32, 33, 34, 63, 65, 100, 130} {
		a := randomMatrix(n, 4)
		r := reduce(slices.Clone(a), n, nil, fastest)
		q := make([]float64, n*n)
		for i := range n {
			q[i*n+i] = 1
		}
		r.back(q) // I·Qᵀ
		qa, tri, gram := square(make([]float64, n*n), n), square(make([]float64, n*n), n), square(make([]float64, n*n), n)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, square(q, n), square(a, n), 0, qa)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, qa, square(q, n), 0, tri)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, square(q, n), square(q, n), 0, gram)
		norm := blas64.Nrm2(blas64.Vector{N: n * n, Inc: 1, Data: a})
		for i := range n {
			for j := range n {
				var want, one float64
				switch {
				case i == j:
					want, one = r.d[i], 1
				case i-j == 1 || j-i == 1:
					want = r.e[min(i, j)]
				}
				if got := tri.Data[i*n+j]; !(math.Abs(got-want) <= slack(n)*norm) {
					t.Fatalf("n=%d: element (%d, %d) of QᵀAQ is %v, want %v", n, i, j, got, want)
				}
				if got := gram.Data[i*n+j]; !(math.Abs(got-one) <= slack(n)) {
					t.Fatalf("n=%d: element (%d, %d) of QᵀQ is %v", n, i, j, got)
				}
			}
		}
	}
}

// A product of parts is the whole product, whatever the size leaves over in groups of eight.
func TestSymmetricProductsOfParts(t *testing.T) {
	for m := 1; m <= 90; m++ {
		const at = 3
		n := m + at
		a := randomMatrix(n, uint64(m))
		x := randomMatrix(n, 100)[:m]
		want := make([]float64, m)
		for i := range m {
			for j := range m {
				want[i] += a[(at+i)*n+at+j] * x[j]
			}
		}
		for i := range n { // what lies below the diagonal is not read
			for j := range i {
				a[i*n+j] = math.NaN()
			}
		}
		r := &reduction{a: a, n: n, k: fastest}
		bounds := partsOf(m)
		if bounds[0] != 0 || bounds[group] != m || !slices.IsSorted(bounds[:]) {
			t.Fatalf("parts of %d rows: %v", m, bounds)
		}
		got := make([]float64, m)
		for p := range group {
			if p > 0 && (m-bounds[p])%group != 0 {
				t.Fatalf("parts of %d rows: %v", m, bounds)
			}
			r.symmetric(got, x, at, bounds[p], bounds[p+1], new([group * lanes]float64))
		}
		for i := range got {
			// A sum of m products of some units.
			if !(math.Abs(got[i]-want[i]) <= 2*float64(m)*eps*10*math.Sqrt(float64(m))) {
				t.Fatalf("m=%d: element %d is %v, want %v", m, i, got[i], want[i])
			}
		}
	}
}

func TestPartsAreOfOneSize(t *testing.T) {
	const m = 4096
	bounds := partsOf(m)
	for p := range group {
		from, to := float64(m-bounds[p]), float64(m-bounds[p+1])
		// A bound is moved by less than a group of eight rows, each of up to m columns.
		if got, want := (from*from-to*to)/2, float64(m*m/2/group); math.Abs(got-want) > 2*group*m {
			t.Errorf("part %d has %g elements, want %g", p, got, want)
		}
	}
}

func TestReflectors(t *testing.T) {
	for _, x := range [][]float64{{3, 4}, {-3, 4, 0, 12}, {0, 1}, {1e-140, 1e-130, 1e-140}, {1, 1e-8}, {5}, {2, 0, 0}, {1, 1e-160, 1e-170}, {1e-163, 2e-162, 1e-162}} {
		v := make([]float64, len(x))
		beta, tau := reflector(v, slices.Clone(x))
		var dot, size float64
		for i := range x {
			dot += v[i] * x[i]
			size = math.Hypot(size, x[i])
		}
		for i := range x {
			want := 0.0
			if i == 0 {
				want = beta
			}
			// Elements of less than 2⁻⁴⁵⁰ are taken for zero.
			if got := x[i] - tau*dot*v[i]; math.Abs(got-want) > 8*eps*size+0x1p-450 {
				t.Errorf("%v reflected by %v, τ=%v: element %d is %v, want %v", x, v, tau, i, got, want)
			}
		}
		// H is orthogonal exactly if τ·vᵀv = 2 or τ = 0.
		var square float64
		for _, u := range v {
			square += u * u
		}
		if tau != 0 && math.Abs(tau*square-2) > 16*eps {
			t.Errorf("%v: τ·vᵀv is %v", x, tau*square)
		}
	}
}
