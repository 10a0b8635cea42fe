package eigen

import (
	"math"
	"slices"
	"testing"
)

func TestDeflationByHand(t *testing.T) {
	// Rows 0 to 2 are of the first part. Row 1 has no z; rows 2 and 4 have one value, rows 0 and 5 have
	// values and z of their own, and so has row 3, whose z is behind a negative element at the cut.
	d := []float64{1, 2, 3, 0, 3, 5}
	z := []float64{0.6, 1e-17, 0.3, 0.5, 0.4, 0.2}
	vectors := make([][]float64, 6)
	for i := range vectors {
		vectors[i] = make([]float64, 6)
		vectors[i][i] = 1
	}
	one := deflate(d, z, []int{3, 0, 1, 2, 4, 5}, 3, -2, func(i int) []float64 { return vectors[i] })
	if !slices.Equal(one.kept, []int{3, 0, 4, 5}) || !slices.Equal(one.drops, []int{1, 2}) {
		t.Errorf("kept %v, dropped %v; want [3 0 4 5], [1 2]", one.kept, one.drops)
	}
	if one.rho != 4 {
		t.Errorf("ρ is %v, want 4", one.rho)
	}
	half := math.Sqrt2 / 2
	for i, want := range []float64{0.6 * half, 1e-17 * half, 0, -0.5 * half, 0.5 * half, -0.2 * half} {
		if math.Abs(one.z[i]-want) > 4*eps {
			t.Errorf("z[%d] is %v, want %v", i, one.z[i], want)
		}
	}
	if want := []int{firstPart, firstPart, firstPart, secondPart, bothParts, secondPart}; !slices.Equal(one.part, want) {
		t.Errorf("parts are %v, want %v", one.part, want)
	}
	// The rotation leaves Σ z·vector as it was: 0.3 of row 2 and −0.4 of row 4.
	for j, want := range []float64{0, 0, 0.3 * half, 0, -0.4 * half, 0} {
		if got := one.z[2]*vectors[2][j] + one.z[4]*vectors[4][j]; math.Abs(got-want) > 4*eps {
			t.Errorf("element %d of both rows is %v, want %v", j, got, want)
		}
	}
}

// Values are told apart when what a rotation would leave beside the diagonal is more than rounding.
func TestWhatIsCloseIsRotated(t *testing.T) {
	for _, c := range []struct {
		gap  float64
		kept int
	}{{4 * eps, 1}, {1e-12, 2}} {
		vectors := [][]float64{{1, 0}, {0, 1}}
		d := []float64{1, 1 + c.gap}
		one := deflate(d, []float64{1, 1}, []int{0, 1}, 1, 0.1, func(i int) []float64 { return vectors[i] })
		if len(one.kept) != c.kept || len(one.kept)+len(one.drops) != 2 {
			t.Errorf("values %g apart: kept %v, dropped %v", c.gap, one.kept, one.drops)
		}
	}
}

func TestNothingIsLeftWithoutACut(t *testing.T) {
	one := deflate([]float64{1, 1, 2}, []float64{1, 0, 1}, []int{0, 1, 2}, 1, 0, nil)
	if len(one.kept) != 0 || !slices.Equal(one.drops, []int{0, 1, 2}) {
		t.Errorf("kept %v, dropped %v", one.kept, one.drops)
	}
}
