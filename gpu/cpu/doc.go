// Package cpu is an engine for decoders in plain Go: kernels over flat slices of float32 and a
// forward pass over ragged batches, without a graph, shapes or padding.
//
// # What decides the bits
//
// A number is a function of the weights, of the tokens before it and of what is added to them,
// and of nothing else: not of the batch, its order or its size, nor of how many threads compute it,
// nor of the instruction set. That follows from how sums are made:
//
//	B1  Every element of a product is one chain of fused multiplications and additions
//	    along K in increasing order, from zero. Vector lanes hold different elements, never
//	    parts of one sum. A chain that is cut is carried on through memory as a float32.
//	B2  Sums over a row (norms, softmax, likelihoods) have 16 lanes, lane i%16 taking element i
//	    in increasing order, and one tree: lane i takes lane i+8, then i+4, i+2, i+1.
//	B3  Everything by elements rounds each operation to float32, in the order in which
//	    generic.go writes it. exp is one polynomial (Cephes' expf).
//
// B1 makes 256- and 512-bit vectors agree by construction. The twins in generic.go, which
// run where there are no vectors, give the same bits by definition; tests hold every kernel to
// its twin. The elements of the standard library that are used (sine, cosine, logarithm, erf)
// are computed in float64 and rounded once: there alone could a processor whose compiler fuses
// operations differ, in the last bit.
//
// # Threads
//
// With rows enough for every core, a batch is cut into one pass for each, which share nothing but the
// weights. Else one pass is for all: they share the columns of its products and the lines of everything
// else, and meet after each.
//
// # Memory
//
// Weights rest as they are stored, those of 16 bits in small models as float32, and are copied once, when
// a model is loaded; keys and values take
// 8·KVHeads·HeadDim bytes for each block and token, in pages of 32 tokens that forks share. The residual
// stream of a batch and what a block makes of it are kept from one pass to the next. A model is freed by
// forgetting it.
package cpu
