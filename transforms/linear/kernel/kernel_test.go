package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	blasgonum "gonum.org/v1/gonum/blas/gonum"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"
)

func normals(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]float64, n)
	for i := range out {
		out[i] = r.NormFloat64()
	}
	return out
}

// everyWay runs a test with each kernel that this machine has, on one thread and on three, and requires the
// same bits of all: K2.
func everyWay(t *testing.T, name string, run func() []float64) (first []float64) {
	t.Helper()
	defer func(k *kernels, n int) { active = k; runtime.GOMAXPROCS(n) }(active, runtime.GOMAXPROCS(0))
	for _, k := range append(vectorKernels(), generic) {
		for _, threads := range []int{1, 3} {
			active = k
			runtime.GOMAXPROCS(threads)
			got := run()
			if first == nil {
				first = got
			}
			for i := range got {
				if math.Float64bits(got[i]) != math.Float64bits(first[i]) {
					t.Fatalf("%s: %s on %d threads has %g at %d, others %g", name, k.name, threads, got[i], i, first[i])
				}
			}
		}
	}
	return first
}

var bothTrans = []blas.Transpose{blas.NoTrans, blas.Trans}

// TestProductIsOneChain compares with the definition, K1, to the bit. Sizes cross every block's edge.
func TestProductIsOneChain(t *testing.T) {
	for _, size := range [][3]int{{1, 1, 1}, {12, 16, 5}, {13, 17, 193}, {97, 33, 200}, {5, 40, 0}, {100, 70, 385}, {14, 20, 1030}, {2, 4120, 3}} {
		m, n, k := size[0], size[1], size[2]
		for _, tA := range bothTrans {
			for _, tB := range bothTrans {
				for _, factors := range [][2]float64{{1, 0}, {1, 1}, {-1, 1}, {.7, -.3}, {0, 2}} {
					alpha, beta := factors[0], factors[1]
					lda, ldb, ldc, rowsA, rowsB := k+3, n+2, n+5, m, k
					if trans(tA) {
						lda, rowsA = m+3, k
					}
					if trans(tB) {
						ldb, rowsB = k+2, n
					}
					a, b, c := normals(rowsA*lda, 1), normals(rowsB*ldb, 2), normals(m*ldc, 3)
					if beta == 0 {
						c[0] = math.NaN()
					}
					name := fmt.Sprintf("%d×%d×%d, %c%c, %v", m, n, k, tA, tB, factors)
					got := everyWay(t, name, func() []float64 {
						out := slices.Clone(c)
						routines{}.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, out, ldc)
						return out
					})
					for i := range m {
						for j := range ldc {
							want := c[i*ldc+j]
							if j < n {
								if want *= beta; beta == 0 {
									want = 0
								}
								for p := 0; p < k && alpha != 0; p++ {
									atA, atB := i*lda+p, p*ldb+j
									if trans(tA) {
										atA = p*lda + i
									}
									if trans(tB) {
										atB = j*ldb + p
									}
									want = math.FMA(alpha*a[atA], b[atB], want)
								}
							}
							if got[i*ldc+j] != want {
								t.Fatalf("%s: element (%d, %d) is %g, want %g", name, i, j, got[i*ldc+j], want)
							}
						}
					}
				}
			}
		}
	}
}

// TestSymmetricProductIsOneTriangle: its elements are those of the whole product, the others are left alone.
func TestSymmetricProductIsOneTriangle(t *testing.T) {
	for _, size := range [][2]int{{1, 3}, {16, 12}, {110, 30}, {61, 200}} {
		n, k := size[0], size[1]
		for _, tA := range bothTrans {
			lda := k
			if trans(tA) {
				lda = n
			}
			a, c := normals(n*k, 1), normals(n*n, 2)
			whole := slices.Clone(c)
			other := blas.Trans
			if trans(tA) {
				other = blas.NoTrans
			}
			routines{}.Dgemm(tA, other, n, n, k, -1, a, lda, a, lda, .5, whole, n)
			for _, uplo := range []blas.Uplo{blas.Upper, blas.Lower} {
				name := fmt.Sprintf("%d×%d, %c %c", n, k, uplo, tA)
				got := everyWay(t, name, func() []float64 {
					out := slices.Clone(c)
					routines{}.Dsyrk(uplo, tA, n, k, -1, a, lda, .5, out, n)
					return out
				})
				for i := range n {
					for j := range n {
						want := c[i*n+j]
						if uplo == blas.Upper && j >= i || uplo == blas.Lower && j <= i {
							want = whole[i*n+j]
						}
						if got[i*n+j] != want {
							t.Fatalf("%s: element (%d, %d) is %g, want %g", name, i, j, got[i*n+j], want)
						}
					}
				}
			}
		}
	}
}

// TestTriangularSystems multiplies back by gonum's DTRMM. A triangle whose diagonal is n and whose other
// elements are normal is well conditioned, so the error of one row is about n·ε of what it was made from.
func TestTriangularSystems(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {12, 16}, {13, 5}, {50, 33}, {200, 20}, {401, 17}} {
		order, other := size[0], size[1]
		for _, side := range []blas.Side{blas.Left, blas.Right} {
			m, n := order, other
			if side == blas.Right {
				m, n = other, order
			}
			for _, uplo := range []blas.Uplo{blas.Upper, blas.Lower} {
				for _, tA := range bothTrans {
					for _, diag := range []blas.Diag{blas.NonUnit, blas.Unit} {
						lda, ldb := order+2, n+3
						a, b := normals(order*lda, 4), normals(m*ldb, 5)
						for i := range order {
							for j := range order {
								a[i*lda+j] /= float64(order)
							}
							a[i*lda+i] = 2
						}
						name := fmt.Sprintf("%d of %d, %c %c %c %c", order, other, side, uplo, tA, diag)
						got := everyWay(t, name, func() []float64 {
							out := slices.Clone(b)
							routines{}.Dtrsm(side, uplo, tA, diag, m, n, .5, a, lda, out, ldb)
							return out
						})
						blasgonum.Implementation{}.Dtrmm(side, uplo, tA, diag, m, n, 2, a, lda, got, ldb)
						for i, want := range b {
							if math.Abs(got[i]-want) > 1e-13*float64(order) {
								t.Fatalf("%s: at %d %g, want %g", name, i, got[i], want)
							}
						}
					}
				}
			}
		}
	}
}

// TestCholeskyMultipliesBack: uᵀu is the matrix, to n·ε of its diagonal, which is about n.
func TestCholeskyMultipliesBack(t *testing.T) {
	for _, n := range []int{1, 2, 47, 48, 49, 100, 333} {
		x, a := normals((n+5)*n, 6), make([]float64, n*n)
		routines{}.Dgemm(blas.Trans, blas.NoTrans, n, n, n+5, 1, x, n, x, n, 0, a, n)
		got := everyWay(t, fmt.Sprint(n), func() []float64 {
			u := slices.Clone(a)
			if !(decompositions{}).Dpotrf(blas.Upper, n, u, n) {
				t.Fatalf("%d: not positive definite", n)
			}
			return u
		})
		for i := range n {
			for j := range n {
				if j < i {
					if got[i*n+j] != a[i*n+j] {
						t.Fatalf("%d: element (%d, %d) below the diagonal was changed", n, i, j)
					}
					continue
				}
				sum := 0.0
				for k := range i + 1 {
					sum += got[k*n+i] * got[k*n+j]
				}
				if math.Abs(sum-a[i*n+j]) > 1e-14*float64(n*n) {
					t.Fatalf("%d: element (%d, %d) is %g, want %g", n, i, j, sum, a[i*n+j])
				}
			}
		}
		a[(n-1)*n+n-1] = -1
		if (decompositions{}).Dpotrf(blas.Upper, n, a, n) {
			t.Errorf("%d: a matrix with a negative diagonal element was decomposed", n)
		}
		clear(a)
		for i := range n {
			a[i*n+i] = 1
		}
		a[n/2*n+n/2] = math.Inf(1)
		if (decompositions{}).Dpotrf(blas.Upper, n, a, n) {
			t.Errorf("%d: a matrix with an infinite diagonal element was decomposed", n)
		}
	}
}

// TestLowerCholeskyIsGonums, which nothing here needs faster.
func TestLowerCholeskyIsGonums(t *testing.T) {
	a := []float64{4, 9, 2, 5}
	b := slices.Clone(a)
	ok, want := decompositions{}.Dpotrf(blas.Lower, 2, a, 2), lapackgonum.Implementation{}.Dpotrf(blas.Lower, 2, b, 2)
	if ok != want || !slices.Equal(a, b) || a[1] != 9 {
		t.Errorf("%t %v, want %t %v", ok, a, want, b)
	}
}

func benchmark(b *testing.B, flops float64, run func()) {
	for b.Loop() {
		run()
	}
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkProduct(b *testing.B) {
	for _, s := range [][3]int{{256, 256, 256}, {1000, 4096, 3584}, {2048, 2048, 2048}, {3584, 4096, 512}} {
		m, n, k := s[0], s[1], s[2]
		x, y, c := normals(m*k, 1), normals(k*n, 2), make([]float64, m*n)
		for _, tA := range bothTrans {
			lda := k
			if trans(tA) {
				lda = m
			}
			b.Run(fmt.Sprintf("%dx%dx%d/%c", m, n, k, tA), func(b *testing.B) {
				benchmark(b, 2*float64(m)*float64(n)*float64(k), func() {
					routines{}.Dgemm(tA, blas.NoTrans, m, n, k, 1, x, lda, y, n, 1, c, n)
				})
			})
		}
	}
}

func BenchmarkSymmetricProduct(b *testing.B) {
	const n, k = 3584, 1000
	x, c := normals(n*k, 1), make([]float64, n*n)
	benchmark(b, n*n*k, func() { routines{}.Dsyrk(blas.Upper, blas.Trans, n, k, 1, x, n, 1, c, n) })
}

func BenchmarkTriangle(b *testing.B) {
	for _, side := range []blas.Side{blas.Left, blas.Right} {
		b.Run(fmt.Sprintf("%c", side), func(b *testing.B) {
			const n, cols = 3584, 1000
			a, x := normals(n*n, 1), normals(n*cols, 2)
			for i := range a {
				a[i] /= n
			}
			for i := range n {
				a[i*n+i] = 2
			}
			m, w := n, cols
			if side == blas.Right {
				m, w = w, m
			}
			benchmark(b, n*n*cols, func() { routines{}.Dtrsm(side, blas.Upper, blas.Trans, blas.NonUnit, m, w, 1, a, n, x, w) })
		})
	}
}

func BenchmarkCholesky(b *testing.B) {
	for _, n := range []int{48, 448, 1024, 3584} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := normals(n*n, 1)
			for i := range n {
				a[i*n+i] = 4 * math.Sqrt(float64(n))
			}
			u := make([]float64, n*n)
			benchmark(b, float64(n)*float64(n)*float64(n)/3, func() {
				copy(u, a)
				if !(decompositions{}).Dpotrf(blas.Upper, n, u, n) {
					b.Fatal("not positive definite")
				}
			})
		})
	}
}
