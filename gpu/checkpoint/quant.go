package checkpoint

import (
	"encoding/binary"

	"github.com/persona-transfer/runpipeline/format/half"
)

// The quantised types of GGUF. Block layouts and formulas are those of ggml
// (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c, dequantize_row_*); the
// order of operations is that of its Python twin, gguf-py's quants.py, and every product is
// rounded to float32 before it is added to, so results equal gguf.dequantize to the bit on
// every machine.

// legacy is the block length of the older types, super that of the K types.
const (
	legacy = 32
	super  = 256
)

// scaleAt reads a binary16 scale.
func scaleAt(b []byte) float32 { return half.Float32(binary.LittleEndian.Uint16(b)) }

// decodeQ8_0: d float16, then 32 int8.  y = q·d
func decodeQ8_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[legacy:], src[34:] {
		y, q, d := dst[:legacy], src[2:34], scaleAt(src)
		for i := range y {
			y[i] = float32(int8(q[i])) * d
		}
	}
}

// decodeQ4_0: d float16, then 16 bytes; byte i holds value i below and value i+16 above.
// y = d·(q − 8)
func decodeQ4_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[legacy:], src[18:] {
		lo, hi, q, d := dst[:16], dst[16:32], src[2:18], scaleAt(src)
		for i, b := range q {
			lo[i] = d * float32(int(b&15)-8)
			hi[i] = d * float32(int(b>>4)-8)
		}
	}
}

// decodeQ4_1: d, m float16, then 16 bytes as in Q4_0.  y = d·q + m
func decodeQ4_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[legacy:], src[20:] {
		lo, hi, q, d, m := dst[:16], dst[16:32], src[4:20], scaleAt(src), scaleAt(src[2:])
		for i, b := range q {
			lo[i] = float32(d*float32(b&15)) + m
			hi[i] = float32(d*float32(b>>4)) + m
		}
	}
}

// decodeQ5_0: d float16, 32 fifth bits, then 16 bytes as in Q4_0.  y = d·(q − 16)
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[legacy:], src[22:] {
		lo, hi, q, d := dst[:16], dst[16:32], src[6:22], scaleAt(src)
		top := binary.LittleEndian.Uint32(src[2:])
		for i, b := range q {
			lo[i] = d * float32(int(uint32(b&15)|top>>i&1<<4)-16)
			hi[i] = d * float32(int(uint32(b>>4)|top>>(i+16)&1<<4)-16)
		}
	}
}

// decodeQ5_1: d, m float16, 32 fifth bits, then 16 bytes as in Q4_0.  y = d·q + m
func decodeQ5_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[legacy:], src[24:] {
		lo, hi, q, d, m := dst[:16], dst[16:32], src[8:24], scaleAt(src), scaleAt(src[2:])
		top := binary.LittleEndian.Uint32(src[4:])
		for i, b := range q {
			lo[i] = float32(d*float32(uint32(b&15)|top>>i&1<<4)) + m
			hi[i] = float32(d*float32(uint32(b>>4)|top>>(i+16)&1<<4)) + m
		}
	}
}

// decodeQ2_K: 16 bytes of 4-bit scale (low) and minimum (high) for runs of 16 values, 64
// bytes of 2-bit values, d, dmin float16. Values come in two halves of 4 × 32: byte l of a
// half holds values l, 32+l, 64+l and 96+l.  y = (d·scale)·q − dmin·min
func decodeQ2_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[super:], src[84:] {
		scales, qs, d, dmin := src[:16], src[16:80], scaleAt(src[80:]), scaleAt(src[82:])
		for run := range 16 {
			scale, low := d*float32(scales[run]&15), float32(dmin*float32(scales[run]>>4))
			q := qs[run/8*32+run%2*16:][:16]
			shift := run / 2 % 4 * 2
			for i, y := 0, dst[16*run:][:16]; i < len(y); i++ {
				y[i] = float32(scale*float32(q[i]>>shift&3)) - low
			}
		}
	}
}

// decodeQ3_K: 32 bytes of third bits, 64 bytes of 2-bit values as in Q2_K, 12 bytes of
// sixteen 6-bit scales, d float16. The third bit of value l of run pair p is bit p of byte
// l; a clear bit means −4.  y = (d·(scale − 32))·q
func decodeQ3_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[super:], src[110:] {
		high, qs, scales, d := src[:32], src[32:96], src[96:108], scaleAt(src[108:])
		for run := range 16 {
			s := scales[run%8] >> (run / 8 * 4) & 15
			s |= scales[8+run%4] >> (run / 4 * 2) & 3 << 4
			scale := d * float32(int(s)-32)
			q, h := qs[run/8*32+run%2*16:][:16], high[run%2*16:][:16]
			shift, bit := run/2%4*2, run/2
			for i, y := 0, dst[16*run:][:16]; i < len(y); i++ {
				y[i] = scale * float32(int(q[i]>>shift&3)+int(h[i]>>bit&1<<2)-4)
			}
		}
	}
}

// scaleMin unpacks scale and minimum number j of the eight pairs of 6-bit numbers in the 12
// bytes that Q4_K and Q5_K share.
func scaleMin(packed []byte, j int) (scale, low float32) {
	if j < 4 {
		return float32(packed[j] & 63), float32(packed[j+4] & 63)
	}
	return float32(packed[j+4]&15 | packed[j-4]>>6<<4), float32(packed[j+4]>>4 | packed[j]>>6<<4)
}

// decodeQ4_K: d, dmin float16, 12 bytes of scales and minima for runs of 32 values, 128
// bytes of 4-bit values, 32 bytes for two runs: the low halves, then the high halves.
// y = (d·scale)·q − dmin·min
func decodeQ4_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[super:], src[144:] {
		d, dmin, packed, qs := scaleAt(src), scaleAt(src[2:]), src[4:16], src[16:144]
		for run := range 8 {
			s, m := scaleMin(packed, run)
			scale, low := d*s, float32(dmin*m)
			q, shift := qs[run/2*32:][:32], run%2*4
			for i, y := 0, dst[32*run:][:32]; i < len(y); i++ {
				y[i] = float32(scale*float32(q[i]>>shift&15)) - low
			}
		}
	}
}

// decodeQ5_K: as Q4_K with 32 bytes of fifth bits before the values: bit run of byte i.
func decodeQ5_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[super:], src[176:] {
		d, dmin, packed, high, qs := scaleAt(src), scaleAt(src[2:]), src[4:16], src[16:48], src[48:176]
		for run := range 8 {
			s, m := scaleMin(packed, run)
			scale, low := d*s, float32(dmin*m)
			q, shift := qs[run/2*32:][:32], run%2*4
			for i, y := 0, dst[32*run:][:32]; i < len(y); i++ {
				y[i] = float32(scale*float32(q[i]>>shift&15|high[i]>>run&1<<4)) - low
			}
		}
	}
}

// decodeQ6_K: 128 bytes of low 4 bits, 64 bytes of high 2 bits, sixteen int8 scales for
// runs of 16 values, d float16. Each half of 128 values takes 64 low and 32 high bytes.
// y = (d·scale)·(q − 32)
func decodeQ6_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[super:], src[210:] {
		low, high, scales, d := src[:128], src[128:192], src[192:208], scaleAt(src[208:])
		for run := range 16 {
			scale := d * float32(int8(scales[run]))
			quarter := run / 2 % 4 // of the half: which 32 values
			l := low[run/8*64+quarter%2*32+run%2*16:][:16]
			h := high[run/8*32+run%2*16:][:16]
			lowShift, highShift := quarter/2*4, quarter*2
			for i, y := 0, dst[16*run:][:16]; i < len(y); i++ {
				y[i] = scale * float32(int(l[i]>>lowShift&15|h[i]>>highShift&3<<4)-32)
			}
		}
	}
}
