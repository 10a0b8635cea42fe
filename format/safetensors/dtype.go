package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/persona-transfer/runpipeline/format/half"
)

// A dtype says how the values of one stored type lie: so many values in so many bytes.
type dtype struct {
	values, bytes int
	decode        func(dst []float32, src []byte) // nil where the values are no floating-point numbers of Go
}

func (t dtype) bits() int { return 8 * t.bytes / t.values }

// dtypes are the stored types of the format, under its names.
var dtypes = map[string]dtype{
	"F64": {1, 8, decodeF64}, "F32": {1, 4, decodeF32}, "F16": {1, 2, decodeF16}, "BF16": {1, 2, decodeBF16},
	"I64": {1, 8, nil}, "I32": {1, 4, nil}, "I16": {1, 2, nil}, "I8": {1, 1, nil},
	"U64": {1, 8, nil}, "U32": {1, 4, nil}, "U16": {1, 2, nil}, "U8": {1, 1, nil}, "BOOL": {1, 1, nil}, "C64": {1, 8, nil},
	"F8_E5M2": {1, 1, nil}, "F8_E4M3": {1, 1, nil}, "F8_E8M0": {1, 1, nil}, "F8_E5M2FNUZ": {1, 1, nil}, "F8_E4M3FNUZ": {1, 1, nil},
	"F6_E2M3": {4, 3, nil}, "F6_E3M2": {4, 3, nil}, "F4": {2, 1, nil},
}

// Floats returns how values of a stored type become float32: bytes is the size of one, and decode
// fills dst from the bytes of len(dst) values; F64 is rounded. It is nil for types that are not F64,
// F32, F16 or BF16.
func Floats(name string) (bytes int, decode func(dst []float32, src []byte)) {
	t := dtypes[name]
	return t.bytes, t.decode
}

// byteSize returns how many bytes a tensor takes.
func byteSize(name string, shape []int) (int64, error) {
	t, ok := dtypes[name]
	if !ok {
		return 0, fmt.Errorf("type %.100q is not supported", name)
	}
	n, ok := count(shape)
	if !ok {
		return 0, fmt.Errorf("shape %v is too large", shape)
	}
	if n%int64(t.values) != 0 {
		return 0, fmt.Errorf("%s %v ends inside a byte", name, shape)
	}
	return n / int64(t.values) * int64(t.bytes), nil
}

// count returns the number of values in a shape; false if a dimension is negative or the
// number times 8 bytes does not fit an int64.
func count(shape []int) (int64, bool) {
	total, empty := int64(1), false
	for _, n := range shape {
		if n < 0 {
			return 0, false
		}
		if n == 0 {
			empty = true
			continue
		}
		if total > math.MaxInt64/8/int64(n) {
			return 0, false
		}
		total *= int64(n)
	}
	if empty {
		return 0, true
	}
	return total, true
}

func decodeF64(dst []float32, src []byte) {
	src = src[:8*len(dst)]
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
		dst[i] = half.Float32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func decodeBF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = half.BFloat32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}
