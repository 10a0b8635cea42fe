// Package kernel does the work of gonum's BLAS and LAPACK in which a fit spends its time: products of
// matrices (DGEMM, DSYRK), triangular systems of many right-hand sides (DTRSM) and the Cholesky
// decomposition (DPOTRF). [Use] gives them to gonum, whose own reach a seventh of what two cores can do; all
// that gonum builds on them (mat.Dense.Mul, mat.Cholesky, mat.SVD) becomes faster with them. Every other
// routine stays gonum's.
//
// # Bits
//
// K1. Every element of a product is one chain of fused multiply-adds, in the order of the inner index,
// that begins with the element's old value times beta: c = fma(alpha·a, b, c). A triangular system is solved
// by such chains and one division each.
//
// K2. So a result depends neither on the number of threads nor on how a matrix is cut into blocks, nor on
// the instruction set: AVX-512, AVX2 and the twin in plain Go give the same bits.
//
// # How
//
// Goto and van de Geijn (2008), Anatomy of high-performance matrix multiplication: the right matrix is
// packed in panels of 16 columns, the left one in blocks of 12 rows, and a kernel (tile) adds the product of a
// block and a panel to 12 × 16 elements that it keeps in registers. Triangular systems are the same
// products, but for the 12 × 12 triangles on the diagonal.
package kernel
