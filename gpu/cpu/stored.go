package cpu

import "github.com/persona-transfer/runpipeline/gpu/checkpoint"

// A format is how weights of a stored type rest in memory: as in the file, byte for byte, but turned, so
// that the same number of 32 outputs lies side by side. A panel is its blocks along K; byte b of a block
// of output l, if it belongs to a number of u bytes that begins at o, is at o·32 + l·u + b − o.
type format struct {
	layout checkpoint.Layout
	fields []field
}

// A field is count numbers of size bytes of a block, in the order of the block.
type field struct{ size, count int }

// formats are the types that are kept; all others are kept as float32.
var formats = func() map[string]*format {
	out := map[string]*format{}
	for dtype, fields := range map[string][]field{
		"F16": {{2, 1}}, "BF16": {{2, 1}},
		"Q8_0": {{2, 1}, {1, 32}}, "Q4_0": {{2, 1}, {4, 4}}, "Q4_1": {{2, 2}, {4, 4}}, // bytes by fours, which are shifted in a register
		"Q5_0": {{2, 1}, {4, 1}, {1, 16}}, "Q5_1": {{2, 2}, {4, 1}, {1, 16}},
		"Q2_K": {{1, 16}, {1, 64}, {2, 2}}, "Q3_K": {{1, 32}, {1, 64}, {1, 12}, {2, 1}}, "Q4_K": {{2, 2}, {1, 12}, {1, 128}},
		"Q5_K": {{2, 2}, {1, 12}, {1, 32}, {1, 128}}, "Q6_K": {{1, 128}, {1, 64}, {1, 16}, {2, 1}},
	} {
		if layout, ok := checkpoint.LayoutOf(dtype); ok {
			out[dtype] = &format{layout, fields}
		}
	}
	return out
}()

// size is the number of bytes of n values along K of a panel, n a multiple of a block.
func (f *format) size(n int) int { return n / f.layout.Block * f.layout.Bytes * panel }

// turn writes a block of output l, as in the file, to its places in a panel's block.
func (f *format) turn(dst, block []byte, l int) {
	at := 0
	for _, field := range f.fields {
		end := at + field.size*field.count
		if field.size == 1 { // nearly all of a file
			to := dst[at*panel+l:]
			for i, v := range block[at:end] {
				to[i*panel] = v
			}
			at = end
		}
		for ; at < end; at += field.size {
			copy(dst[at*panel+l*field.size:][:field.size], block[at:])
		}
	}
}

// back is the way back.
func (f *format) back(block, src []byte, l int) {
	at := 0
	for _, field := range f.fields {
		for range field.count {
			copy(block[at:at+field.size], src[at*panel+l*field.size:])
			at += field.size
		}
	}
}

// widen makes a panel's values [n, 32] of whole blocks: what the layout decodes, wherever it is done.
func (f *format) widen(k *kernels, dst []float32, src []byte) {
	if do := k.widen[f.layout.DType]; do != nil {
		do(dst, src)
		return
	}
	n, size := f.layout.Block, f.layout.Bytes
	block, values := make([]byte, size), make([]float32, n)
	for ; len(dst) > 0; dst, src = dst[n*panel:], src[size*panel:] {
		for l := range panel {
			f.back(block, src, l)
			f.layout.Decode(values, block)
			for i, v := range values {
				dst[i*panel+l] = v
			}
		}
	}
}
