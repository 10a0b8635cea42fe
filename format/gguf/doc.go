// Package gguf reads and writes files of that format, versions 2 and 3, little-endian
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md):
//
//	┌──────┬─────────┬──────────┬──────┬───────────┬────────────────────────────┬─────┬────────┐
//	│"GGUF"│ version │ #tensors │ #keys│ key, kind,│ name, #dimensions, them,   │ pad │ values │
//	│      │ uint32  │ uint64   │uint64│ value …   │ type, offset in the values…│     │        │
//	└──────┴─────────┴──────────┴──────┴───────────┴────────────────────────────┴─────┴────────┘
//
// A text is its length, uint64, then its bytes. Dimensions are written innermost first; here they are
// outermost first, as everywhere else.
//
// A file is anybody's. The reader takes what llama.cpp takes and holds to this:
//
//	G1  Tensors follow one another in the order of their descriptions, with no more than padding
//	    between them. What follows the last is left alone and counted.
//	G2  Keys and names of tensors occur once, a bool is 0 or 1.
//	G3  At most 131,072 tensors of one to four dimensions, 16,384 keys, 4,194,304 texts in a list,
//	    lists nested four deep. What a file claims beyond its size is refused before memory is taken
//	    for it; lists are decoded when they are asked for.
//	G4  Values stay in the file until they are asked for.
//	G5  The same metadata and tensors in the same order are written as the same bytes, and what is
//	    written can be read.
package gguf
