package linear

import (
	"math"
	"slices"
	"testing"
)

// TestMergeFlatIsMerge adds stored sums to others, to the bit as sums in memory are added; and refuses what is
// no Gram, or one of another shape, without a change.
func TestMergeFlatIsMerge(t *testing.T) {
	const d, e = 5, 3
	x, y, _ := planted(40, d, e, 1, 81)
	a, b := gramOf(t, d, e, x[:25*d], y[:25*e]), gramOf(t, d, e, x[25*d:], y[25*e:])
	want := gramOf(t, d, e, x[:25*d], y[:25*e])
	if err := want.Merge(b); err != nil {
		t.Fatal(err)
	}
	if err := a.MergeFlat(b.Flat()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Flat(), want.Flat()) {
		t.Errorf("sums %v, want %v", a.Flat(), want.Flat())
	}
	flat := b.Flat()
	broken := slices.Clone(flat)
	broken[9] = math.NaN()
	for name, bad := range map[string][]float64{"none": nil, "cut short": flat[:len(flat)-1], "too long": append(flat, 1), "NaN": broken, "another shape": NewGram(e, d).Flat()} {
		if err := a.MergeFlat(bad); err == nil || !slices.Equal(a.Flat(), want.Flat()) {
			t.Errorf("%s: %v, and the sums are %v", name, err, a.Flat())
		}
	}
}
