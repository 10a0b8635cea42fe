package artifacts

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// A batch is what a reader must hold at once. Both limits are part of the format: the same
// rows in other batches are other bytes.
const (
	maxBatchRows   = 4096
	maxBatchValues = 1 << 20
)

// allocator is replaced in tests by one that counts.
var allocator memory.Allocator = memory.NewGoAllocator()

// encodeTable writes facts and columns as one Arrow file. The columns must be of equal
// length; their values are checked as they are written.
func encodeTable(w io.Writer, f facts, columns []column) error {
	rows := columns[0].rows()
	fields := make([]arrow.Field, len(columns))
	width := 1
	for i, c := range columns {
		if c.rows() != rows {
			return fmt.Errorf("%s has %d rows, %s has %d", columns[0].field().Name, rows, c.field().Name, c.rows())
		}
		fields[i] = c.field()
		width = max(width, c.width())
	}
	metadata, err := f.metadata()
	if err != nil {
		return err
	}
	schema := arrow.NewSchema(fields, &metadata)
	p := &position{w: w}
	file, err := ipc.NewFileWriter(p, ipc.WithSchema(schema), ipc.WithAllocator(allocator))
	if err != nil {
		return err
	}
	// A table without rows has one batch without rows.
	step := max(1, min(maxBatchRows, maxBatchValues/width))
	for from := 0; from == 0 || from < rows; from += step {
		if err := writeBatch(file, schema, columns, from, min(from+step, rows)); err != nil {
			return err
		}
	}
	// The Arrow format asks for an end-of-stream mark before the footer; this version of
	// the library leaves it out.
	if _, err := p.Write(endOfStream); err != nil {
		return err
	}
	return file.Close()
}

var endOfStream = []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}

func writeBatch(file *ipc.FileWriter, schema *arrow.Schema, columns []column, from, to int) error {
	arrays := make([]arrow.Array, len(columns))
	defer func() {
		for _, a := range arrays {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i, c := range columns {
		data, err := c.data(from, to)
		if data != nil {
			arrays[i] = array.MakeFromData(data)
			data.Release()
		}
		if err != nil {
			return fmt.Errorf("rows %d to %d: %w", from, to-1, err)
		}
	}
	record := array.NewRecord(schema, arrays, int64(to-from))
	defer record.Release()
	return file.Write(record)
}

// A table is an Arrow file being read, one batch at a time.
type table struct {
	source *sourceReader
	frames *frames
	reader *ipc.Reader
	facts  facts
}

// openTable reads up to the schema and checks that the table is of the given kind and
// version. The caller closes it.
func openTable(r io.Reader, kind string) (*table, error) {
	t := &table{source: &sourceReader{r: r}}
	t.frames = &frames{r: t.source}
	if err := t.open(kind); err != nil {
		t.close()
		return nil, t.explain(kind, err)
	}
	return t, nil
}

func (t *table) open(kind string) (err error) {
	defer guard(&err)
	t.reader, err = ipc.NewReaderFromMessageReader(t.frames, ipc.WithAllocator(allocator))
	if err != nil {
		return cmp.Or(t.frames.failure(), err)
	}
	metadata := t.reader.Schema().Metadata()
	t.facts = make(facts, metadata.Len())
	for i, k := range metadata.Keys() {
		if _, twice := t.facts[k]; twice {
			return fmt.Errorf("fact %.40q is given twice", k)
		}
		if !utf8.ValidString(k + metadata.Values()[i]) {
			return fmt.Errorf("fact %.40q is not UTF-8", k)
		}
		t.facts[k] = metadata.Values()[i]
	}
	return t.facts.expect(kind)
}

func (t *table) close() {
	if t.reader != nil {
		t.reader.Release()
		t.reader = nil
	}
	t.frames.close()
}

// expect checks that the table has exactly these columns, in this order.
func (t *table) expect(columns []column) error {
	schema := t.reader.Schema()
	for i, c := range columns {
		want := c.field()
		if i >= schema.NumFields() {
			return fmt.Errorf("column %q is missing", want.Name)
		}
		if got := schema.Field(i); got.Name != want.Name {
			return fmt.Errorf("column %d is %.40q, want %q", i, got.Name, want.Name)
		} else if got.Nullable || !arrow.TypeEqual(got.Type, want.Type) {
			return fmt.Errorf("column %q is %s, want %s without nulls", want.Name, got.Type, want.Type)
		}
	}
	if n := schema.NumFields(); n > len(columns) {
		return fmt.Errorf("column %.40q is not known", schema.Field(len(columns)).Name)
	}
	for _, f := range schema.Fields() {
		t.frames.expect(f.Type)
	}
	return nil
}

// next appends one batch to the columns; more is false at the end of the table.
func (t *table) next(columns []column) (more bool, err error) {
	defer guard(&err)
	if !t.reader.Next() {
		return false, cmp.Or(t.frames.failure(), t.reader.Err())
	}
	record := t.reader.Record()
	for i, c := range columns {
		data := record.Column(i).Data()
		if int64(data.Len()) != record.NumRows() { // Arrow lets a column be longer than its batch
			return false, fmt.Errorf("column %q has %d rows of %d", c.field().Name, data.Len(), record.NumRows())
		}
		if err := c.load(data); err != nil {
			return false, fmt.Errorf("column %q: %w", c.field().Name, err)
		}
	}
	return true, nil
}

// explain adds to err the kind of table. It wraps ErrFormat, unless the source itself fails, whose error
// takes precedence: the source is read to its end, since a store may report damage only there, and
// damaged bytes are in no format.
func (t *table) explain(kind string, err error) error {
	if t.source.err == nil {
		io.Copy(io.Discard, t.source)
	}
	switch {
	case t.source.err != nil:
		err = t.source.err
	case !errors.Is(err, ErrFormat):
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return fmt.Errorf("read %s: %w", kind, err)
}

// decodeTable reads a whole table. layout returns the columns, which may depend on facts;
// it takes the facts it knows out, and what is left over is an error. check, which may be
// nil, looks at what a batch appended to the columns.
func decodeTable(r io.Reader, kind string, layout func(facts) ([]column, error), check func() error) error {
	t, err := openTable(r, kind)
	if err != nil {
		return err
	}
	defer t.close()
	columns, err := layout(t.facts)
	if err == nil {
		err = cmp.Or(t.facts.none(), t.expect(columns))
	}
	for more := true; more && err == nil; {
		more, err = t.next(columns)
		if more && err == nil && check != nil {
			err = check()
		}
	}
	if own, ok := errors.AsType[visitorError](err); ok {
		return own.error
	}
	if err != nil {
		return t.explain(kind, err)
	}
	return nil
}

// visitorError ends a reading that went well, for a reason of its caller's.
type visitorError struct{ error }

// guard turns a panic of the Arrow library into an error. Its reader panics by convention
// on files that contradict themselves; what describe lets through can still do so.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrFormat, r)
	}
}

// sourceReader remembers an error of the source.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
