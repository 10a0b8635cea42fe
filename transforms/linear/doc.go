// Package linear fits the maps that carry a direction from one model's residual stream to
// another's, and makes the directions that such a map is compared with.
//
// # Shapes
//
// x is a source activation [d], y the activation of the same text and position in the target [e].
// A map is W [d×e]; rows are samples, so a batch maps as Y ≈ X·W and a vector as v·W. Activations
// enter as row-major []float32; everything is accumulated and solved in float64.
//
// # Differences and activations
//
// A persona vector is a difference of two means. Whatever constant the map adds to every
// activation cancels in a difference, so [Map.Apply] multiplies by the matrix only, and
// [Map.Predict] alone uses the means.
//
// # Determinism
//
// The same calls in the same order give the same bits, whatever the number of threads: the matrix products are
// those of [kernel], each element one chain of fused multiply-adds. Rows may be added to a [Gram] in any cuts,
// but their order is part of the result, as is that of [Gram.Merge]: merge in index order, never in order of
// arrival. Random draws are ChaCha8 streams of a 32-byte seed.
package linear
