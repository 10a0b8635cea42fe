package export

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// A GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), version 3,
// little-endian:
//
//	┌──────┬─────────┬──────────┬─────────┬──────────┬──────────────┬─────┬──────┐
//	│"GGUF"│ version │ #tensors │ #keys   │ keys and │ name, shape, │ pad │ data │
//	│      │ uint32  │ uint64   │ uint64  │ values   │ type, offset │     │      │
//	└──────┴─────────┴──────────┴─────────┴──────────┴──────────────┴─────┴──────┘
//
// As a control vector (llama.cpp common/common.cpp, repeng) it says general.architecture =
// "controlvector" and holds tensors direction.N of one dimension in float32. Loaders refuse
// any other tensor, and N = 0, and ignore keys that they do not know.

const (
	ggufMagic     = "GGUF"
	ggufAlignment = 32
	ggufF32       = 0

	// manifestPrefix begins the keys that carry the manifest.
	manifestPrefix = "controlvector.runpipeline."
)

// Types of values.
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// ggufSize is the size of each type's values, 0 where it varies.
var ggufSize = [...]uint64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

func writeGGUF(w io.Writer, m manifest, v Vector) error {
	if v.Meta.Layer == 0 {
		return fmt.Errorf("a GGUF control vector cannot name block 0; write safetensors or json")
	}
	le := binary.LittleEndian
	var b []byte
	text := func(s string) { b = append(le.AppendUint64(b, uint64(len(s))), s...) }
	pair := func(key, value string) {
		text(key)
		b = le.AppendUint32(b, ggufString)
		text(value)
	}
	b = append(b, ggufMagic...)
	b = le.AppendUint32(b, 3)
	b = le.AppendUint64(b, 1)
	b = le.AppendUint64(b, uint64(3+len(m)))
	pair("general.architecture", "controlvector")
	pair("controlvector.model_hint", v.Meta.ModelType)
	text("controlvector.layer_count") // of this file, as repeng and llama.cpp count
	b = le.AppendUint32(b, ggufUint32)
	b = le.AppendUint32(b, 1)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pair(manifestPrefix+key, m[key])
	}
	text(direction(v.Meta.Layer))
	b = le.AppendUint32(b, 1) // dimensions
	b = le.AppendUint64(b, uint64(len(v.Row.Values)))
	b = le.AppendUint32(b, ggufF32)
	b = le.AppendUint64(b, 0) // offset in the data
	b = pad(b)
	b = pad(append(b, floatBytes(v.Row.Values)...))
	_, err := w.Write(b)
	return err
}

func pad(b []byte) []byte {
	return append(b, make([]byte, -len(b)&(ggufAlignment-1))...)
}

// A cursor reads a GGUF that is in memory. The first read beyond the end sets err; reads
// after it return zero.
type cursor struct {
	b   []byte
	at  uint64
	err error
}

func (c *cursor) take(n uint64) []byte {
	if c.err == nil && n > uint64(len(c.b))-c.at {
		c.err = fmt.Errorf("it is cut short")
	}
	if c.err != nil {
		return make([]byte, min(n, 8))
	}
	c.at += n
	return c.b[c.at-n : c.at]
}

func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }
func (c *cursor) text() string {
	n := c.u64()
	return string(c.take(n))
}

// skip passes over a value. Every element of an array takes a byte at least, so the loop is
// bounded by the file; arrays of arrays may nest only so deep.
func (c *cursor) skip(kind uint32, depth int) {
	switch {
	case kind >= uint32(len(ggufSize)) || depth > 4:
		c.err = fmt.Errorf("a value of type %d", kind)
	case kind == ggufString:
		c.text()
	case kind == ggufArray:
		item, n := c.u32(), c.u64()
		if item < uint32(len(ggufSize)) && ggufSize[item] > 0 {
			high, size := bits.Mul64(n, ggufSize[item])
			if high != 0 {
				size = ^uint64(0)
			}
			c.take(size)
			return
		}
		for i := uint64(0); i < n && c.err == nil; i++ {
			c.skip(item, depth+1)
		}
	default:
		c.take(ggufSize[kind])
	}
}

// readGGUF reads a control vector of any writer.
func readGGUF(content []byte) ([]Vector, error) {
	c := &cursor{b: content, at: uint64(len(ggufMagic))}
	version, tensors, keys := c.u32(), c.u64(), c.u64()
	if c.err == nil && version != 2 && version != 3 {
		return nil, fmt.Errorf("GGUF version %d, want 2 or 3", version)
	}
	h, err := c.header(keys)
	if err != nil {
		return nil, err
	}
	var infos []ggufInfo
	for i := uint64(0); i < tensors && c.err == nil; i++ {
		info, err := c.info()
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	start := (c.at + h.alignment - 1) / h.alignment * h.alignment
	if c.err == nil && start > uint64(len(content)) {
		c.err = fmt.Errorf("it is cut short")
	}
	if c.err != nil {
		return nil, c.err
	}
	if len(h.manifest) > 0 && len(infos) > 1 {
		return nil, fmt.Errorf("its manifest describes one vector, it holds %d", len(infos))
	}
	return h.vectors(infos, content[start:])
}

type ggufHeader struct {
	alignment uint64
	hint      string
	manifest  manifest
}

// header reads keys and values, keeping the few that matter.
func (c *cursor) header(keys uint64) (h ggufHeader, err error) {
	h.alignment = ggufAlignment
	h.manifest = make(manifest)
	architecture := ""
	for i := uint64(0); i < keys && c.err == nil; i++ {
		key, kind := c.text(), c.u32()
		name, ours := strings.CutPrefix(key, manifestPrefix)
		switch {
		case key == "general.architecture" && kind == ggufString:
			architecture = c.text()
		case key == "controlvector.model_hint" && kind == ggufString:
			h.hint = c.text()
		case key == "general.alignment" && kind == ggufUint32:
			h.alignment = uint64(c.u32())
		case ours && kind == ggufString:
			h.manifest[name] = c.text()
		default:
			c.skip(kind, 0)
		}
	}
	switch {
	case c.err != nil:
		return h, c.err
	case architecture != "controlvector":
		return h, fmt.Errorf("its architecture is %.40q, want controlvector", architecture)
	case h.alignment == 0 || h.alignment > 1<<16 || bits.OnesCount64(h.alignment) != 1:
		return h, fmt.Errorf("its alignment is %d", h.alignment)
	}
	return h, nil
}

type ggufInfo struct {
	layer  int
	length uint64
	offset uint64
}

func (c *cursor) info() (info ggufInfo, err error) {
	name, dims := c.text(), c.u32()
	if c.err != nil {
		return info, c.err
	}
	if info.layer, err = parseDirection(name); err != nil {
		return info, err
	}
	if dims != 1 {
		return info, fmt.Errorf("%s has %d dimensions, want 1", name, dims)
	}
	info.length = c.u64()
	kind := c.u32()
	info.offset = c.u64()
	switch {
	case c.err != nil:
		return info, c.err
	case info.layer == 0:
		return info, fmt.Errorf("%s: a control vector begins at direction.1", name)
	case kind != ggufF32:
		return info, fmt.Errorf("%s is of type %d, want float32", name, kind)
	case info.length < 1 || info.length > maxWidth:
		return info, fmt.Errorf("%s has %d values", name, info.length)
	}
	return info, nil
}

func (h ggufHeader) vectors(infos []ggufInfo, data []byte) ([]Vector, error) {
	var vectors []Vector
	left := uint64(len(data)) // tensors that share their data could ask for more than there is
	for _, info := range infos {
		size := 4 * info.length
		if size > left || info.offset%h.alignment != 0 || info.offset > uint64(len(data)) || size > uint64(len(data))-info.offset {
			return nil, fmt.Errorf("%s lies outside of the file", direction(info.layer))
		}
		left -= size
		v, err := known(info.layer, bytesFloats(data[info.offset:info.offset+size]), h.manifest)
		if err != nil {
			return nil, err
		}
		if v.Meta.ModelType == "" {
			v.Meta.ModelType = h.hint
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}
