package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A File is what the header of a file says, checked; the values stay in the file. It is safe for use
// by several goroutines as far as its reader is.
type File struct {
	Metadata map[string]string // free-form texts by key; nil if there are none
	Entries  []Entry           // sorted by name

	r io.ReaderAt
}

// An Entry describes one tensor of a file.
type Entry struct {
	Name   string
	DType  string // F64, F32, F16, BF16, I64 … I8, U64 … U8, BOOL or another type of the format
	Shape  []int  // not nil
	Offset int64  // where the values begin in the file
	Size   int64  // bytes that they take
}

// Read reads the header of a file of the given size. Values are read from r when they are asked for. A
// file that breaks the package's rules is an error, as is one that r fails to read.
func Read(r io.ReaderAt, size int64) (*File, error) {
	if size < 8 {
		return nil, fmt.Errorf("%d bytes are too few for a header", size)
	}
	head, err := readAt(r, 0, 8)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxHeader || n > uint64(size-8) {
		return nil, fmt.Errorf("header of %d bytes in a file of %d", n, size)
	}
	start := 8 + int64(n)
	if head, err = readAt(r, 8, int64(n)); err != nil {
		return nil, err
	}
	f := &File{r: r}
	if f.Entries, f.Metadata, err = parseHeader(head); err == nil {
		err = checkLayout(f.Entries, size-start)
	}
	if err != nil {
		return nil, err
	}
	for i := range f.Entries {
		f.Entries[i].Offset += start
	}
	slices.SortFunc(f.Entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return f, nil
}

// Float32 returns all values of a tensor of floating-point numbers, row-major, F64 rounded to float32.
func (f *File) Float32(name string) ([]float32, error) {
	i, ok := slices.BinarySearchFunc(f.Entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	e := f.Entries[i]
	size, decode := Floats(e.DType)
	if decode == nil {
		return nil, fmt.Errorf("tensor %q is stored as %s, which is not decoded", name, e.DType)
	}
	raw, err := readAt(f.r, e.Offset, e.Size)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	values := make([]float32, len(raw)/size)
	decode(values, raw)
	return values, nil
}

// readAt returns the n bytes at offset, which lie inside of the file.
func readAt(r io.ReaderAt, offset, n int64) ([]byte, error) {
	p := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r, offset, n), p); err != nil {
		return nil, fmt.Errorf("read %d bytes at %d: %w", n, offset, err)
	}
	return p, nil
}
