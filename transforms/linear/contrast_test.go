package linear

import (
	"math"
	"slices"
	"testing"
)

// contrastOf has one text for each list of rows.
func contrastOf(dim int, positive, negative [][][]float32) *Contrast {
	c := NewContrast(dim, len(positive), len(negative))
	for i, rows := range slices.Concat(positive, negative) {
		for _, row := range rows {
			c.Add(i, row)
		}
	}
	return c
}

// TestContrastWeighsRows takes the mean over rows, as a persona vector does, not over texts: (1+3+5)/3 less
// (1+1)/2 in the first dimension. A text without rows counts nowhere.
func TestContrastWeighsRows(t *testing.T) {
	c := contrastOf(2, [][][]float32{{{1, 0}, {3, 6}}, nil, {{5, 0}}}, [][][]float32{{{1, 1}}, {{1, 3}}})
	if v := c.Vector([]int{0, 1, 2}, []int{3, 4}); !slices.Equal(v, []float32{2, 0}) {
		t.Errorf("vector %v, want 2, 0", v)
	}
	if texts, positive := c.Texts(); !slices.Equal(texts, []int{0, 2, 3, 4}) || positive != 2 {
		t.Errorf("texts %v, %d of them positive; want 0, 2, 3, 4 and two", texts, positive)
	}
	if v := c.Vector([]int{1}, []int{3}); v != nil {
		t.Errorf("a side without rows gives %v", v)
	}
}

// TestSplitHalfByHand: of two texts a side there is one way to halve each side. Positive texts (1, 0) and
// (1, 1) against (0, 0) twice give halves at 45°, whichever is drawn; a third text is in the second half.
func TestSplitHalfByHand(t *testing.T) {
	one := func(rows ...[]float32) (texts [][][]float32) {
		for _, r := range rows {
			texts = append(texts, [][]float32{r})
		}
		return texts
	}
	zero := []float32{0, 0}
	for name, c := range map[string]struct {
		positive, negative [][][]float32
		want               float64
	}{
		"the same text again":       {one([]float32{1, 2}, []float32{1, 2}, []float32{1, 2}), one(zero, zero), 1},
		"halves at 45°":             {one([]float32{1, 0}, []float32{1, 1}), one(zero, zero), math.Sqrt(.5)},
		"a right angle":             {one([]float32{1, 0}, []float32{0, 1}), one(zero, zero), 0},
		"one positive text":         {one([]float32{1, 0}), one(zero, zero), math.NaN()},
		"one negative text":         {one([]float32{1, 0}, []float32{1, 1}), one(zero), math.NaN()},
		"two, one of them not read": {append(one([]float32{1, 0}), nil), one(zero, zero), math.NaN()},
	} {
		for k := range byte(8) {
			got := contrastOf(2, c.positive, c.negative).SplitHalf(seedOf(k), seedOf(k+50))
			if math.Abs(got-c.want) > 1e-7 || math.IsNaN(got) != math.IsNaN(c.want) {
				t.Errorf("%s, split %d: %g, want %g", name, k, got, c.want)
			}
		}
	}
	// The halves are drawn: of positive texts (1, 0), (1, 0), (0, 1), (0, 1) some are alike and some are not.
	mixed := contrastOf(2, one([]float32{1, 0}, []float32{1, 0}, []float32{0, 1}, []float32{0, 1}), one(zero, zero))
	seen := map[float64]bool{}
	for k := range byte(40) {
		seen[math.Round(mixed.SplitHalf(seedOf(k), seedOf(1)))] = true
	}
	if !seen[0] || !seen[1] {
		t.Errorf("forty splits of two pairs of texts give cosines %v, want 0 and 1", seen)
	}
}

// TestSplitHalfOfNoise: 40 texts a side that differ by chance alone have halves at right angles, to within
// 1/√1000 for 1000 dimensions; the bound is five of these. With a signal as long as the noise of one text, halves
// of twenty texts have the cosine s²/(s² + 2·σ²/20) = 1/(1 + .1).
func TestSplitHalfOfNoise(t *testing.T) {
	const dim, n = 1000, 40
	for signal, want := range map[float64]float64{0: 0, 1: 1 / 1.1} {
		c, mean := NewContrast(dim, n, n), 0.0
		for i := range 2 * n {
			row := normals(dim, byte(i+1))
			if i < n {
				for j := range row {
					row[j] += float32(signal)
				}
			}
			c.Add(i, row)
		}
		for k := range byte(50) {
			mean += c.SplitHalf(seedOf(k), seedOf(k+100)) / 50
		}
		if math.Abs(mean-want) > 5/math.Sqrt(dim) {
			t.Errorf("signal %g: halves have a mean cosine of %.3f, want %.3f", signal, mean, want)
		}
	}
}

// TestLabelsArePermutedAlike marks every text by a dimension of its own, in one contrast by 1 and in the other by
// 10: the signs of a vector are the labels. They are the same in both, there are as many of each as before, and
// the identity gives the vectors themselves. A text that one of the two has not read is in neither.
func TestLabelsArePermutedAlike(t *testing.T) {
	const n, positive = 9, 4
	a, b := NewContrast(n, positive, n-positive), NewContrast(n, positive, n-positive)
	for i := range n {
		row := make([]float32, n)
		row[i] = 1
		if i != 1 {
			a.Add(i, row)
		}
		row[i] = 10
		if i != 6 {
			b.Add(i, row)
			b.Add(i, row) // twice as many positions
		}
	}
	texts, p := Common(a, b)
	if !slices.Equal(texts, []int{0, 2, 3, 4, 5, 7, 8}) || p != 3 {
		t.Fatalf("both have read %v, %d of them positive; want all but 1 and 6, three", texts, p)
	}
	identity := []int{0, 1, 2, 3, 4, 5, 6}
	va, vb := Relabelled(a, b, identity)
	if !slices.Equal(va, a.Vector([]int{0, 2, 3}, []int{4, 5, 7, 8})) || !slices.Equal(vb, b.Vector([]int{0, 2, 3}, []int{4, 5, 7, 8})) {
		t.Errorf("the identity gives %v and %v", va, vb)
	}
	seen := map[int]bool{}
	for k := range byte(50) {
		va, vb := Relabelled(a, b, Permutation(len(texts), seedOf(k)))
		up, down := 0, 0
		for i := range n {
			switch {
			case va[i] > 0:
				up++
				seen[i] = true
			case va[i] < 0:
				down++
			}
			if math.Abs(float64(vb[i]-10*va[i])) > 1e-6 {
				t.Fatalf("permutation %d: text %d is labelled %g in one and %g in the other", k, i, va[i], vb[i]/10)
			}
		}
		if up != 3 || down != 4 || va[1] != 0 || va[6] != 0 {
			t.Errorf("permutation %d: %d positive and %d negative texts, want 3 and 4: %v", k, up, down, va)
		}
	}
	if len(seen) != 7 {
		t.Errorf("in fifty permutations %d of 7 texts were positive", len(seen))
	}
	if va, vb := Relabelled(NewContrast(2, 1, 1), NewContrast(2, 1, 1), nil); va != nil || vb != nil {
		t.Errorf("without a text that both have read: %v and %v", va, vb)
	}
}
