package checkpoint

import (
	"encoding/binary"
	"math"
)

// A codec says how values of one stored type become float32. Values are stored in blocks:
// block values take bytes bytes. decode fills dst with len(dst)/block whole blocks of src.
type codec struct {
	name   string
	block  int
	bytes  int
	decode func(dst []float32, src []byte)
}

// plainCodecs are the types of safetensors, under its names. Integers become the nearest float32.
// Those without a decode are no weight's here: a file may hold them as long as nobody reads them.
var plainCodecs = map[string]codec{
	"F64":  {"F64", 1, 8, decodeF64},
	"F32":  {"F32", 1, 4, decodeF32},
	"F16":  {"F16", 1, 2, decodeF16},
	"BF16": {"BF16", 1, 2, decodeBF16},
	"I64":  {"I64", 1, 8, decodeI64},
	"I32":  {"I32", 1, 4, decodeI32},
	"I16":  {"I16", 1, 2, decodeI16},
	"I8":   {"I8", 1, 1, decodeI8},
	"U8":   {"U8", 1, 1, decodeU8},
	"BOOL": {"BOOL", 1, 1, decodeU8},

	"U64": {"U64", 1, 8, nil}, "U32": {"U32", 1, 4, nil}, "U16": {"U16", 1, 2, nil}, "C64": {"C64", 1, 8, nil},
	"F8_E5M2": {"F8_E5M2", 1, 1, nil}, "F8_E4M3": {"F8_E4M3", 1, 1, nil}, "F8_E8M0": {"F8_E8M0", 1, 1, nil},
	"F8_E5M2FNUZ": {"F8_E5M2FNUZ", 1, 1, nil}, "F8_E4M3FNUZ": {"F8_E4M3FNUZ", 1, 1, nil},
	"F6_E2M3": {"F6_E2M3", 4, 3, nil}, "F6_E3M2": {"F6_E3M2", 4, 3, nil}, "F4": {"F4", 2, 1, nil},
}

func decodeF64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

func decodeF32(dst []float32, src []byte) {
	src = src[:4*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = float16(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func decodeBF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func decodeI64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int64(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

func decodeI32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:])))
	}
}

func decodeI16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:])))
	}
}

func decodeI8(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int8(src[i]))
	}
}

func decodeU8(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(src[i])
	}
}

// float16 returns the exact value of an IEEE 754 binary16 number.
//
// Exponent and mantissa are put where float32 has them and scaled by 2¹¹², the difference
// of the two exponent biases, which also makes subnormal numbers right.
func float16(h uint16) float32 {
	magnitude := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
	if h&0x7c00 == 0x7c00 {
		magnitude = 0x7f800000 | uint32(h&0x3ff)<<13
	}
	return math.Float32frombits(uint32(h&0x8000)<<16 | magnitude)
}

// roundF16 returns the binary16 number nearest to x, ties to even; too large becomes ∞.
func roundF16(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, magnitude := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000: // NaN: keep it one
		return sign | 0x7e00
	case magnitude >= 0x477ff000: // 65520 and above round to ∞
		return sign | 0x7c00
	case magnitude < 0x38800000: // below 2⁻¹⁴: a multiple of 2⁻²⁴
		// Adding 0.5 leaves the rounded multiple of 2⁻²⁴ in the low bits.
		sum := math.Float32frombits(magnitude) + 0.5
		return sign | uint16(math.Float32bits(sum)-0x3f000000)
	}
	magnitude += 0xfff + magnitude>>13&1
	return sign | uint16((magnitude-0x38000000)>>13)
}

// roundBF16 returns the bfloat16 number nearest to x, ties to even.
func roundBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
