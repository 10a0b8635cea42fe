package eigen

import (
	"errors"
	"math"
	"sync/atomic"

	lapackapi "gonum.org/v1/gonum/lapack"
	lapack "gonum.org/v1/gonum/lapack/gonum"
)

const (
	leafRows  = 32  // of the matrices that the QL iteration solves
	treeRows  = 128 // up to which a part of the matrix is one thread's from its leaves on
	chunkRows = 512 // of vectors that are multiplied at once
)

// A divide decomposes a symmetric tridiagonal matrix T [n×n] by Cuppen's divide and conquer (1981; Gu &
// Eisenstat 1995, "A divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem"; LAPACK
// dlaed0 to dlaed4). Without element e between its halves, and with |e| subtracted from the diagonal on both sides of it,
// T falls into two matrices, which are decomposed; T is what they are together plus a matrix of rank one.
type divide struct {
	n     int
	d, e  []float64 // the diagonal, in the end the eigenvalues; the elements beside it
	z     []float64 // [n×n], zero at first; in the end row i is the vector of d[i]
	order []int     // the rows of a solved part, from its first row, by increasing value
	crew  *crew

	spare []float64 // [n×n]: vectors of two parts that are about to be merged
	chunk []float64 // [chunkRows×n]: vectors of the matrix of rank one
}

func (t *divide) solve() error {
	n := t.n
	t.order = make([]int, n)
	t.spare = make([]float64, n*n)
	t.chunk = make([]float64, min(chunkRows, n)*n)
	var cuts func(lo, hi int)
	cuts = func(lo, hi int) {
		if hi-lo > leafRows {
			mid := (lo + hi) / 2
			t.d[mid-1] -= math.Abs(t.e[mid-1])
			t.d[mid] -= math.Abs(t.e[mid-1])
			cuts(lo, mid)
			cuts(mid, hi)
		}
	}
	cuts(0, n)
	trees := t.trees(0, n, nil)
	var diverged atomic.Bool
	t.crew.each(len(trees), func(i int) {
		if !t.tree(trees[i][0], trees[i][1]) {
			diverged.Store(true)
		}
	})
	if diverged.Load() {
		return errors.New("no convergence")
	}
	t.grow(0, n)
	t.spare, t.chunk = nil, nil // a collector may have them
	return nil
}

// trees appends the parts of lo to hi that are one thread's.
func (t *divide) trees(lo, hi int, out [][2]int) [][2]int {
	if hi-lo <= treeRows {
		return append(out, [2]int{lo, hi})
	}
	mid := (lo + hi) / 2
	return t.trees(mid, hi, t.trees(lo, mid, out))
}

// tree solves rows lo to hi−1 on one thread.
func (t *divide) tree(lo, hi int) bool {
	if hi-lo <= leafRows {
		return t.leaf(lo, hi)
	}
	mid := (lo + hi) / 2
	if !t.tree(lo, mid) || !t.tree(mid, hi) {
		return false
	}
	t.merge(lo, mid, hi, nil)
	return true
}

// grow merges what trees have solved, on all threads.
func (t *divide) grow(lo, hi int) {
	if hi-lo <= treeRows {
		return
	}
	mid := (lo + hi) / 2
	t.grow(lo, mid)
	t.grow(mid, hi)
	t.merge(lo, mid, hi, t.crew)
}

// leaf solves rows lo to hi−1 by the QL iteration (LAPACK dsteqr).
func (t *divide) leaf(lo, hi int) bool {
	m := hi - lo
	if m == 0 {
		return true
	}
	var vectors [leafRows * leafRows]float64
	var work [2 * leafRows]float64
	e := t.e[lo : hi-1]
	if !(lapack.Implementation{}).Dsteqr(lapackapi.EVTridiag, m, t.d[lo:hi], e, vectors[:], m, work[:]) {
		return false
	}
	for i := range m {
		t.order[lo+i] = i
		for j := range m {
			t.z[(lo+i)*t.n+lo+j] = vectors[j*m+i]
		}
	}
	return true
}
