package linear

import (
	"fmt"
	"testing"
)

// BenchmarkSeedSize is a cross-validation of the size that the project was planned for: 5,000 rows, 3,584 → 4,096
// dimensions, 5 folds.
func BenchmarkSeedSize(b *testing.B) {
	const n, d, e, k = 5000, 3584, 4096, 5
	if testing.Short() {
		b.Skip("takes a minute")
	}
	fold := make([]int, n)
	for i := range fold {
		fold[i] = i * k / n
	}
	folds, err := NewTable(d, e, normals(n*d, 1), normals(n*e, 2), fold)
	if err != nil {
		b.Fatal(err)
	}
	for _, lambdas := range []int{4, 100} {
		var grid []float64
		for i := range lambdas {
			grid = append(grid, 1e-3*float64(1+i))
		}
		b.Run(fmt.Sprintf("lambdas=%d", lambdas), func(b *testing.B) {
			for b.Loop() {
				if _, err := CrossValidate(folds, grid, centredRidge); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
