package cache

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// window bounds the memory of a stream on both sides: about three windows to write, one to
// read. Activations hardly compress and text repeats within a few kilobytes, so a larger one
// buys nothing.
const window = 1 << 20

// encoders are reused because each holds a few windows. Concurrency 1 means no goroutines
// and bytes that depend on the content alone.
var encoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil {
		panic("cache: zstd options: " + err.Error())
	}
	return e
}}

// EncodeBlob writes what write writes to w as one zstd frame and its seal, and returns the digest and the length of the
// content. After an error what was written to w is good for nothing.
func EncodeBlob(ctx context.Context, w io.Writer, write func(io.Writer) error) (Digest, int64, error) {
	e := encoders.Get().(*zstd.Encoder)
	stored := newSealer(w)
	e.Reset(stored)
	content := &contentWriter{ctx: ctx, to: e, hash: sha256.New()}
	if err := write(content); err != nil {
		e.Reset(nil) // a write that panics keeps its encoder from the pool
		encoders.Put(e)
		return Digest{}, 0, err
	}
	err := cmp.Or(ctx.Err(), content.err, e.Close())
	if err == nil {
		err = stored.seal()
	}
	e.Reset(nil)
	encoders.Put(e)
	return Digest(content.hash.Sum(nil)), content.n, err
}

// contentWriter measures content on its way to the compressor. It remembers a failed write:
// a caller that ignores the error must not get half a blob committed.
type contentWriter struct {
	ctx  context.Context
	to   io.Writer
	hash hash.Hash
	n    int64
	err  error
}

func (c *contentWriter) Write(p []byte) (int, error) {
	if c.err == nil {
		c.err = c.ctx.Err()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.to.Write(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	c.err = err
	return n, err
}

// place gives a sealed file its final name, unless a file of that name exists. Linking rather than
// renaming never replaces what another process placed in the meantime; file systems without links
// fall back to a rename.
func (l *local) place(tmp *os.File, path string) error {
	err := l.link(tmp.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // mostly the first file of its folder
		if err := l.makeDir(filepath.Dir(path)); err != nil {
			return err
		}
		err = l.link(tmp.Name(), path)
	}
	if err != nil {
		there, err := exists(path)
		if err == nil && !there {
			err = os.Rename(tmp.Name(), path)
		}
		if err != nil {
			return err
		}
	}
	l.owe(filepath.Dir(path))
	return l.step("rename")
}

// replace gives path new content, atomically, and brings it and everything before it to the disk.
func (l *local) replace(path string, content []byte) error {
	tmp, err := l.writeTemp(content)
	if err != nil {
		return err
	}
	defer discard(tmp)
	if err := l.seal(tmp); err != nil {
		return err
	}
	if err := l.settle(); err != nil {
		return err
	}
	if err := l.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	l.owe(filepath.Dir(path))
	if err := l.step("rename"); err != nil {
		return err
	}
	return l.settle()
}

// temp makes an unfinished file and holds its lock, by which [local.sweep] knows that it is not garbage.
func (l *local) temp(pattern string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Join(l.dir, "tmp"), pattern)
	if err == nil {
		lock(f)
	}
	return f, err
}

func (l *local) writeTemp(content []byte) (*os.File, error) {
	tmp, err := l.temp("text-*")
	if err != nil {
		return nil, err
	}
	if _, err = tmp.Write(content); err == nil {
		err = l.step("write")
	}
	if err != nil {
		discard(tmp)
		return nil, err
	}
	return tmp, nil
}

// seal brings the file's bytes to the disk and takes the right to write away. Until here
// the file has no name under which anything would look for it.
func (l *local) seal(tmp *os.File) error {
	if err := tmp.Chmod(0o444); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := l.step("sync"); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return l.step("close")
}

// A debt is folders that have new names in them which are not on the disk yet. What syncs a folder costs as much as
// what syncs a file, and most of a small blob's way; folders are synced together, before a name that must not reach
// the disk without them.
type debt struct {
	mu      sync.Mutex
	folders map[string]bool
	paying  sync.Mutex // held until what was owed is on the disk, so that nobody goes on before it is
}

// owe notes that folders have a new name in them.
func (l *local) owe(dirs ...string) {
	l.debt.mu.Lock()
	defer l.debt.mu.Unlock()
	if l.debt.folders == nil {
		l.debt.folders = map[string]bool{}
	}
	for _, dir := range dirs {
		l.debt.folders[dir] = true
	}
}

// settle brings all new names to the disk.
func (l *local) settle() error {
	l.debt.paying.Lock()
	defer l.debt.paying.Unlock()
	l.debt.mu.Lock()
	folders := l.debt.folders
	l.debt.folders = nil
	l.debt.mu.Unlock()
	for dir := range folders {
		if err := syncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // one that was removed has no names
			l.owe(slices.Collect(maps.Keys(folders))...)
			return err
		}
	}
	return l.step("sync dir")
}

// makeDir makes a folder of the store, and those that it lies in, if it is not there.
func (l *local) makeDir(dir string) error {
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) && dir != l.dir && dir != filepath.Dir(dir) {
		if err := l.makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o777)
	}
	if err == nil {
		l.owe(filepath.Dir(dir))
		return nil
	}
	if there, _ := exists(dir); there {
		return nil
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (l *local) step(name string) error {
	if l.reached == nil {
		return nil
	}
	return l.reached(name)
}

// discard closes and removes a temporary file; after a successful install only the second
// name of the file, or nothing, is left to remove.
func discard(tmp *os.File) {
	tmp.Close()
	os.Remove(tmp.Name())
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
