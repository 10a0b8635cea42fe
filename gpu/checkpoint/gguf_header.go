package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// A ggufHeader is what a GGUF file says about itself, checked.
type ggufHeader struct {
	meta    metadata
	tensors []*tensor // in file order, with GGUF's names and layouts, shapes as [out, in]
	notes   []string  // what is odd and does no harm
}

// ggufAlignment is the default of general.alignment.
const ggufAlignment = 32

// readGGUF parses and checks the header of b. The layout, little-endian:
//
//	"GGUF", version uint32 (2 or 3), tensor count uint64, metadata count uint64
//	metadata:  key string, type uint32, value
//	tensors:   name string, dimension count uint32, dimensions uint64 (innermost first), type uint32, offset uint64
//	values, each tensor at its offset from here, aligned
//
// A string is its length, uint64, then its bytes. As in llama.cpp, tensors must follow one
// another in the order of their descriptions with no more than padding between them; what follows
// the last is left alone.
func readGGUF(b *blob) (h *ggufHeader, err error) {
	defer recoverFault(b.name, &err)()
	c := &cursor{blob: b}
	h = &ggufHeader{}
	if err := h.read(c); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", b.name, err, ErrFormat)
	}
	return h, nil
}

func (h *ggufHeader) read(c *cursor) error {
	if magic := c.take(4); string(magic) != "GGUF" {
		return fmt.Errorf("begins with %q, not GGUF", magic)
	}
	version := c.uint32()
	switch {
	case c.err != nil:
		return c.err
	case version == 1:
		return fmt.Errorf("GGUF version 1 is not supported")
	case version&0xffff == 0:
		return fmt.Errorf("big-endian GGUF is not supported")
	case version != 2 && version != 3:
		return fmt.Errorf("GGUF version %d is not supported", version)
	}
	// The shortest entries: name, two lengths, type, offset; key, type, one byte.
	nTensors, nMeta := c.count(8+4+8+4+8), c.count(8+4+1)
	if c.err == nil && (nTensors > maxTensors || nMeta > maxKeys) {
		c.err = fmt.Errorf("%d tensors and %d metadata, at most %d and %d are read", nTensors, nMeta, maxTensors, maxKeys)
	}
	if c.err != nil {
		return c.err
	}
	if err := h.readMeta(c, nMeta); err != nil {
		return err
	}
	if err := h.readTensors(c, nTensors); err != nil {
		return err
	}
	return h.place(c)
}

func (h *ggufHeader) readMeta(c *cursor, n int) error {
	h.meta = make(metadata)
	for range n {
		key := c.text(math.MaxUint16)
		value := c.value()
		if c.err != nil {
			return fmt.Errorf("metadata %.100q: %w", key, c.err)
		}
		if _, ok := h.meta[key]; ok {
			return fmt.Errorf("metadata %.100q occurs twice", key)
		}
		h.meta[key] = value
	}
	return nil
}

// maxTensorName is four times what llama.cpp allows.
const maxTensorName = 256

func (h *ggufHeader) readTensors(c *cursor, n int) error {
	seen := make(map[string]bool)
	var refused []string
	for range n {
		t := &tensor{blob: c.blob}
		t.Name = c.text(maxTensorName)
		rank := c.uint32()
		if c.err == nil && (rank == 0 || rank > 4) {
			return fmt.Errorf("tensor %q: %d dimensions", t.Name, rank)
		}
		for range rank {
			n := c.uint64()
			if c.err == nil && (n == 0 || n > math.MaxInt) {
				return fmt.Errorf("tensor %q: a dimension of %d", t.Name, n)
			}
			t.Shape = append(t.Shape, int(n))
		}
		kind, offset := c.uint32(), c.uint64()
		if c.err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, c.err)
		}
		if seen[t.Name] {
			return fmt.Errorf("tensor %q occurs twice", t.Name)
		}
		seen[t.Name] = true
		var ok bool
		if t.codec, ok = ggmlTypes[kind]; !ok {
			refused = append(refused, fmt.Sprintf("%s (%s)", t.Name, typeName(kind)))
			continue
		}
		if t.Shape[0]%t.codec.block != 0 {
			return fmt.Errorf("tensor %q: rows of %d values in %s blocks of %d", t.Name, t.Shape[0], t.codec.name, t.codec.block)
		}
		if _, ok := count(t.Shape); !ok || offset > math.MaxInt64 {
			return fmt.Errorf("tensor %q: shape %v at %d is too large", t.Name, t.Shape, offset)
		}
		slices.Reverse(t.Shape) // the innermost dimension comes last
		t.DType, t.offset = t.codec.name, int64(offset)
		h.tensors = append(h.tensors, t)
	}
	if len(refused) > 0 {
		return fmt.Errorf("stored types that are not supported: %s", some(refused))
	}
	return nil
}

// place turns the tensors' offsets into places in the file and checks that they lie there one after another.
func (h *ggufHeader) place(c *cursor) error {
	align := int64(ggufAlignment)
	if v, ok := h.meta["general.alignment"]; ok {
		n, ok := v.(uint32)
		if !ok || n == 0 || n&(n-1) != 0 || n > 1<<20 {
			return fmt.Errorf("general.alignment is %s", show(v))
		}
		align = int64(n)
	}
	up := func(n int64) int64 { return (n + align - 1) / align * align }
	start, at := up(c.at), int64(0)
	for _, t := range h.tensors {
		if t.offset != at {
			return fmt.Errorf("tensor %q begins at %d of the values, want %d", t.Name, t.offset, at)
		}
		if size := t.bytes(); size > c.blob.size-start-at {
			return fmt.Errorf("tensor %q: %d bytes at %d go beyond the end of the file, %d", t.Name, size, start+at, c.blob.size)
		}
		at = up(at + t.bytes())
		t.offset += start
	}
	if end := up(start + at); len(h.tensors) > 0 && c.blob.size > end {
		h.notes = append(h.notes, fmt.Sprintf("%d bytes after the last tensor are not read", c.blob.size-end))
	}
	return nil
}

func typeName(kind uint32) string {
	if name, ok := otherTypes[kind]; ok {
		return name
	}
	return fmt.Sprintf("type %d", kind)
}

// A cursor reads a header front to back. After an error it returns zeros and keeps it.
type cursor struct {
	blob *blob
	at   int64
	err  error
}

// take returns the next n bytes.
func (c *cursor) take(n int64) []byte {
	if c.err == nil && n > c.blob.size-c.at {
		c.err = fmt.Errorf("%d bytes at %d go beyond the end of the file, %d", n, c.at, c.blob.size)
	}
	if c.err != nil {
		return nil
	}
	var own []byte
	p, err := c.blob.view(c.at, n, &own)
	if err != nil {
		c.err = err
		return nil
	}
	c.at += n
	return p
}

func (c *cursor) uint32() uint32 {
	p := c.take(4)
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(p)
}

func (c *cursor) uint64() uint64 {
	p := c.take(8)
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(p)
}

// count reads a number of things that take at least size bytes each: what the rest of the
// file cannot hold is an error, so a count never makes anybody reserve memory in vain.
func (c *cursor) count(size int64) int {
	n := c.uint64()
	if c.err == nil && n > uint64((c.blob.size-c.at)/size) {
		c.err = fmt.Errorf("a count of %d with %d bytes left", n, c.blob.size-c.at)
	}
	if c.err != nil {
		return 0
	}
	return int(n)
}

// text reads a string of at most limit bytes.
func (c *cursor) text(limit int) string {
	n := c.count(1)
	if c.err == nil && n > limit {
		c.err = fmt.Errorf("a name of %d bytes", n)
	}
	return string(c.take(int64(n)))
}
