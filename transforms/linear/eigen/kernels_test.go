package eigen

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// others lists the kernels of this processor beside the generic ones.
func others(t *testing.T) []*kernels {
	k := vectorKernels()
	if k == nil {
		t.Skip("this processor has the generic kernels only")
	}
	return []*kernels{k}
}

func draw(r *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = r.NormFloat64()
	}
	return out
}

// sameBits tells zeros of both signs apart.
func sameBits(x, y []float64) bool {
	return slices.EqualFunc(x, y, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
}

func TestKernelsHaveTheBitsOfTheGenericOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, k := range others(t) {
		for _, n := range []int{0, 8, 16, 24, 104, 1000} {
			lda := n + 3
			a, x, y := draw(r, group*lda), draw(r, n), draw(r, n)
			f := [group]float64(draw(r, group))
			type result struct {
				sums [group * lanes]float64
				row  [lanes]float64
				y    []float64
			}
			run := func(k *kernels) (out [4]result) {
				for i := range out {
					out[i].y = slices.Clone(y)
					out[i].sums[5], out[i].row[5] = 5, 5 // what was there does not count
				}
				if n > 0 {
					k.upper(a, lda, x, out[0].y, &out[0].sums)
				}
				k.row(a[1:], x, out[1].y, f[3], &out[1].row)
				k.dots(a, lda, x, &out[2].sums)
				k.add(a, lda, out[3].y, &f)
				return out
			}
			got, want := run(k), run(&genericKernels)
			for i, name := range []string{"upper", "row", "dots", "add"} {
				if !sameBits(got[i].sums[:], want[i].sums[:]) || !sameBits(got[i].row[:], want[i].row[:]) || !sameBits(got[i].y, want[i].y) {
					t.Errorf("%s of %d columns: %s differs from the generic kernel", k.name, n, name)
				}
			}
		}
	}
}

func TestReductionsHaveTheBitsOfTheGenericOnes(t *testing.T) {
	const n = 171
	for _, k := range others(t) {
		a, b := randomMatrix(n, 8), randomMatrix(n, 8)
		got, want := reduce(a, n, nil, k), reduce(b, n, nil, &genericKernels)
		if !slices.Equal(got.d, want.d) || !slices.Equal(got.e, want.e) || !slices.Equal(got.tau, want.tau) {
			t.Errorf("%s reduces to another matrix than the generic kernels", k.name)
		}
	}
}

// The generic kernels are their formulas, up to the rounding of n products and sums.
func TestGenericKernelsAreTheirFormulas(t *testing.T) {
	const n, lda = 40, 47
	r := rand.New(rand.NewPCG(2, 2))
	a, x, y := draw(r, group*lda), draw(r, n), draw(r, n)
	f := [group]float64(draw(r, group))
	near := func(name string, i int, got float64, terms ...float64) {
		t.Helper()
		var sum, size float64
		for _, v := range terms {
			sum += v
			size += math.Abs(v)
		}
		if !(math.Abs(got-sum) <= 2*float64(len(terms))*eps*size) {
			t.Errorf("%s: element %d is %v, want %v", name, i, got, sum)
		}
	}
	product := func(row, x []float64, from int) (terms []float64) {
		for i := from; i < n; i++ {
			terms = append(terms, row[i]*x[i])
		}
		return terms
	}
	var upper, dots [group * lanes]float64
	var row [lanes]float64
	first, second, third := slices.Clone(y), slices.Clone(y), slices.Clone(y)
	genericKernels.upper(a, lda, x, first, &upper)
	genericKernels.row(a[lda:], x, second, f[1], &row)
	genericKernels.dots(a, lda, x, &dots)
	genericKernels.add(a, lda, third, &f)
	near("row", 0, total(row[:]), product(a[lda:], x, 0)...)
	for g := range group {
		near("upper", g, total(upper[g*lanes:]), product(a[g*lda:], x, g+1)...)
		near("dots", g, total(dots[g*lanes:]), product(a[g*lda:], x, 0)...)
	}
	for i := range n {
		above, all := []float64{y[i]}, []float64{y[i]}
		for g := range group {
			if g <= i {
				above = append(above, x[g]*a[g*lda+i])
			}
			all = append(all, f[g]*a[g*lda+i])
		}
		near("upper's y", i, first[i], above...)
		near("row's y", i, second[i], y[i], f[1]*a[lda+i])
		near("add's y", i, third[i], all...)
	}
}

func TestKernelsStayInsideOfTheirMatrices(t *testing.T) {
	var f [group]float64
	var sums [group * lanes]float64
	var row [lanes]float64
	x, y := make([]float64, 16), make([]float64, 16)
	for _, k := range append(others(t), &genericKernels) {
		for name, call := range map[string]func(){
			"upper, short a": func() { k.upper(make([]float64, 7*20+15), 20, x, y, &sums) },
			"upper, short y": func() { k.upper(make([]float64, 8*20), 20, x, y[:8:8], &sums) },
			"upper, short x": func() { k.upper(make([]float64, 8*20), 20, x[:0:0], y, &sums) },
			"row, short a":   func() { k.row(make([]float64, 15), x, y, 1, &row) },
			"row, short y":   func() { k.row(make([]float64, 16), x, y[:8:8], 1, &row) },
			"dots, short a":  func() { k.dots(make([]float64, 7*20+15), 20, x, &sums) },
			"add, short a":   func() { k.add(make([]float64, 7*20+15), 20, y, &f) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: %s does not panic", k.name, name)
					}
				}()
				call()
			}()
		}
	}
}
