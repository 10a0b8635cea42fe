package gguf

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Magic is how every file begins.
const Magic = "GGUF"

// Bounds of what a file may list, each several times what any model has.
const (
	maxTensors = 1 << 17 // mixtures of experts have up to 92,000
	maxKeys    = 1 << 14
	maxKey     = math.MaxUint16 // bytes, of the specification
	maxName    = 256            // bytes; four times what llama.cpp allows
	maxRank    = 4
)

// alignment is the default of general.alignment.
const (
	alignmentKey = "general.alignment"
	alignment    = 32
)

// A File is what the header of a file says, checked; the values stay in the file. It is safe for use
// by several goroutines as far as its reader is.
type File struct {
	Metadata map[string]any // numbers, bool and string as Go's types of the same size, lists as [Array]
	Entries  []Entry        // the tensors, in the order of the file
	Rest     int64          // how many bytes follow the last tensor and its padding

	r     io.ReaderAt
	index map[string]int // of Entries, by name
}

// An Entry describes one tensor of a file.
type Entry struct {
	Name   string
	Type   Type
	Shape  []int // outermost dimension first, [out, in] for a linear weight
	Offset int64 // where the values begin in the file
	Size   int64 // bytes that they take
}

// Read reads the header of a file of the given size. Values are read from r when they are asked for. A
// file that breaks the package's rules is an error, as is one that r fails to read.
func Read(r io.ReaderAt, size int64) (*File, error) {
	c := &cursor{r: r, size: size}
	if magic := c.take(min(size, int64(len(Magic)))); string(magic) != Magic && c.err == nil {
		return nil, fmt.Errorf("begins with %q, not %s", magic, Magic)
	}
	version := c.uint32()
	switch {
	case c.err != nil:
		return nil, c.err
	case version == 1:
		return nil, fmt.Errorf("GGUF version 1 is not supported")
	case version != 0 && version&0xffff == 0:
		return nil, fmt.Errorf("big-endian GGUF is not supported")
	case version != 2 && version != 3:
		return nil, fmt.Errorf("GGUF version %d is not supported", version)
	}
	// The shortest entries: name, two lengths, type, offset; key, kind, one byte.
	tensors, keys := c.count(8+4+8+4+8), c.count(8+4+1)
	if tensors > maxTensors || keys > maxKeys {
		c.fail("%d tensors and %d metadata, at most %d and %d are read", tensors, keys, maxTensors, maxKeys)
	}
	if c.err != nil {
		return nil, c.err
	}
	f := &File{r: r, Metadata: make(map[string]any), index: make(map[string]int)}
	if err := f.readMetadata(c, keys); err != nil {
		return nil, err
	}
	if err := f.readEntries(c, tensors); err != nil {
		return nil, err
	}
	return f, f.place(c)
}

func (f *File) readMetadata(c *cursor, n int) error {
	for range n {
		key := c.text(maxKey)
		value := c.value()
		if c.err != nil {
			return fmt.Errorf("metadata %.100q: %w", key, c.err)
		}
		if _, ok := f.Metadata[key]; ok {
			return fmt.Errorf("metadata %.100q occurs twice", key)
		}
		f.Metadata[key] = value
	}
	return nil
}

// readEntries reads the descriptions; offsets count from the beginning of the values.
func (f *File) readEntries(c *cursor, n int) error {
	unknown := false
	for range n {
		e, err := readEntry(c)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		if _, ok := f.index[e.Name]; ok {
			return fmt.Errorf("tensor %q occurs twice", e.Name)
		}
		f.index[e.Name] = len(f.Entries)
		f.Entries = append(f.Entries, e)
		if values, _ := e.Type.Block(); values == 0 {
			unknown = true
		}
	}
	if unknown {
		return &UnknownTypes{f.Entries}
	}
	return nil
}

// UnknownTypes is the error of a file with tensors of types of which nobody says how their values lie, so
// that no tensor can be found in it. Entries are all of its tensors, without places.
type UnknownTypes struct{ Entries []Entry }

// Error lists the tensors of such types.
func (e *UnknownTypes) Error() string {
	const most = 20
	var names []string
	for _, e := range e.Entries {
		if values, _ := e.Type.Block(); values == 0 {
			names = append(names, fmt.Sprintf("%s (%s)", e.Name, e.Type))
		}
	}
	if n := len(names) - most; n > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", n))
	}
	return "stored types that are not known: " + strings.Join(names, ", ")
}

func readEntry(c *cursor) (Entry, error) {
	e := Entry{Name: c.text(maxName)}
	rank := c.uint32()
	if c.err == nil && (rank == 0 || rank > maxRank) {
		return e, fmt.Errorf("%d dimensions", rank)
	}
	values := int64(1)
	for range rank {
		n := c.uint64()
		switch {
		case c.err != nil:
			return e, c.err
		case n == 0 || n > math.MaxInt:
			return e, fmt.Errorf("a dimension of %d", n)
		case values > math.MaxInt64/8/int64(n): // 8 bytes are more than any type needs for a value
			return e, fmt.Errorf("dimensions %v and %d are too large", e.Shape, n)
		}
		values *= int64(n)
		e.Shape = append(e.Shape, int(n))
	}
	e.Type = Type(c.uint32())
	offset := c.uint64()
	if c.err != nil {
		return e, c.err
	}
	block, bytes := e.Type.Block()
	if block == 0 { // refused with all others of its kind
		return e, nil
	}
	if e.Shape[0]%block != 0 {
		return e, fmt.Errorf("rows of %d values in %s blocks of %d", e.Shape[0], e.Type, block)
	}
	if offset > math.MaxInt64 {
		return e, fmt.Errorf("an offset of %d is too large", offset)
	}
	slices.Reverse(e.Shape)
	e.Offset, e.Size = int64(offset), values/int64(block)*int64(bytes)
	return e, nil
}

// place turns the tensors' offsets into places in the file and checks that they lie there one after another.
func (f *File) place(c *cursor) error {
	align := int64(alignment)
	if v, ok := f.Metadata[alignmentKey]; ok {
		n, ok := v.(uint32)
		if !ok || n == 0 || n&(n-1) != 0 || n > 1<<20 {
			return fmt.Errorf("%s is %.100s", alignmentKey, fmt.Sprint(v))
		}
		align = int64(n)
	}
	up := func(n int64) int64 { return (n + align - 1) / align * align }
	start, at := up(c.at), int64(0)
	for i := range f.Entries {
		e := &f.Entries[i]
		if e.Offset != at {
			return fmt.Errorf("tensor %q begins at %d of the values, want %d", e.Name, e.Offset, at)
		}
		if e.Size > c.size-start-at {
			return fmt.Errorf("tensor %q: %d bytes at %d go beyond the end of the file, %d", e.Name, e.Size, start+at, c.size)
		}
		at = up(at + e.Size)
		e.Offset += start
	}
	if end := up(start + at); len(f.Entries) > 0 && c.size > end {
		f.Rest = c.size - end
	}
	return nil
}

// Float32 returns all values of a tensor that is stored as F32, row-major.
func (f *File) Float32(name string) ([]float32, error) {
	i, ok := f.index[name]
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	e := f.Entries[i]
	if e.Type != F32 {
		return nil, fmt.Errorf("tensor %q is stored as %s, want F32", name, e.Type)
	}
	raw, err := readAt(f.r, e.Offset, e.Size)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return float32s(raw), nil
}
