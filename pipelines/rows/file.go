// Package rows reads files of activations that people have of their own: a row per position, in .npy,
// safetensors or Arrow, with the rows of two such files being pairs. Rows stay in the files, which are read
// once for each pass, so that there may be more of them than memory.
package rows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/format/files"
	"github.com/persona-transfer/runpipeline/format/npy"
	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// Bounds of a table: wider than any residual stream, and more rows than would be fitted in a year.
const (
	maxWidth = 1 << 17
	maxRows  = 1 << 30
)

// A File is a table of numbers, row-major. It is not safe for use by several goroutines.
type File struct {
	Meta  artifacts.Meta // what the file says of its model; the layer is [artifacts.UnknownLayer] if it does not
	Rows  int
	Width int
	DType string // "F64", "F32", "F16" or "BF16"
	// Places are, for activations that this program wrote, the text and position of each row; else nil.
	Places []Place

	f        *os.File
	size     int // bytes of a value
	decode   func(dst []float32, src []byte)
	segments []segment
	raw      []byte // of the last rows that were read
}

// A Place is where a row was captured.
type Place struct {
	Document  string
	Text, End int32
}

// A segment is rows that lie one after the other.
type segment struct {
	offset int64
	rows   int
}

// Open opens the table of a file: FILE, or FILE:NAME for one tensor or column among several. The format is
// told by the first bytes. The caller closes it.
func Open(name string) (*File, error) {
	path, part := Split(name)
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	t := &File{Meta: artifacts.Meta{Layer: artifacts.UnknownLayer}, f: f}
	if err := t.open(part); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

// Close closes the file.
func (t *File) Close() error { return t.f.Close() }

// Split takes the name of a part off a file's name, if there is no file of the whole name.
func Split(name string) (path, part string) {
	if _, err := os.Stat(name); err == nil {
		return name, ""
	}
	if i := strings.LastIndexByte(name, ':'); i > 0 {
		if _, err := os.Stat(name[:i]); err == nil {
			return name[:i], name[i+1:]
		}
	}
	return name, ""
}

// open finds where the rows lie.
func (t *File) open(part string) error {
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size == 0 {
		return errors.New("an empty file")
	}
	head := make([]byte, min(size, 16))
	if _, err := t.f.ReadAt(head, 0); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte(npy.Magic)):
		err = t.openNPY(size, part)
	case bytes.HasPrefix(head, []byte(artifacts.Magic)):
		err = t.openArrow(size, part)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		err = errors.New("a zip archive, as numpy.savez and torch.save write; save one array with numpy.save, or tensors as safetensors")
	case len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 1<<32:
		err = t.openSafetensors(size, part)
	default:
		err = errors.New("it is neither .npy nor safetensors nor Arrow")
	}
	if err != nil {
		return err
	}
	t.size, t.decode = safetensors.Floats(t.DType)
	for _, s := range t.segments {
		t.Rows += s.rows
	}
	switch {
	case t.decode == nil:
		return fmt.Errorf("values of type %s; want floating-point numbers: F64, F32, F16 or BF16", t.DType)
	case t.Rows == 0 || t.Width == 0:
		return fmt.Errorf("it is empty: %d rows of %d values", t.Rows, t.Width)
	case t.Width > maxWidth || t.Rows > maxRows:
		return fmt.Errorf("%d rows of %d values; want at most %d of %d", t.Rows, t.Width, maxRows, maxWidth)
	}
	t.Meta.Hidden = t.Width
	return nil
}

func (t *File) openNPY(size int64, part string) error {
	a, err := npy.Read(t.f, size)
	switch {
	case err != nil:
		return err
	case part != "":
		return fmt.Errorf("a .npy file has one array, and no %.80q in it", part)
	case len(a.Shape) != 2:
		return fmt.Errorf("an array of shape %v; want two dimensions, rows and values", a.Shape)
	}
	t.DType, t.Width, t.segments = a.DType, a.Shape[1], []segment{{a.Offset, a.Shape[0]}}
	return nil
}

func (t *File) openArrow(size int64, part string) error {
	place, err := artifacts.FindVectors(t.f, size, part)
	if err != nil {
		return err
	}
	t.DType, t.Width = place.DType, place.Width
	for _, b := range place.Batches {
		t.segments = append(t.segments, segment{b.Offset, b.Rows})
	}
	if place.Kind != artifacts.KindActivations {
		return nil
	}
	return artifacts.ReadActivations(io.NewSectionReader(t.f, 0, size), func(batch *artifacts.Activations) error {
		t.Meta = batch.Meta
		for i := range batch.Rows() {
			t.Places = append(t.Places, Place{batch.Document[i], batch.Text[i], batch.End[i]})
		}
		return nil
	})
}

// chunk is about how many bytes are read at once: enough to hide what a call costs, and little enough to
// stay in the cache until they are decoded.
const chunk = 1 << 18

// Read fills dst with rows from row from on; it holds whole rows, which there are.
func (t *File) Read(dst []float32, from int) error {
	return t.each(from, len(dst)/t.Width, func(row int, raw []byte) error {
		at := (row - from) * t.Width
		t.decode(dst[at:at+len(raw)/t.size], raw)
		return nil
	})
}

// each passes the stored bytes of n rows from row from on, some rows at a time.
func (t *File) each(from, n int, visit func(row int, raw []byte) error) error {
	wide := t.Width * t.size
	most := max(1, chunk/wide)
	begin := 0 // of the segment
	for _, s := range t.segments {
		for n > 0 && from < begin+s.rows {
			k := min(most, n, begin+s.rows-from)
			if len(t.raw) < k*wide {
				t.raw = make([]byte, k*wide)
			}
			raw := t.raw[:k*wide]
			if _, err := t.f.ReadAt(raw, s.offset+int64(from-begin)*int64(wide)); err != nil {
				return fmt.Errorf("read rows %d to %d: %w", from, from+k-1, err)
			}
			if err := visit(from, raw); err != nil {
				return err
			}
			from, n = from+k, n-k
		}
		begin += s.rows
	}
	return nil
}
