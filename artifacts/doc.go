// Package artifacts says what stored bytes mean: texts, activations, matrices, vectors,
// maps, generations, scores, judgements, readings, evaluated samples.
//
// Each kind is a Go struct with an Encode method and a Decode function. The same value
// always gives the same bytes; FORMAT.md describes them. Decoders are strict: a missing or
// additional column or fact, a value out of range, a NaN where none may be, is [ErrFormat]
// and never a guess. They trust nothing that a file says about itself and may be given any
// file.
//
// Words: a row is one record of a kind; a fact is a name and a text that hold for all rows
// and live in the schema's metadata; a note is a fact that only people read. [Meta] is the
// group of facts that says which model and layer numbers come from, and [Meta.Match] is what
// keeps a vector of one layer from meeting a map of another.
//
// Subfolder export writes vectors and maps in the formats that other programs read.
package artifacts
