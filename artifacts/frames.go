package artifacts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// magic begins and ends an Arrow file; at the beginning two zero bytes follow.
const magic = "ARROW1"

// continuation precedes the length of every message.
const continuation = 0xFFFFFFFF

// errOther is a message of a kind that this package does not write.
var errOther = fmt.Errorf("%w: a message is not what is written here", ErrFormat)

// frames reads an Arrow file from front to back, as a stream of messages: an Arrow file is
// the magic, a stream, and a footer for readers that can seek. Reading it as a stream needs
// no seeking and no more memory than one batch. It implements [ipc.MessageReader].
//
// Nothing is allocated on the word of a header alone: bodies grow as their bytes arrive.
type frames struct {
	r       io.Reader
	message *ipc.Message
	opened  bool // the schema has been read
	filled  bool // and a batch

	// What a batch must consist of; set once the schema is known. Arrow's reader does not
	// look whether a batch has as many parts as it takes.
	nodes, buffers int

	err error // first error of the source or of the framing, as it is to be reported
}

// Retain and Release implement [ipc.MessageReader]; frames has one owner, who calls close.
func (f *frames) Retain()  {}
func (f *frames) Release() {}

// Message returns the next message, which is valid until the next call, or io.EOF after the
// end of the file has been checked.
func (f *frames) Message() (*ipc.Message, error) {
	f.close()
	if f.err == nil {
		f.message, f.err = f.next()
	}
	return f.message, f.err
}

func (f *frames) close() {
	if f.message != nil {
		f.message.Release()
		f.message = nil
	}
}

// expect adds what a column of a type consists of in a batch: a node for it and each type
// inside it, and buffers for validity, offsets and values.
func (f *frames) expect(t arrow.DataType) {
	f.nodes++
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		f.buffers++
		f.expect(t.Elem())
	case *arrow.ListType:
		f.buffers += 2
		f.expect(t.Elem())
	case *arrow.StringType:
		f.buffers += 3
	default:
		f.buffers += 2
	}
}

// failure is the error that ended the reading, nil after a proper end.
func (f *frames) failure() error {
	if f.err == io.EOF {
		return nil
	}
	return f.err
}

func (f *frames) next() (*ipc.Message, error) {
	if !f.opened {
		head, err := f.exactly(8)
		if err != nil {
			return nil, err
		}
		if string(head) != magic+"\x00\x00" {
			return nil, fmt.Errorf("%w: it does not begin like an Arrow file", ErrFormat)
		}
	}
	head, err := f.exactly(8)
	if err != nil {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	switch {
	case binary.LittleEndian.Uint32(head) != continuation:
		return nil, fmt.Errorf("%w: a message does not begin where one must", ErrFormat)
	case size == 0 && f.filled:
		return nil, f.end()
	case size == 0, size > maxDescription, size%8 != 0:
		return nil, fmt.Errorf("%w: a message has %d bytes of metadata", ErrFormat, size)
	}
	meta, err := f.exactly(size)
	if err != nil {
		return nil, err
	}
	d, ok := describe(meta)
	if !ok || (d.kind == kindSchema) == f.opened || d.nodes != f.nodes || d.buffers != f.buffers {
		return nil, errOther
	}
	f.filled = f.opened
	f.opened = true
	body, err := f.exactly(d.body)
	if err != nil {
		return nil, err
	}
	return ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(body)), nil
}

// end reads the footer. Its content repeats what has been read; its frame is checked, and
// the source is read to its end, which is where a store vouches for the bytes.
func (f *frames) end() error {
	footer, err := io.ReadAll(io.LimitReader(f.r, 4*maxDescription))
	if err != nil {
		return err
	}
	tail := len(footer) - len(magic) - 4
	if tail < 0 || string(footer[tail+4:]) != magic || int64(binary.LittleEndian.Uint32(footer[tail:])) != int64(tail) {
		return fmt.Errorf("%w: it does not end like an Arrow file", ErrFormat)
	}
	return io.EOF
}

// exactly reads n bytes. A source that ends early is a format error; one that fails is not.
func (f *frames) exactly(n int64) ([]byte, error) {
	var buf bytes.Buffer
	switch got, err := io.CopyN(&buf, f.r, n); {
	case errors.Is(err, io.EOF) && got < n:
		return nil, fmt.Errorf("%w: it is cut short", ErrFormat)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	}
	return buf.Bytes(), nil
}

// position lets Arrow's file writer, which only ever asks where it is, write to any writer.
type position struct {
	w io.Writer
	n int64
}

func (p *position) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}

func (p *position) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("artifacts: an Arrow file is written from front to back")
	}
	return p.n, nil
}
