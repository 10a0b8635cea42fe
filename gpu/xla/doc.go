// Package xla builds a decoder's blocks as graphs of GoMLX and trains small decoders with them.
//
// The forward pass is the same mathematics as an engine's, for every family; a test holds it to the
// reference. Its bits depend on the instruction set, which [Device] names.
package xla
