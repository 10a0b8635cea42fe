// Package npy reads the files that NumPy's save writes
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1, 2 and 3:
//
//	┌──────────┬─────────┬───────────────────────┬──────────────────────────────┬────────────┐
//	│ \x93NUMPY│ version │ n: uint16 or uint32 LE│ n bytes: a Python dictionary │ the values │
//	└──────────┴─────────┴───────────────────────┴──────────────────────────────┴────────────┘
//
// The dictionary has 'descr', 'fortran_order' and 'shape'. A file is anybody's. The reader holds to this:
//
//	N1  Arrays of numbers in rows (C order) and little-endian are read; anything else is refused by its name.
//	    An array of objects is a pickle, which is a program: it is never looked into.
//	N2  The header has at most 64 KiB, and an array at most 32 dimensions.
//	N3  The values fill the file to its end, neither more nor less, before memory is taken for any.
//	N4  Values stay in the file until they are asked for.
package npy
