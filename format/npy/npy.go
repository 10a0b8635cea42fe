package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// Magic begins every file.
const Magic = "\x93NUMPY"

const (
	maxHeader = 1 << 16
	maxRank   = 32
)

// An Array is what the header of a file says, checked; the values lie in the file from Offset to its end,
// row by row and little-endian.
type Array struct {
	DType  string // "F64", "F32", "F16", "I64" … "I8", "U64" … "U8" or "BOOL", as safetensors names them
	Shape  []int
	Offset int64
}

// A dtype is a stored type under NumPy's name without the byte order.
type dtype struct {
	name string
	size int64
}

var dtypes = map[string]dtype{
	"f8": {"F64", 8}, "f4": {"F32", 4}, "f2": {"F16", 2},
	"i8": {"I64", 8}, "i4": {"I32", 4}, "i2": {"I16", 2}, "i1": {"I8", 1},
	"u8": {"U64", 8}, "u4": {"U32", 4}, "u2": {"U16", 2}, "u1": {"U8", 1}, "b1": {"BOOL", 1},
}

// Read reads the header of a file of the given size. A file that breaks the package's rules is an error, as
// is one that r fails to read.
func Read(r io.ReaderAt, size int64) (*Array, error) {
	text, offset, err := header(r, size)
	if err != nil {
		return nil, err
	}
	d, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	t, err := typeOf(d.descr)
	if err != nil {
		return nil, err
	}
	if d.fortran && len(d.shape) > 1 {
		return nil, errors.New("an array in Fortran order, by columns; save numpy.ascontiguousarray(a)")
	}
	want := t.size
	for _, n := range d.shape {
		if n > 0 && want > math.MaxInt64/int64(n) {
			return nil, fmt.Errorf("shape %v is too large", d.shape)
		}
		want *= int64(n)
	}
	switch have := size - offset; {
	case want > have:
		return nil, fmt.Errorf("cut short: %s %v takes %d bytes, there are %d", t.name, d.shape, want, have)
	case want < have:
		return nil, fmt.Errorf("%d bytes after the end of %s %v", have-want, t.name, d.shape)
	}
	return &Array{DType: t.name, Shape: d.shape, Offset: offset}, nil
}

// header returns the text of the dictionary and where the values begin.
func header(r io.ReaderAt, size int64) (text string, offset int64, err error) {
	head := make([]byte, min(size, 12))
	if err := readAt(r, 0, head); err != nil {
		return "", 0, err
	}
	if len(head) < 10 || string(head[:6]) != Magic {
		return "", 0, errors.New("it does not begin like a .npy file")
	}
	var n int64
	switch version := head[6]; {
	case version == 1:
		n, offset = int64(binary.LittleEndian.Uint16(head[8:])), 10
	case (version == 2 || version == 3) && len(head) == 12:
		n, offset = int64(binary.LittleEndian.Uint32(head[8:])), 12
	case version == 2 || version == 3:
		return "", 0, errors.New("it is cut inside its header")
	default:
		return "", 0, fmt.Errorf("version %d.%d of the format; 1, 2 and 3 are read", version, head[7])
	}
	if n > maxHeader || n > size-offset {
		return "", 0, fmt.Errorf("header of %d bytes in a file of %d", n, size)
	}
	body := make([]byte, n)
	if err := readAt(r, offset, body); err != nil {
		return "", 0, err
	}
	return string(body), offset + n, nil
}

func readAt(r io.ReaderAt, offset int64, p []byte) error {
	if _, err := io.ReadFull(io.NewSectionReader(r, offset, int64(len(p))), p); err != nil {
		return fmt.Errorf("read %d bytes at %d: %w", len(p), offset, err)
	}
	return nil
}

// typeOf finds a type by NumPy's name, for instance "<f4".
func typeOf(descr string) (dtype, error) {
	if descr == "" {
		return dtype{}, errors.New("a structured array; save one column of numbers")
	}
	t, ok := dtypes[descr[1:]]
	switch order := descr[0]; {
	case order == '|' && len(descr) > 1 && descr[1] == 'O':
		return t, errors.New("an array of Python objects, which is a pickle and never read; save an array of numbers")
	case ok && order == '>' && t.size > 1:
		return t, fmt.Errorf("big-endian values (%q); save a.astype(%q)", descr, "<"+descr[1:])
	case ok && (order == '<' || t.size == 1 && slices.Contains([]byte("|>"), order)):
		return t, nil
	}
	return dtype{}, fmt.Errorf("values of type %.40q, which are no numbers that are read", descr)
}
