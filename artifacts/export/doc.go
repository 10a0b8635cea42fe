// Package export writes vectors and maps in formats that other programs read, and reads
// them again, its own files and other programs'.
//
//	safetensors   tensor direction.N, manifest as text in __metadata__; maps as w, intercept
//	GGUF          a control vector of llama.cpp and repeng; manifest in controlvector.runpipeline.*
//	JSON          for everything else
//
// N is a block's number from 0; the vector is added to what that block returns. This is
// llama.cpp's meaning of direction.N too, so a file means the same on both sides: block N in,
// block N out. GGUF cannot name block 0.
//
// Values are written as they are, in float32, and come back to the bit. The manifest says
// where they come from, with the keys of FORMAT.md; a file made by another program has none,
// and then only layer and width are known, of a map the widths. Readers trust nothing that a file says about
// itself, and report [artifacts.ErrFormat].
package export
