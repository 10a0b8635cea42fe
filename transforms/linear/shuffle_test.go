package linear

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
)

// blocksOf cuts rows into blocks of the given numbers of rows.
func blocksOf(d, e int, x, y []float32, sizes ...int) iter.Seq2[Pairs, error] {
	return func(yield func(Pairs, error) bool) {
		from := 0
		for _, n := range sizes {
			if !yield(Pairs{x[from*d : (from+n)*d], y[from*e : (from+n)*e]}, nil) {
				return
			}
			from += n
		}
	}
}

// drawn is another permutation of each block and way.
func drawn(block, j, n int) []int { return Permutation(n, seedOf(byte(10*block+j+1))) }

// TestShuffledPairsAreThoseOfFittedMaps: what is carried without a map is what the map of rows carries that are
// really mismatched, for every method, centred or not, with penalties in both units, and where a column does not
// vary. Both ways solve the same well-conditioned system (condition below 10⁴) in float64 from sums of 200
// rows; their results are rounded to float32, half a unit in 2²⁴ of a value.
func TestShuffledPairsAreThoseOfFittedMaps(t *testing.T) {
	const n, d, e, ways = 200, 6, 4, 3
	sizes := []int{90, 1, 109}
	vectors := [][]float32{normals(d, 5), normals(d, 6)}
	for _, spec := range []Spec{
		{Method: Ridge, Lambda: .01, Unit: Relative}, {Method: Ridge, Lambda: 30, Unit: Absolute}, {Method: Standardised, Lambda: .1, Unit: Relative},
		{Method: Standardised, Lambda: 7, Unit: Absolute}, {Method: LowRank, Rank: 2, Lambda: .1, Unit: Relative}, {Method: Procrustes}, {Method: OLS},
	} {
		for _, centred := range []bool{true, false} {
			spec.Centre = centred
			x, y, _ := planted(n, d, e, 1, 71)
			for i := range n {
				if spec.Method != OLS { // which needs every column
					x[i*d+2] = 3
				}
			}
			total := gramOf(t, d, e, x, y)
			t.Run(fmt.Sprintf("%s, λ %g %s, centred %t", spec.Method, spec.Lambda, spec.Unit, centred), func(t *testing.T) {
				out, err := CarryShuffled(total, spec, vectors, Shuffling{Blocks: blocksOf(d, e, x, y, sizes...), Count: ways, Permutation: drawn})
				if err != nil {
					t.Fatal(err)
				}
				if len(out) != ways {
					t.Fatalf("%d ways, want %d", len(out), ways)
				}
				for j := range ways {
					m := fit(t, gramOf(t, d, e, x, mismatched(y, e, j, sizes...)), spec)
					for k, v := range vectors {
						want, err := m.Apply(v)
						if err != nil {
							t.Fatal(err)
						}
						if got := far(out[j][k], want); got > 0x1p-22 {
							t.Errorf("way %d, vector %d: %v, the map carries it to %v, %.1e away", j, k, out[j][k], want, got)
						}
						if j > 0 && far(out[j][k], out[0][k]) < .01 {
							t.Errorf("vector %d: ways %d and 0 are one", k, j)
						}
					}
				}
			})
		}
	}
}

// mismatched is the targets in the order of way j, block by block.
func mismatched(y []float32, e, j int, sizes ...int) (out []float32) {
	from := 0
	for block, n := range sizes {
		for _, p := range drawn(block, j, n) {
			out = append(out, y[(from+p)*e:(from+p+1)*e]...)
		}
		from += n
	}
	return out
}

// far is the largest difference of two vectors relative to the largest value.
func far(got, want []float32) float64 {
	diff, top := 0.0, 0.0
	for i := range want {
		diff = max(diff, math.Abs(float64(got[i])-float64(want[i])))
		top = max(top, math.Abs(float64(want[i])))
	}
	return diff / top
}

// TestShufflingNothingIsTheMap: rows that keep their partners carry as the map does, whatever the blocks.
func TestShufflingNothingIsTheMap(t *testing.T) {
	const n, d, e = blockRows + 30, 5, 3
	x, y, _ := planted(n, d, e, 1, 72)
	total, v := gramOf(t, d, e, x, y), normals(d, 8)
	want, err := fit(t, total, centredRidge).Apply(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, sizes := range [][]int{{n}, {100, 200, n - 300}} {
		same := func(_, _, n int) []int { return slices.Collect(iota(n)) }
		out, err := CarryShuffled(total, centredRidge, [][]float32{v}, Shuffling{Blocks: blocksOf(d, e, x, y, sizes...), Count: 1, Permutation: same})
		if err != nil || far(out[0][0], want) > 0x1p-22 {
			t.Errorf("blocks of %v: %v (%v), want %v", sizes, out, err, want)
		}
	}
}

func iota(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// TestShufflingRefusesOtherRows: what is no permutation, rows that are not those of the sums, vectors of another
// width; and an error of the rows' source comes back.
func TestShufflingRefusesOtherRows(t *testing.T) {
	x, y := []float32{1, 2, 4}, []float32{3, 4, 9}
	total, broken := gramOf(t, 1, 1, x, y), errors.New("the disk is gone")
	good := Shuffling{Blocks: blocksOf(1, 1, x, y, 3), Count: 1, Permutation: drawn}
	for _, spec := range []Spec{{Method: Ridge, Lambda: 1, Unit: Absolute}, {Method: Procrustes}} {
		refused := func(what, want string, v []float32, s Shuffling) {
			t.Helper()
			if _, err := CarryShuffled(total, spec, [][]float32{v}, s); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v, want an error with %q", spec.Method, what, err, want)
			}
		}
		for _, perm := range [][]int{{0, 1}, {0, 0, 1}, {0, 1, 3}, {-1, 0, 1}, {0, 1, 2, 3}} {
			s := good
			s.Permutation = func(int, int, int) []int { return perm }
			refused(fmt.Sprintf("permutation %v", perm), "block 0: ", []float32{1}, s)
		}
		s := good
		s.Blocks = blocksOf(1, 1, x, y, 2)
		refused("a row fewer", "2 rows for the sums of 3", []float32{1}, s)
		s.Blocks = func(yield func(Pairs, error) bool) { yield(Pairs{}, broken) }
		refused("a broken source", broken.Error(), []float32{1}, s)
		refused("a wide vector", "vector 0 of 2 dimensions", []float32{1, 2}, good)
	}
}
