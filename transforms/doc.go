// Package transforms holds the steps of the experiment. A step is a [Stage]: data that says
// which kind of work it is, with what settings, what it reads and into how many units it is cut.
// [Apply] turns one stage into a Beam composite; the work of each kind is in the file of its name
// (pairs.go, capture.go, gram.go, …) and is thin: numerics live in linear, trial and gpu.
//
// # Units
//
// A unit is the smallest piece that is cached: a shard of activations, the sums of a fold, one
// generation batch. Units are enumerated by the driver before anything runs, so a batch has the
// same rows on every runner. A unit function reads its inputs from the store, builds the recipe of
// exactly what it needs, and asks [Unit.Do] for the outputs: they are looked up first and computed
// only on a miss.
//
// # Commit
//
// When every unit of a stage is there, the outputs are listed in unit order in the stage's
// manifest, which is written last. A stage that lacks a unit writes no manifest, and a stage whose
// input has no manifest does nothing, so an incomplete run can never look complete.
//
// # What travels
//
// Only references: stage name, unit index, action key. The bytes are in the store.
package transforms
