// Package half converts between float32 and the two types of half its size in which weights are
// stored: IEEE 754 binary16 (F16) and bfloat16 (BF16). Widening is exact; rounding is to the nearest,
// ties to even, as in NumPy and PyTorch.
package half

import "math"

// Float32 returns the exact value of a binary16 number.
//
// Exponent and mantissa are put where float32 has them and scaled by 2¹¹², the difference
// of the two exponent biases, which also makes subnormal numbers right.
func Float32(h uint16) float32 {
	magnitude := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
	if h&0x7c00 == 0x7c00 {
		magnitude = 0x7f800000 | uint32(h&0x3ff)<<13
	}
	return math.Float32frombits(uint32(h&0x8000)<<16 | magnitude)
}

// BFloat32 returns the exact value of a bfloat16 number.
func BFloat32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// Round returns the binary16 number nearest to x; too large becomes ∞.
func Round(x float32) uint16 {
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

// BRound returns the bfloat16 number nearest to x.
func BRound(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
