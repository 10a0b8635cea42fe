// Package eigen decomposes real symmetric dense matrices of some hundreds to some thousands of rows,
// A = Vᵀ·diag(values)·V, as ridge regressions of many penalties need it.
//
// # How
//
// The way is that of LAPACK's dsyevd, by Householder (1958), Cuppen (1981) and Gu & Eisenstat (1995):
//
//	tridiagonal.go, symmetric.go    A = Q·T·Qᵀ with T tridiagonal, by reflections in panels; 4/3·n³ operations,
//	                                half of them products of the matrix with a vector
//	divide.go, merge.go             T from the decompositions of its halves, down to 32 rows; up to 4/3·n³, fewer
//	                                the more values the parts and the whole share (deflate.go)
//	secular.go, root.go             in each merge, a diagonal matrix plus one of rank one
//	back.go                         the vectors of T times Qᵀ; 2·n³
//
// Products of matrices are blas64's Gemm, whichever implementation is registered there, and most of the work; a
// product with a vector reads each element above the diagonal once for both its places, which is as fast as memory is
// (kernels.go). Vectors are rows, throughout, so that what is merged, copied and turned is contiguous.
//
// # Determinism
//
// The same matrix gives the same bits for any number of threads: sums are cut into parts by the size of
// the matrix alone, and added up in one order. That holds of blas64's Gemm too if its implementation keeps to it, as
// gonum's does. The kernels have the same bits on every processor; what is outside of them a compiler may round
// otherwise on another. A vector's sign is chosen by its largest element.
//
// # Accuracy
//
// Errors are those of a backward stable method: values and vectors are exact for a matrix within about
// n·2⁻⁵³·‖A‖, whatever the spectrum. Values far below the norm, of a graded matrix or of a Gram matrix of
// fewer rows than columns, have absolute and not relative accuracy: a zero can come out as ±n·2⁻⁵³·‖A‖.
package eigen
