package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// A Kind is what a value of the metadata is.
type Kind uint32

// The kinds, by their numbers in a file.
const (
	KindUint8 Kind = iota
	KindInt8
	KindUint16
	KindInt16
	KindUint32
	KindInt32
	KindFloat32
	KindBool
	KindString
	KindArray
	KindUint64
	KindInt64
	KindFloat64
)

// sizes are the sizes of the kinds of fixed size.
var sizes = map[Kind]int64{
	KindUint8: 1, KindInt8: 1, KindBool: 1, KindUint16: 2, KindInt16: 2, KindUint32: 4, KindInt32: 4,
	KindFloat32: 4, KindUint64: 8, KindInt64: 8, KindFloat64: 8,
}

// scalar decodes a value of fixed size.
func scalar(kind Kind, p []byte) (any, error) {
	le := binary.LittleEndian
	switch kind {
	case KindUint8:
		return p[0], nil
	case KindInt8:
		return int8(p[0]), nil
	case KindBool:
		if p[0] > 1 {
			return nil, fmt.Errorf("a bool of %d", p[0])
		}
		return p[0] == 1, nil
	case KindUint16:
		return le.Uint16(p), nil
	case KindInt16:
		return int16(le.Uint16(p)), nil
	case KindUint32:
		return le.Uint32(p), nil
	case KindInt32:
		return int32(le.Uint32(p)), nil
	case KindFloat32:
		return math.Float32frombits(le.Uint32(p)), nil
	case KindUint64:
		return le.Uint64(p), nil
	case KindInt64:
		return int64(le.Uint64(p)), nil
	default:
		return math.Float64frombits(le.Uint64(p)), nil
	}
}

// Int returns a value of any of the integer kinds; ok is false for other kinds, and for a number that
// no int64 holds.
func Int(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case int64:
		return v, true
	}
	return 0, false
}

// An Array is a list in the metadata. It stays in the file until it is asked for.
type Array struct {
	Kind Kind // of its elements
	Len  int

	r        io.ReaderAt
	at, size int64 // where the elements lie
}

// String describes the array in a message.
func (a Array) String() string { return fmt.Sprintf("a list of %d values", a.Len) }

// raw reads the elements as stored.
func (a Array) raw(wants string, kinds ...Kind) ([]byte, error) {
	for _, k := range kinds {
		if a.Kind == k {
			return readAt(a.r, a.at, a.size)
		}
	}
	return nil, fmt.Errorf("a list of kind %d, want %s", a.Kind, wants)
}

// Strings returns a list of texts.
func (a Array) Strings() ([]string, error) {
	raw, err := a.raw("texts", KindString)
	if err != nil {
		return nil, err
	}
	out := make([]string, a.Len)
	for i := range out {
		if len(raw) < 8 || binary.LittleEndian.Uint64(raw) > uint64(len(raw)-8) {
			return nil, fmt.Errorf("text %d of a list ends beyond it: the file changed", i)
		}
		n := binary.LittleEndian.Uint64(raw)
		out[i], raw = string(raw[8:8+n]), raw[8+n:]
	}
	return out, nil
}

// Float32s returns a list of float32.
func (a Array) Float32s() ([]float32, error) {
	raw, err := a.raw("float32", KindFloat32)
	if err != nil {
		return nil, err
	}
	return float32s(raw), nil
}

// Ints returns a list of integers of any kind.
func (a Array) Ints() ([]int64, error) {
	raw, err := a.raw("integers", KindUint8, KindInt8, KindUint16, KindInt16, KindUint32, KindInt32, KindUint64, KindInt64)
	if err != nil {
		return nil, err
	}
	out := make([]int64, a.Len)
	for i := range out {
		v, err := scalar(a.Kind, raw[int64(i)*sizes[a.Kind]:])
		if err != nil {
			return nil, err
		}
		var ok bool
		if out[i], ok = Int(v); !ok {
			return nil, fmt.Errorf("number %d of a list is %v", i, v)
		}
	}
	return out, nil
}

func float32s(raw []byte) []float32 {
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}
