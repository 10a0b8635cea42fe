// Package gpu runs decoder language models on a device: it opens them, records their
// residual stream, steers it, generates, and scores.
//
// A [Decoder] is made from a checkpoint's files. One set of block code serves every family;
// what distinguishes a family is named in [arch.Config].
//
// # Conventions
//
// A layer is a block's number, from 0. A [Site] is the residual stream after a block, before
// the final norm; capture and steering share the type, so they cannot disagree.
//
// The last token of a text is found from its length. Inside, batches are padded on the right
// and padding is masked, so that it can be neither seen nor chosen.
//
// Matrices cross the border as flat row-major []float32.
//
// # What decides the bits
//
// A result is a function of the call's arguments and of the kind of machine, which
// [Device.String] names. It does not depend on the number of cores. Batches are shaped by
// the arguments alone:
//
//	Capture, NLL, prefixes    texts of the same padded length; full batches have a fixed
//	                          number of rows, the last one a power of two
//	Generate                  the rows of one call, in lanes of equal size
//
// A row of Generate therefore depends on its own prompt, pushes and noise, and on the number
// of rows, but not on what the other rows are. (In a build without vector instructions it can
// also depend, in the last bits, on the row's place, because the last rows of a matrix product
// round differently there.)
//
// # Concurrency
//
// Any number of goroutines may use a Decoder. One call at a time runs on a device; a call
// may run several batches of its own side by side.
package gpu
