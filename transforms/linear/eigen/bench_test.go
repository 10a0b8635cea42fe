package eigen

import (
	"fmt"
	"testing"
)

// The operations of a decomposition are counted as 4/3·n³ for the reduction, 4/3·n³ for the merged vectors if
// nothing deflates and 2·n³ for turning them back, as LAPACK's are.
func operations(n int, count float64) float64 { return count * float64(n) * float64(n) * float64(n) }

func benchmark(b *testing.B, sizes []int, count float64, f func(a []float64, n int) ([]float64, error)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			a := randomMatrix(n, 1)
			work := make([]float64, n*n)
			for b.Loop() {
				copy(work, a)
				if _, err := f(work, n); err != nil {
					b.Fatal(err)
				}
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(seconds, "s")
			b.ReportMetric(operations(n, count)/seconds/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkSymmetric(b *testing.B) {
	benchmark(b, []int{256, 1024, 2048}, 4./3+4./3+2, Symmetric)
}

func BenchmarkValues(b *testing.B) {
	benchmark(b, []int{256, 1024, 2048}, 4./3, Values)
}

// The phases of Symmetric, each alone.
func BenchmarkPhases(b *testing.B) {
	for _, n := range []int{256, 1024, 2048} {
		a := randomMatrix(n, 1)
		c := newCrew(2 * lonely)
		work := make([]float64, n*n)
		copy(work, a)
		r := reduce(work, n, c, fastest)
		vectors := make([]float64, n*n)
		d, e := make([]float64, n), make([]float64, n-1)
		for _, phase := range []struct {
			name  string
			count float64
			do    func() error
		}{
			{"reduce", 4. / 3, func() error { copy(work, a); reduce(work, n, c, fastest); return nil }},
			{"divide", 4. / 3, func() error {
				clear(vectors)
				copy(d, r.d)
				copy(e, r.e)
				return (&divide{n: n, d: d, e: e, crew: c, z: vectors}).solve()
			}},
			{"back", 2, func() error { r.back(vectors); return nil }},
		} {
			b.Run(fmt.Sprintf("%s/n=%d", phase.name, n), func(b *testing.B) {
				for b.Loop() {
					if err := phase.do(); err != nil {
						b.Fatal(err)
					}
				}
				seconds := b.Elapsed().Seconds() / float64(b.N)
				b.ReportMetric(seconds, "s")
				b.ReportMetric(operations(n, phase.count)/seconds/1e9, "GFLOP/s")
			})
		}
		c.dismiss()
	}
}
