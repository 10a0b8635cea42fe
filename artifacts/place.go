package artifacts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/endian"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// A Place says where the rows of one column of vectors lie in an Arrow file of any program, so that they can
// be read in any order and without the rest.
type Place struct {
	Column  string
	Width   int    // values per row
	DType   string // "F64", "F32" or "F16", as safetensors names them; little-endian
	Batches []PlacedBatch
	Kind    string // of a file of this package; empty for another program's
}

// A PlacedBatch is rows that lie one after the other from an offset of the file on.
type PlacedBatch struct {
	Offset int64
	Rows   int
}

// FindVectors finds the column of that name, or, without a name, the only one whose rows are fixed-size lists
// of floating-point numbers. The file is held to what [ReadActivations] asks for: no nulls, no compression,
// no dictionaries, nothing nested deeper than a list. Errors wrap [ErrFormat] or are the reader's own.
func FindVectors(r io.ReaderAt, size int64, column string) (*Place, error) {
	p, err := findVectors(r, size, column)
	if err != nil && !errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return p, err
}

func findVectors(r io.ReaderAt, size int64, column string) (*Place, error) {
	at := &counter{r: io.NewSectionReader(r, 0, size)}
	f := &frames{r: at}
	schema, err := readSchema(f)
	if errors.Is(err, errOther) {
		return nil, fmt.Errorf("%w; columns may be integers, floating-point numbers, booleans, texts with short offsets and lists of these, without dictionaries and metadata of their own: write the column of vectors alone", err)
	}
	if err != nil {
		return nil, err
	}
	p, first, err := placeOf(schema, column)
	if err != nil {
		return nil, err
	}
	for _, field := range schema.Fields() {
		f.expect(field.Type)
	}
	for {
		more, err := p.batch(f, r, at, size, first)
		if err != nil {
			return nil, err
		}
		if !more {
			return p, nil
		}
		at = &counter{r: io.NewSectionReader(r, at.n, size-at.n), n: at.n}
		f.r = at
	}
}

// readSchema reads up to the first batch.
func readSchema(f *frames) (s *arrow.Schema, err error) {
	defer guard(&err)
	defer f.close()
	reader, err := ipc.NewReaderFromMessageReader(f, ipc.WithAllocator(allocator))
	if f.failure() != nil {
		return nil, f.failure()
	}
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	return reader.Schema(), nil
}

// A first is where a column begins among the parts of a batch.
type first struct{ node, buffer int }

// placeOf chooses the column.
func placeOf(schema *arrow.Schema, column string) (p *Place, at first, err error) {
	var f frames // counts the parts of the columns before
	var known []string
	for _, field := range schema.Fields() {
		if dtype := floatsOf(field.Type); dtype != "" {
			known = append(known, fmt.Sprintf("%.80q", field.Name))
			if column == "" || column == field.Name {
				if p != nil && column != "" {
					return nil, at, fmt.Errorf("column %.80q is there twice", column)
				}
				p = &Place{Column: field.Name, Width: int(field.Type.(*arrow.FixedSizeListType).Len()), DType: dtype}
				at = first{f.nodes, f.buffers}
			}
		}
		f.expect(field.Type)
	}
	list := strings.Join(known, ", ")
	switch {
	case schema.Endianness() != endian.LittleEndian:
		return nil, at, errors.New("big-endian values, which are not read")
	case len(known) == 0:
		return nil, at, errors.New("no column of fixed-size lists of float16, float32 or float64")
	case p == nil:
		return nil, at, fmt.Errorf("no column %.80q of fixed-size lists of numbers; there is %s", column, list)
	case column == "" && len(known) > 1:
		return nil, at, fmt.Errorf("several columns of fixed-size lists of numbers, %s: name one", list)
	case p.Width < 1 || p.Width > maxBatchValues:
		return nil, at, fmt.Errorf("column %.80q has rows of %d values", p.Column, p.Width)
	}
	if i := schema.Metadata().FindKey("kind"); i >= 0 && schema.Metadata().Values()[i] == KindActivations {
		p.Kind = KindActivations
	}
	return p, at, nil
}

// floatsOf is the type of the numbers in a fixed-size list, or nothing.
func floatsOf(t arrow.DataType) string {
	l, ok := t.(*arrow.FixedSizeListType)
	if !ok {
		return ""
	}
	switch l.Elem().ID() {
	case arrow.FLOAT16:
		return "F16"
	case arrow.FLOAT32:
		return "F32"
	case arrow.FLOAT64:
		return "F64"
	}
	return ""
}

var floatSizes = map[string]int64{"F64": 8, "F32": 4, "F16": 2}

// batch adds the next batch without reading its body; more is false at the end of the file.
func (p *Place) batch(f *frames, r io.ReaderAt, at *counter, size int64, first first) (more bool, err error) {
	head, err := f.exactly(8)
	if err != nil {
		return false, err
	}
	n := int64(binary.LittleEndian.Uint32(head[4:]))
	switch {
	case binary.LittleEndian.Uint32(head) != continuation:
		return false, errors.New("a message does not begin where one must")
	case n == 0:
		if err := f.end(); err != io.EOF {
			return false, err
		}
		return false, nil
	case n > maxDescription, n%8 != 0:
		return false, fmt.Errorf("a message has %d bytes of metadata", n)
	}
	meta, err := f.exactly(n)
	if err != nil {
		return false, err
	}
	d, ok := describe(meta)
	if !ok || d.kind != kindRecords || d.nodes != f.nodes || d.buffers != f.buffers {
		return false, errors.New("rows with nulls, compression, dictionaries or nested columns, which are not read: write the file uncompressed and without them")
	}
	if d.body > size-at.n {
		return false, errors.New("it is cut short")
	}
	placed, err := p.placed(meta, first)
	if err != nil {
		return false, err
	}
	placed.Offset += at.n
	at.n += d.body
	if placed.Rows > 0 {
		p.Batches = append(p.Batches, placed)
	}
	return true, nil
}

// placed reads where a batch has the column's values, counted from the beginning of its body.
func (p *Place) placed(meta []byte, at first) (b PlacedBatch, err error) {
	f := &flat{b: meta}
	header := f.indirect(f.field(f.indirect(0), messageHeader))
	rows := int64(0)
	if pos := f.field(header, batchRowCount); pos != 0 {
		rows = f.i64(pos)
	}
	nodes, _ := f.vector(header, batchNodes, 16)
	buffers, _ := f.vector(header, batchBuffers, 16)
	list, items := f.i64(nodes+16*at.node), f.i64(nodes+16*(at.node+1))
	values := buffers + 16*(at.buffer+2) // the list's validity, its items', their values
	offset, size := f.i64(values), f.i64(values+8)
	switch {
	case f.bad:
		return b, errors.New("a batch that contradicts itself")
	case rows < 0 || rows > size/(int64(p.Width)*floatSizes[p.DType]):
		return b, fmt.Errorf("column %.80q has %d bytes for %d rows of %d", p.Column, size, rows, p.Width)
	case list != rows || items != rows*int64(p.Width):
		return b, fmt.Errorf("column %.80q has %d rows and %d values of %d rows of %d", p.Column, list, items, rows, p.Width)
	}
	return PlacedBatch{Offset: offset, Rows: int(rows)}, nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Magic begins every Arrow file.
const Magic = magic
