package linear

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// Pairs are some paired rows, x [n×d] and y [n×e].
type Pairs struct{ X, Y []float32 }

// A Shuffling mismatches paired rows, in several ways, within the blocks in which they come.
type Shuffling struct {
	// Blocks goes through all rows, one block after the other, and can be gone through again.
	Blocks iter.Seq2[Pairs, error]
	// Count is the number of ways.
	Count int
	// Permutation is the order in which way j takes the n targets of a block: row i of x stands beside row
	// Permutation(block, j, n)[i] of y.
	Permutation func(block, j, n int) []int
}

// CarryShuffled carries vectors [d] by the maps that spec describes for mismatched pairs, the control of a
// map's own spectrum: out[j][k] is vector k by the map of way j. total sums up the true pairs.
//
// A permutation changes neither XᵀX nor any sum. So where a map is linear in the targets, W = A⁻¹XᵀY with
// A = XᵀX + λI, none has to be fitted:
//
//	v·W_π = Σᵢ tᵢ·(y_π(i) − ȳ),  tᵢ = (xᵢ − x̄)·a,  a = A⁻¹v,
//
// which is one factorisation and one pass over the rows, O(d+e) a row and way. For the other methods XᵀY is summed
// and the map fitted, one way after the other, each in a pass of its own.
func CarryShuffled(total *Gram, spec Spec, vectors [][]float32, s Shuffling) (out [][][]float32, err error) {
	for k, v := range vectors {
		if len(v) != total.D {
			return nil, fmt.Errorf("shuffled pairs: vector %d of %d dimensions for pairs of %d and %d", k, len(v), total.D, total.E)
		}
	}
	if spec.linear() {
		out, err = s.carryAll(total, spec, vectors)
	} else {
		out, err = s.fitEach(total, spec, vectors)
	}
	if err != nil {
		return nil, fmt.Errorf("shuffled pairs: %w", err)
	}
	return out, nil
}

// each hands on the blocks with their numbers and checks that they are the rows of total.
func (s Shuffling) each(total *Gram, visit func(block, n int, p Pairs) error) error {
	rows, block := 0, 0
	for p, err := range s.Blocks {
		if err != nil {
			return err
		}
		n, err := pairedRows(total.D, total.E, p.X, p.Y)
		if err == nil {
			err = visit(block, n, p)
		}
		if err != nil {
			return fmt.Errorf("block %d: %w", block, err)
		}
		rows, block = rows+n, block+1
	}
	if rows != total.N {
		return fmt.Errorf("%d rows for the sums of %d", rows, total.N)
	}
	return nil
}

// order is a permutation of a block, checked.
func (s Shuffling) order(block, j, n int) ([]int, error) {
	perm := s.Permutation(block, j, n)
	return perm, checkPermutation(perm, n)
}

// carryAll is for maps that are linear in the targets. Row m of y has a weight for each way and vector, tᵢ
// of the row i that it stands beside: the sums of a block are one product.
func (s Shuffling) carryAll(total *Gram, spec Spec, vectors [][]float32) ([][][]float32, error) {
	dual, err := solveFor(total, spec, vectors)
	if err != nil {
		return nil, err
	}
	meanY := make([]float64, total.E)
	if spec.Centre {
		for i, sum := range total.SumY {
			meanY[i] = sum / float64(total.N)
		}
	}
	width := s.Count * len(vectors)
	sums := make([]float64, width*total.E)
	err = s.each(total, func(block, n int, p Pairs) error {
		t := dual.weights(p.X)
		weights, ys := make([]float64, n*width), make([]float64, n*total.E)
		for j := range s.Count {
			perm, err := s.order(block, j, n)
			if err != nil {
				return err
			}
			for i, m := range perm {
				copy(weights[m*width+j*len(vectors):], t[i*len(vectors):(i+1)*len(vectors)])
			}
		}
		for i, y := range p.Y {
			ys[i] = float64(y) - meanY[i%total.E]
		}
		addTransposed(sums, weights, ys, n, width, total.E)
		return nil
	})
	out := make([][][]float32, s.Count)
	for i := range width {
		out[i/len(vectors)] = append(out[i/len(vectors)], narrow(sums[i*total.E:(i+1)*total.E]))
	}
	return out, err
}

// solveFor returns the map whose matrix is A⁻¹V, the columns of V being the vectors: the fit of targets whose
// products with x are the vectors and whose means are 0. What Fit does to the columns of x it does here.
func solveFor(total *Gram, spec Spec, vectors [][]float32) (dual, error) {
	k := len(vectors)
	g := &Gram{D: total.D, E: k, N: total.N, XtX: total.XtX, SumX: total.SumX,
		XtY: make([]float64, total.D*k), YtY: make([]float64, k), SumY: make([]float64, k)}
	for j, v := range vectors {
		for i, x := range v {
			g.XtY[i*k+j] = float64(x)
		}
	}
	m, err := Fit(g, spec)
	return dual{m}, err
}

// A dual holds the vectors a = A⁻¹v.
type dual struct{ *Map }

// weights returns t = (x − x̄)·a of each row of x and each vector, [n×Cols].
func (a dual) weights(x []float32) []float64 {
	t := make([]float64, len(x)/a.Rows*a.Cols)
	for i, v := range x {
		row, d := i/a.Rows, i%a.Rows
		a.addRow(t[row*a.Cols:(row+1)*a.Cols], d, float64(v)-a.MeanX[d])
	}
	return t
}

// fitEach is for every other method: a map for each way.
func (s Shuffling) fitEach(total *Gram, spec Spec, vectors [][]float32) (out [][][]float32, err error) {
	for j := range s.Count {
		mismatched := *total
		mismatched.XtY = make([]float64, total.D*total.E)
		err := s.each(total, func(block, n int, p Pairs) error {
			perm, err := s.order(block, j, n)
			if err != nil {
				return err
			}
			addMismatched(mismatched.XtY, p, perm, total.D, total.E)
			return nil
		})
		if err != nil {
			return nil, err
		}
		m, err := Fit(&mismatched, spec)
		if err != nil {
			return nil, fmt.Errorf("permutation %d: %w", j, err)
		}
		carried := make([][]float32, len(vectors))
		for k, v := range vectors {
			if carried[k], err = m.Apply(v); err != nil {
				return nil, err
			}
		}
		out = append(out, carried)
	}
	return out, nil
}

// addMismatched adds XᵀY of row i of x beside row perm[i] of y.
func addMismatched(xty []float64, p Pairs, perm []int, d, e int) {
	xs, ys := make([]float64, len(p.X)), make([]float64, len(p.Y))
	widen(xs, p.X)
	for i, m := range perm {
		widen(ys[i*e:(i+1)*e], p.Y[m*e:])
	}
	addTransposed(xty, xs, ys, len(perm), d, e)
}

// checkPermutation returns an error unless perm holds each of 0…n−1 once.
func checkPermutation(perm []int, n int) error {
	if len(perm) != n {
		return fmt.Errorf("permutation of %d for %d rows", len(perm), n)
	}
	seen := make([]bool, n)
	for i, p := range perm {
		if p < 0 || p >= n || seen[p] {
			return fmt.Errorf("not a permutation at %d: %d", i, p)
		}
		seen[p] = true
	}
	return nil
}

// Permutation draws a uniform permutation of 0…n−1 from a ChaCha8 stream.
func Permutation(n int, seed [32]byte) []int {
	return rand.New(rand.NewChaCha8(seed)).Perm(n)
}
