package checkpoint

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/persona-transfer/runpipeline/format/text"
)

// A blob is the bytes of one file, mapped where the system can do so.
type blob struct {
	name    string    // file name inside its folder, for messages
	path    string    // full path of a real file, else ""
	modTime time.Time // of a real file
	size    int64

	data    []byte // the whole content when it is mapped or in memory
	mapped  bool
	r       io.ReaderAt // the content otherwise
	release func() error
}

// openBlob opens one file of fsys: mapped if it is a real file, read where it lies if it
// is an [io.ReaderAt] (embed.FS), read into memory otherwise.
func openBlob(fsys fs.FS, name string) (*blob, error) {
	if _, err := regular(fsys, name); err != nil {
		return nil, err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat() // of the open file: the name may have passed to another since
	if err == nil {
		err = checkMode(name, info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	b := &blob{name: name, size: info.Size(), release: f.Close}
	switch f := f.(type) {
	case *os.File:
		b.path, b.modTime = f.Name(), info.ModTime()
		err = b.mapFile(f)
	case io.ReaderAt:
		b.r = f
	default:
		defer f.Close()
		b.release = nil
		b.data, err = io.ReadAll(f)
		b.size = int64(len(b.data))
	}
	if err == nil {
		err = b.standin()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// standin reports a file that only stands in for the weights.
func (b *blob) standin() (err error) {
	defer recoverFault(b.name, &err)()
	var buf []byte
	const enough = 4 << 10 // larger files are no stand-ins
	if b.size > enough {
		return nil
	}
	head, err := b.view(0, b.size, &buf)
	if err == nil {
		err = text.Standin(head)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w: %w", b.name, err, ErrFormat)
	}
	return err
}

// mapFile maps f into memory and closes it; where that fails, f stays open to be read.
func (b *blob) mapFile(f *os.File) error {
	data, unmap, err := mmap(f, b.size)
	if err != nil {
		b.r = f
		return nil
	}
	b.data, b.mapped, b.release = data, true, unmap
	return f.Close()
}

// view returns n bytes from offset: a window on the mapping, or a copy in buf, which is
// grown as needed. The caller has checked the bounds against size.
func (b *blob) view(offset, n int64, buf *[]byte) ([]byte, error) {
	if b.r == nil {
		return b.data[offset : offset+n], nil
	}
	if int64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	p := (*buf)[:n]
	if _, err := b.r.ReadAt(p, offset); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s at %d: %w", b.name, offset, err)
	} else if err == io.EOF {
		// ReadAt may report EOF with a full read only at the very end of the file.
		if offset+n > b.size {
			return nil, fmt.Errorf("read %s at %d: %w", b.name, offset, io.ErrUnexpectedEOF)
		}
	}
	return p, nil
}

// ReadAt implements [io.ReaderAt].
func (b *blob) ReadAt(p []byte, offset int64) (int, error) {
	if b.r != nil {
		return b.r.ReadAt(p, offset)
	}
	if offset < 0 || offset >= b.size {
		return 0, io.EOF
	}
	n := copy(p, b.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// forget takes what was read of a mapped file out of the process's memory.
func (b *blob) forget() {
	if b.mapped {
		forget(b.data)
	}
}

func (b *blob) close() error {
	if b.release == nil {
		return nil
	}
	release := b.release
	b.release, b.data, b.r, b.mapped = nil, nil, nil, false
	return release()
}
