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
// The same calls in the same order on the same kind of machine give the same bits. A [Gram] is a
// sum of floating-point numbers, so the order of [Gram.Add] and [Gram.Merge] is part of the
// result: merge shards in index order, never in order of arrival. The matrix product (product.go)
// is gonum's, which hands whole blocks of the result to its workers and is therefore independent
// of their number. Random draws are ChaCha8 streams of a 32-byte seed.
package linear
