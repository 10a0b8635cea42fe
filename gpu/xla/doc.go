// Package xla is an engine for decoders in graphs of GoMLX: one set of graphs that XLA compiles for a processor or
// for NVIDIA's cards, behind a PJRT plugin, or that the backend in Go runs as they are. That backend also trains
// small decoders, and is what tests compare with.
//
// # Forms
//
// A device decides how graphs are written (forms.go): a compiler fuses sums, broadcasts and transposes, which the
// backend in Go does slowly; and in which type matrices rest and are multiplied, float32 or bfloat16. Sums, norms,
// softmax, position encodings and the residual stream are float32 on all.
//
// # Shapes
//
// A program is compiled for every shape of its inputs, for seconds on a card, so there are few: a batch is cut into
// passes of items that have the same padded numbers of new tokens and of positions to look at, and rows, lines that
// are read and vectors that are added are padded as well. What is different from call to call is an input: tokens,
// positions, edits and places. What a call needs is compiled side by side.
//
// Weights rest on the device, and so do keys and values: what a pass leaves of its texts is never written to, so that
// forks share it. Texts are continued in loops of up to 32 steps, which choose tokens themselves; the host sees them
// in between, where a text ends, is shown or is given up. The memory of passes and of loops is planned from the
// shapes before anything is compiled, if the device says how much it has.
//
// # What decides the bits
//
// A bit is one of a program, and a program of the shapes of its inputs. So, of the same model on the same device:
//
//   - The same call has the same bits again in a process. On the processor, and on the backend in Go, it has them in
//     another process too. A card's compiler tries kernels out when it compiles, and may choose others in another
//     process: there, results of two runs are equal to rounding, and sampled texts may part where two tokens come in
//     as good as together.
//   - An edit of zero is no edit, to the last bit: there is one program for both.
//   - A loop makes the tokens that single steps make.
//   - What becomes of an item depends on the item alone within rounding: a relative difference of 1e-5 in float32 in
//     the models of the tests, 3e-2 in bfloat16. Its last bits depend on how many others are in its batch, and on a
//     processor on its place among them.
//
// Tests of this package hold the backend in Go and XLA on the processor to all of that, and to a reference in
// float64 and to transformers. Recipes name the arithmetic, the chip and the compiler; float32 is never
// TensorFloat-32. The bits of a training depend on the instruction set, which [TrainedOn] names.
package xla
