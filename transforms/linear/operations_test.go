package linear

import (
	"math"
	"testing"
)

// TestOperationsByHand counts those of folds with more rows than dimensions, which are reduced, and of folds with
// fewer, which are solved from their rows and have points of the learning curve.
func TestOperationsByHand(t *testing.T) {
	reduced := 10*1000. + 4*100*20 + 3*100*10 + 2*10*10*20 // of a round
	solved := 900*100 + 2*30*100*10 + 2*(9000+2*900*10+2*30*10*20.)
	one, two := 100*100+2*10*100*10+1000/3.+2*100*10+2*10*10*20, 400*100+2*20*100*10+8000/3.+2*400*10+2*20*10*20
	for _, c := range []struct {
		size Size
		want float64
	}{
		{Size{Rows: 40, D: 10, E: 20, Folds: 2, Lambdas: 1}, 2*reduced + 2*1000/3. + 2*100*20 + 2*1000/3. + 10*10*20 + 4*1000},
		{Size{Rows: 40, D: 100, E: 20, Folds: 4, Lambdas: 2}, 4*solved + one + two + 2e6/3 + 2*1e4*20 + 2*2e6/3 + 20*100*20 + 4*8000},
	} {
		if got := c.size.Operations(); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("%+v: %g operations, want %g", c.size, got, c.want)
		}
	}
	if got := (Size{Rows: 7, D: 2, E: 3}).Sums(); got != 7*2*(2+6) { // half of the square
		t.Errorf("sums of seven rows: %g operations", got)
	}
	if s := OperationTime(); !(s > 1e-13 && s < 1e-7) { // from ten thousand GFLOP/s to a hundredth of one
		t.Errorf("an operation takes %g s", s)
	}
}
