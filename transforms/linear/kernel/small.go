package kernel

import "math"

// choleskySmall is [cholesky] row by row.
func choleskySmall(n int, a []float64, lda int) bool {
	for i := range n {
		row := a[i*lda : i*lda+n]
		for k := range i {
			above := a[k*lda : k*lda+n]
			factor := -above[i]
			for j := i; j < n; j++ {
				row[j] = math.FMA(factor, above[j], row[j])
			}
		}
		if !(row[i] > 0) || math.IsInf(row[i], 0) {
			return false
		}
		row[i] = math.Sqrt(row[i])
		for j := i + 1; j < n; j++ {
			row[j] /= row[i]
		}
	}
	return true
}
