package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// window is how much of a header is read at a time.
const window = 64 << 10

// maxStrings is four times the largest vocabulary in use, that of XLM-V.
const maxStrings = 1 << 22

// maxNesting is how deep lists of lists may go: nobody writes any.
const maxNesting = 4

// A cursor reads a header front to back. After an error it returns zeros and keeps it.
type cursor struct {
	r    io.ReaderAt
	size int64 // of the file
	at   int64
	err  error

	from int64 // where held lies in the file
	held []byte
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// reach reports whether n more bytes are there.
func (c *cursor) reach(n int64) bool {
	if n > c.size-c.at {
		c.fail("%d bytes at %d go beyond the end of the file, %d", n, c.at, c.size)
	}
	return c.err == nil
}

// take returns the next n bytes, which count until the next call; nil after an error.
func (c *cursor) take(n int64) []byte {
	if !c.reach(n) {
		return nil
	}
	if c.at+n > c.from+int64(len(c.held)) {
		length := int(min(max(n, window), c.size-c.at))
		c.from, c.held = c.at, slices.Grow(c.held[:0], length)[:length]
		if c.err = fill(c.r, c.at, c.held); c.err != nil {
			return nil
		}
	}
	p := c.held[c.at-c.from:][:n]
	c.at += n
	return p
}

// skip passes over n bytes.
func (c *cursor) skip(n int64) {
	if c.reach(n) {
		c.at += n
	}
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
	if c.err == nil && n > uint64((c.size-c.at)/size) {
		c.fail("a count of %d with %d bytes left", n, c.size-c.at)
	}
	if c.err != nil {
		return 0
	}
	return int(n)
}

// text reads a string of at most limit bytes.
func (c *cursor) text(limit int) string {
	n := c.count(1)
	if n > limit {
		c.fail("a name of %d bytes", n)
	}
	return string(c.take(int64(n)))
}

// value reads a value with its kind.
func (c *cursor) value() any {
	kind := Kind(c.uint32())
	switch kind {
	case KindString:
		return c.text(math.MaxInt)
	case KindArray:
		return c.array(0)
	}
	size, ok := sizes[kind]
	if !ok {
		c.fail("value of unknown type %d", kind)
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

// array reads past an array, checking that it ends inside the file.
func (c *cursor) array(depth int) Array {
	a := Array{Kind: Kind(c.uint32()), r: c.r}
	size, fixed := sizes[a.Kind]
	switch {
	case c.err != nil:
	case fixed:
		a.Len = c.count(size)
		a.at, a.size = c.at, int64(a.Len)*size
		c.skip(a.size)
	case a.Kind == KindString:
		a.Len = c.count(8)
		if a.Len > maxStrings {
			c.fail("a list of %d texts, at most %d are read", a.Len, maxStrings)
		}
		a.at = c.at
		for i := 0; i < a.Len && c.err == nil; i++ {
			c.skip(int64(c.count(1)))
		}
		a.size = c.at - a.at
	case a.Kind == KindArray && depth < maxNesting:
		a.Len = c.count(4 + 8)
		for i := 0; i < a.Len && c.err == nil; i++ {
			c.array(depth + 1)
		}
	default:
		c.fail("an array of type %d", a.Kind)
	}
	return a
}

// fill reads the bytes at offset, which lie inside of the file.
func fill(r io.ReaderAt, offset int64, p []byte) error {
	if _, err := io.ReadFull(io.NewSectionReader(r, offset, int64(len(p))), p); err != nil {
		return fmt.Errorf("read %d bytes at %d: %w", len(p), offset, err)
	}
	return nil
}

// readAt returns the n bytes at offset, which lie inside of the file.
func readAt(r io.ReaderAt, offset, n int64) ([]byte, error) {
	p := make([]byte, n)
	return p, fill(r, offset, p)
}
