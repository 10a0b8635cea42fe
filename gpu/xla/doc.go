// Package xla is an engine for decoders in graphs of GoMLX, which run on the backend in Go; the same block
// graph trains small decoders.
//
// # Shapes
//
// A program is compiled for every shape of its inputs, so there are few: a batch is cut into passes of items
// that have the same padded numbers of new tokens and of positions to look at, and rows, lines that are read
// and vectors that are added are padded as well. What is different from call to call is an input: tokens,
// positions, masks, edits and places. Weights rest on the device, and so do keys and values: those of a text
// are one tensor, which is never written to, so that forks share it; a pass makes the next one.
//
// # What decides the bits
//
// What becomes of an item depends on the item alone within rounding (a relative difference of 1e-5 in the
// models of the tests): the backend chooses how it sums by the shape of a pass. The same batch has the same
// bits again, and an edit of zero is no edit, to the last bit. The bits of a training depend
// on the instruction set, which [Device] names.
package xla
