package kernel

import "math"

// A tile is 12 × 16 elements of a result.
const (
	tileRows = 12
	tileCols = 16
)

// kernels are the two operations on a tile c, whose rows are ldc apart.
type kernels struct {
	name string

	// multiply adds the product of a block a [k][12] and a panel b [k][16] to c.
	multiply func(k int, a, b, c []float64, ldc int)

	// substitute solves t·x = c for x in the place of c, t [12][12] being lower triangular.
	substitute func(t, c []float64, ldc int)
}

// generic is in plain Go, for any machine.
var generic = &kernels{"generic", multiply, substitute}

// active is what this machine does best.
var active = append(vectorKernels(), generic)[0]

func multiply(k int, a, b, c []float64, ldc int) {
	for i := range tileRows {
		row := (*[tileCols]float64)(c[i*ldc:])
		sum := *row
		for p := range k {
			x, line := a[p*tileRows+i], (*[tileCols]float64)(b[p*tileCols:])
			for j, y := range line {
				sum[j] = math.FMA(x, y, sum[j])
			}
		}
		*row = sum
	}
}

func substitute(t, c []float64, ldc int) {
	for i := range tileRows {
		x := (*[tileCols]float64)(c[i*ldc:])
		for j := range x {
			x[j] /= t[i*tileRows+i]
		}
		for r := i + 1; r < tileRows; r++ {
			row, factor := (*[tileCols]float64)(c[r*ldc:]), -t[r*tileRows+i]
			for j, y := range x {
				row[j] = math.FMA(factor, y, row[j])
			}
		}
	}
}

// checkTile panics unless the slices hold what a tile's operation reads and writes.
func checkTile(k int, a, b, c []float64, ldc int) {
	if k < 0 || len(a) < k*tileRows || len(b) < k*tileCols || ldc < tileCols || len(c) < (tileRows-1)*ldc+tileCols {
		panic("kernel: a tile goes beyond its matrices")
	}
}
