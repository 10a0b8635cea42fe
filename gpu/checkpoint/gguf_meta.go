package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// metadata holds a GGUF's metadata: numbers, bool and string as Go's types of the same
// size, arrays as [ggufArray].
type metadata map[string]any

// A ggufArray is an array that is decoded when it is asked for: a vocabulary takes no
// memory until then.
type ggufArray struct {
	kind uint32
	n    int
	raw  []byte // the elements as stored; a window on the mapping
}

// String describes an array in a message.
func (a ggufArray) String() string { return fmt.Sprintf("a list of %d values", a.n) }

// show writes a value for a message.
func show(v any) string { return fmt.Sprintf("%.100s", fmt.Sprint(v)) }

// GGUF's value types.
const (
	kindUint8 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// scalarSizes are the sizes of the value types of fixed size.
var scalarSizes = map[uint32]int64{
	kindUint8: 1, kindInt8: 1, kindBool: 1, kindUint16: 2, kindInt16: 2, kindUint32: 4, kindInt32: 4,
	kindFloat32: 4, kindUint64: 8, kindInt64: 8, kindFloat64: 8,
}

// value reads a value with its type.
func (c *cursor) value() any {
	kind := c.uint32()
	switch kind {
	case kindString:
		return c.text(math.MaxInt)
	case kindArray:
		return c.array()
	}
	size, ok := scalarSizes[kind]
	if !ok && c.err == nil {
		c.err = fmt.Errorf("value of unknown type %d", kind)
	}
	p := c.take(size)
	if c.err != nil {
		return nil
	}
	v, err := scalar(kind, p)
	if err != nil {
		c.err = err
	}
	return v
}

// scalar decodes a value of fixed size.
func scalar(kind uint32, p []byte) (any, error) {
	le := binary.LittleEndian
	switch kind {
	case kindUint8:
		return p[0], nil
	case kindInt8:
		return int8(p[0]), nil
	case kindBool:
		if p[0] > 1 {
			return nil, fmt.Errorf("a bool of %d", p[0])
		}
		return p[0] == 1, nil
	case kindUint16:
		return le.Uint16(p), nil
	case kindInt16:
		return int16(le.Uint16(p)), nil
	case kindUint32:
		return le.Uint32(p), nil
	case kindInt32:
		return int32(le.Uint32(p)), nil
	case kindFloat32:
		return math.Float32frombits(le.Uint32(p)), nil
	case kindUint64:
		return le.Uint64(p), nil
	case kindInt64:
		return int64(le.Uint64(p)), nil
	default:
		return math.Float64frombits(le.Uint64(p)), nil
	}
}

// maxStrings is four times the largest vocabulary in use, that of XLM-V.
const maxStrings = 1 << 22

// array reads past an array, checking that it ends inside the file.
func (c *cursor) array() any {
	a := ggufArray{kind: c.uint32()}
	size, fixed := scalarSizes[a.kind]
	switch {
	case c.err != nil:
	case fixed:
		a.n = c.count(size)
		a.raw = c.take(int64(a.n) * size)
	case a.kind == kindString:
		a.n = c.count(8)
		if c.err == nil && a.n > maxStrings {
			c.err = fmt.Errorf("a list of %d texts, at most %d are read", a.n, maxStrings)
		}
		if c.err != nil {
			return nil
		}
		start := c.at
		for range a.n {
			c.take(int64(c.count(1)))
			if c.err != nil {
				return nil
			}
		}
		end := c.at
		c.at = start
		a.raw = c.take(end - start)
	default:
		c.err = fmt.Errorf("an array of type %d", a.kind)
	}
	return a
}

// strings returns an array of text; nil if it is of another kind.
func (a ggufArray) strings() []string {
	if a.kind != kindString {
		return nil
	}
	out := make([]string, a.n)
	raw := a.raw
	for i := range out {
		n := binary.LittleEndian.Uint64(raw)
		out[i] = string(raw[8 : 8+n])
		raw = raw[8+n:]
	}
	return out
}

// floats returns an array of float32; nil if it is of another kind.
func (a ggufArray) floats() []float32 {
	if a.kind != kindFloat32 {
		return nil
	}
	out := make([]float32, a.n)
	decodeF32(out, a.raw)
	return out
}

// ints returns an array of any integers, false if it is of another kind. Values that do
// not fit an int64 wrap.
func (a ggufArray) ints() ([]int64, bool) {
	size, ok := scalarSizes[a.kind]
	if !ok {
		return nil, false
	}
	out := make([]int64, a.n)
	for i := range out {
		v, err := scalar(a.kind, a.raw[int64(i)*size:])
		if err != nil {
			return nil, false
		}
		if out[i], ok = integer(v); !ok {
			return nil, false
		}
	}
	return out, true
}

// integer returns any of the integer types as an int64.
func integer(v any) (int64, bool) {
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
