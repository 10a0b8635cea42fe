package gguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"
)

// version is what is written; 2 differs from it only in what big-endian files may be.
const version = 3

// A Pair is one entry of the metadata to be written: Value is a Go number of 8 to 64 bits, a bool, a
// string, or a slice of one of them.
type Pair struct {
	Key   string
	Value any
}

// A Tensor is one tensor to be written.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // outermost dimension first
	Data  any   // []byte as stored, or []float32 for F32
}

// Write writes a file, metadata and tensors in the order given, aligned at 32 bytes. It returns an
// error if the file could not be read again: a key or a name that occurs twice, data that do not fit
// their type and shape; then nothing was written.
func Write(w io.Writer, metadata []Pair, tensors []Tensor) error {
	if len(tensors) > maxTensors || len(metadata) > maxKeys {
		return fmt.Errorf("write GGUF: %d tensors and %d metadata, at most %d and %d are read", len(tensors), len(metadata), maxTensors, maxKeys)
	}
	le := binary.LittleEndian
	head := le.AppendUint32([]byte(Magic), version)
	head = le.AppendUint64(head, uint64(len(tensors)))
	head = le.AppendUint64(head, uint64(len(metadata)))
	seen := make(map[string]bool)
	for _, p := range metadata {
		var err error
		if head, err = p.append(head); err == nil && seen[p.Key] {
			err = fmt.Errorf("it occurs twice")
		}
		if err != nil {
			return fmt.Errorf("write GGUF: metadata %.100q: %w", p.Key, err)
		}
		seen[p.Key] = true
	}
	clear(seen)
	offset, values := 0, make([][]byte, len(tensors))
	for i, t := range tensors {
		var err error
		if values[i], err = t.bytes(); err == nil && seen[t.Name] {
			err = fmt.Errorf("it occurs twice")
		}
		if err != nil {
			return fmt.Errorf("write GGUF: tensor %q: %w", t.Name, err)
		}
		seen[t.Name] = true
		head = t.describe(head, offset)
		offset += padded(len(values[i]))
	}
	out := bufio.NewWriter(w)
	for _, part := range append([][]byte{head}, values...) {
		out.Write(part)
		out.Write(make([]byte, padded(len(part))-len(part)))
	}
	if err := out.Flush(); err != nil { // the first error of all writes
		return fmt.Errorf("write GGUF: %w", err)
	}
	return nil
}

func padded(n int) int { return (n + alignment - 1) / alignment * alignment }

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// append writes the pair behind b.
func (p Pair) append(b []byte) ([]byte, error) {
	switch {
	case p.Key == "" || len(p.Key) > maxKey || !utf8.ValidString(p.Key):
		return nil, fmt.Errorf("it is no key")
	case p.Key == alignmentKey:
		return nil, fmt.Errorf("files are aligned at %d", alignment)
	}
	le := binary.LittleEndian
	b = appendText(b, p.Key)
	kind, list := kindOf(p.Value)
	if list {
		b = le.AppendUint32(b, uint32(KindArray))
	}
	b = le.AppendUint32(b, uint32(kind))
	switch v := p.Value.(type) {
	case string:
		return appendText(b, v), nil
	case []string:
		if len(v) > maxStrings {
			return nil, fmt.Errorf("a list of %d texts, at most %d are read", len(v), maxStrings)
		}
		b = le.AppendUint64(b, uint64(len(v)))
		for _, s := range v {
			b = appendText(b, s)
		}
		return b, nil
	}
	if kind == KindArray {
		return nil, fmt.Errorf("a value of type %T", p.Value)
	}
	if list {
		b = le.AppendUint64(b, uint64(binary.Size(p.Value))/uint64(sizes[kind]))
	}
	return binary.Append(b, le, p.Value)
}

// kindOf returns the kind of a value, of its elements if it is a list; KindArray if it is neither.
func kindOf(v any) (kind Kind, list bool) {
	switch v.(type) {
	case []uint8, []int8, []uint16, []int16, []uint32, []int32, []uint64, []int64, []float32, []float64, []bool, []string:
		list = true
	}
	switch v.(type) {
	case uint8, []uint8:
		kind = KindUint8
	case int8, []int8:
		kind = KindInt8
	case uint16, []uint16:
		kind = KindUint16
	case int16, []int16:
		kind = KindInt16
	case uint32, []uint32:
		kind = KindUint32
	case int32, []int32:
		kind = KindInt32
	case uint64, []uint64:
		kind = KindUint64
	case int64, []int64:
		kind = KindInt64
	case float32, []float32:
		kind = KindFloat32
	case float64, []float64:
		kind = KindFloat64
	case bool, []bool:
		kind = KindBool
	case string, []string:
		kind = KindString
	default:
		kind = KindArray
	}
	return kind, list
}

// bytes returns the tensor's values as stored, checked.
func (t Tensor) bytes() ([]byte, error) {
	var raw []byte
	switch data := t.Data.(type) {
	case []byte:
		raw = data
	case []float32:
		if t.Type != F32 {
			return nil, fmt.Errorf("%T cannot be stored as %s", t.Data, t.Type)
		}
		raw = make([]byte, 0, 4*len(data))
		for _, v := range data {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	default:
		return nil, fmt.Errorf("data of type %T", t.Data)
	}
	switch {
	case t.Name == "" || len(t.Name) > maxName || !utf8.ValidString(t.Name):
		return nil, fmt.Errorf("it is no name for a tensor")
	case len(t.Shape) == 0 || len(t.Shape) > maxRank:
		return nil, fmt.Errorf("%d dimensions", len(t.Shape))
	}
	described := t.describe(nil, 0) // what the reader makes of it decides
	e, err := readEntry(&cursor{r: bytes.NewReader(described), size: int64(len(described))})
	if block, _ := t.Type.Block(); err == nil && (block == 0 || e.Size != int64(len(raw))) {
		err = fmt.Errorf("%d bytes do not fill %s %v", len(raw), t.Type, t.Shape)
	}
	return raw, err
}

// describe writes the tensor's description behind b.
func (t Tensor) describe(b []byte, offset int) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(appendText(b, t.Name), uint32(len(t.Shape)))
	for _, n := range slices.Backward(t.Shape) {
		b = le.AppendUint64(b, uint64(n))
	}
	b = le.AppendUint32(b, uint32(t.Type))
	return le.AppendUint64(b, uint64(offset))
}
