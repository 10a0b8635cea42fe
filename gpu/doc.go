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
// Matrices cross the border as flat row-major []float32.
//
// # What decides the bits
//
// A row is one text of Capture, Logits or NLL, or one row of Generate. What becomes of it is a function of
// the model and of the row's own tokens, pushes and noise. On "cpu" that holds to the last bit: it does not depend
// on the other rows of a call or on how rows are spread over calls, nor on what was called before, the number of
// cores or the instruction set; gpu/cpu promises it and says how. On other devices it holds within rounding, and
// gpu/xla says what decides the last bits.
//
// Rows are cut into batches for speed alone. On "cpu" what prompts have in common is computed once and forked, rows
// that end make room for others, and long prompts are read in pieces. An engine that chooses tokens itself
// ([engine.Writer]) is given whole texts, and rows side by side to their ends. Both choose by the same sampler,
// gumbel/1.
//
// # Concurrency
//
// Any number of goroutines may use any number of decoders. One call at a time runs: it has all cores.
package gpu
