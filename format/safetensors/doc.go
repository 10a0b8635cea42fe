// Package safetensors reads and writes the files of that name
// (https://github.com/huggingface/safetensors, README and safetensors/src/tensor.rs):
//
//	┌──────────────┬─────────────────────────────────────┬───────────────────┐
//	│ n: uint64 LE │ n bytes of JSON, padded with spaces │ the tensors' data │
//	└──────────────┴─────────────────────────────────────┴───────────────────┘
//
// The JSON maps names to {dtype, shape, data_offsets}, where the offsets are a range of bytes in the
// data, and "__metadata__" to texts by text. Values are little-endian and row-major.
//
// A file is anybody's. The reader takes what the reference implementation takes and holds to this:
//
//	T1  The ranges cover the data without gap, overlap or rest, each as long as its type and shape say.
//	T2  Names, keys of an entry and keys of the metadata occur once; an entry has no other keys.
//	T3  The header is UTF-8, at most 100 MB, of at most 131,072 tensors and 16,384 metadata; names have
//	    at most 1024 bytes, shapes at most 16 dimensions. What a file claims beyond its size is refused
//	    before memory is taken for it.
//	T4  Values stay in the file until they are asked for, one tensor at a time.
//	T5  The same tensors and metadata are written as the same bytes, and what is written can be read.
package safetensors
