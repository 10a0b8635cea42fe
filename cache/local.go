package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// staleAfter is the age at which a file in tmp/ is garbage, if nobody holds its lock. Another process may
// be writing there now, so presence does not decide; nor does age alone, because clocks jump.
const staleAfter = 24 * time.Hour

// A local is a [Store] in a folder of the local file system. See the package comment for the
// layout and its invariants.
type local struct {
	dir  string
	link func(old, name string) error // os.Link; a test takes it away
	now  func() time.Time             // time.Now; a test makes it jump
	debt debt

	// reached is called after each step of a write with its name; a test makes it fail
	// or kill the process there. Outside of tests it is nil.
	reached func(step string) error
}

// openLocal opens the store in dir, making the folder if there is none. It refuses a folder
// of another version, and one that holds files but was never a store.
func openLocal(dir string) (*local, error) {
	l := newLocal(dir)
	version, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	switch {
	case err == nil && string(version) == Version:
		if err := l.makeDirs(); err != nil {
			return nil, fmt.Errorf("open cache: %w", err)
		}
		l.sweep()
		return l, nil
	case err == nil && l.readmeIsOurs():
		return nil, fmt.Errorf("open cache: %w", l.wrongVersion(version))
	case err == nil:
		return nil, fmt.Errorf("open cache %s: its version is %.20q, this program writes %q; name another folder or delete it", dir, strings.TrimSpace(string(version)), strings.TrimSpace(Version))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if err := l.initialise(); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return l, nil
}

func newLocal(dir string) *local { return &local{dir: dir, link: os.Link, now: time.Now} }

// wrongVersion is the damage of a VERSION that another file of the store contradicts.
func (l *local) wrongVersion(version []byte) error {
	return fmt.Errorf("read %s: %w: it is %.20q, and the README is that of version %q", filepath.Join(l.dir, "VERSION"), ErrCorrupt, version, strings.TrimSpace(Version))
}

// initialise lays out an empty folder. VERSION comes last: with it the folder is complete.
func (l *local) initialise() error {
	if err := os.MkdirAll(l.dir, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !IsOurs(e.Name()) {
			return fmt.Errorf("%s holds %s and is no cache; name an empty or a new folder", l.dir, e.Name())
		}
	}
	if err := l.makeDirs(); err != nil {
		return err
	}
	for _, f := range [][2]string{{"README", Readme}, {"VERSION", Version}} {
		if err := l.replace(filepath.Join(l.dir, f[0]), []byte(f[1])); err != nil {
			return err
		}
	}
	return nil
}

// makeDirs makes the store's own folders, each of which a person may have deleted to make room.
func (l *local) makeDirs() error {
	for _, sub := range slices.Concat([]string{"actions", "blobs", "tmp"}, NoteFolders) {
		if err := l.makeDir(filepath.Join(l.dir, sub)); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what crashed processes left in tmp/ long ago. The lock of a file ends with its process.
// It is a courtesy: errors are not worth failing for, for instance in a folder that may only be read.
func (l *local) sweep() {
	entries, _ := os.ReadDir(filepath.Join(l.dir, "tmp"))
	for _, e := range entries {
		path := filepath.Join(l.dir, "tmp", e.Name())
		if info, err := e.Info(); err == nil && l.now().Sub(info.ModTime()) > staleAfter && !locked(path) {
			os.Remove(path)
		}
	}
}

func (l *local) blobPath(d Digest) string {
	return filepath.Join(l.dir, filepath.FromSlash(BlobName(d)))
}

func (l *local) actionPath(k ActionKey) string {
	return filepath.Join(l.dir, filepath.FromSlash(ActionName(k)))
}

// Create implements [Store].
func (l *local) Create(ctx context.Context, write func(io.Writer) error) (Digest, int64, error) {
	d, n, err := l.create(ctx, write)
	if err != nil {
		return Digest{}, 0, fmt.Errorf("create blob: %w", err)
	}
	return d, n, nil
}

func (l *local) create(ctx context.Context, write func(io.Writer) error) (Digest, int64, error) {
	tmp, err := l.temp("blob-*")
	if err != nil {
		return Digest{}, 0, err
	}
	defer discard(tmp)
	if err := l.step("create"); err != nil {
		return Digest{}, 0, err
	}
	d, n, err := EncodeBlob(ctx, tmp, write)
	if err != nil {
		return Digest{}, 0, err
	}
	if err := l.step("write"); err != nil {
		return Digest{}, 0, err
	}
	path := l.blobPath(d)
	if there, err := exists(path); err != nil || there {
		dir := filepath.Dir(path)
		l.owe(dir, filepath.Dir(dir)) // whoever placed it may have been killed since
		return d, n, err
	}
	if err := l.seal(tmp); err != nil {
		return Digest{}, 0, err
	}
	return d, n, l.place(tmp, path)
}

// Open implements [Store].
func (l *local) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	path := l.blobPath(d)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return DecodeBlob(ctx, f, path, d), nil
}

// Read implements [Store].
func (l *local) Read(ctx context.Context, d Digest) ([]byte, error) {
	info, err := os.Stat(l.blobPath(d))
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	return DecodeWhole(info.Size(), func() (io.ReadCloser, error) { return l.Open(ctx, d) })
}

// Has implements [Store].
func (l *local) Has(ctx context.Context, d Digest) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return exists(l.blobPath(d))
}

// Commit implements [Store].
func (l *local) Commit(ctx context.Context, r *Recipe, outputs []Output) error {
	if err := l.commit(ctx, r, outputs); err != nil {
		return fmt.Errorf("commit %s %s: %w", r.Kind(), r.Key().Short(), err)
	}
	return nil
}

func (l *local) commit(ctx context.Context, r *Recipe, outputs []Output) error {
	record, err := EncodeAction(r.String(), outputs)
	if err != nil {
		return err
	}
	if err := requireBlobs(ctx, l, outputs); err != nil { // I3
		return err
	}
	key := r.Key()
	path := l.actionPath(key)
	for range 2 {
		stored, ok, err := l.action(key)
		switch {
		case err != nil:
			return err
		case !ok:
			if err := l.record(path, record); err != nil {
				return err
			}
			continue // read what is there now: another process may have been first
		case slices.Equal(stored.Outputs, outputs):
			return nil
		}
		whole, err := hasAll(ctx, l, stored.Outputs)
		if err != nil {
			return err
		}
		if whole {
			return ErrMismatch
		}
		return l.replace(path, record)
	}
	return nil
}

// record places a new record, once the names of its blobs are on the disk.
func (l *local) record(path string, text []byte) error {
	tmp, err := l.writeTemp(text)
	if err != nil {
		return err
	}
	defer discard(tmp)
	if err := l.seal(tmp); err != nil {
		return err
	}
	if err := l.settle(); err != nil { // I3
		return err
	}
	return l.place(tmp, path)
}

// Lookup implements [Store].
func (l *local) Lookup(ctx context.Context, key ActionKey) ([]Output, bool, error) {
	a, ok, err := l.action(key)
	if err == nil && ok {
		ok, err = hasAll(ctx, l, a.Outputs)
	}
	if err != nil || !ok {
		return nil, false, err
	}
	return a.Outputs, true, nil
}

// Recipe implements [Store].
func (l *local) Recipe(ctx context.Context, key ActionKey) (string, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	a, ok, err := l.action(key)
	return a.Recipe, ok, err
}

// action reads one record, whether or not its blobs are there.
func (l *local) action(key ActionKey) (Action, bool, error) {
	path := l.actionPath(key)
	record, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Action{}, false, nil
	}
	if err != nil {
		return Action{}, false, fmt.Errorf("read action: %w", err)
	}
	a, err := DecodeAction(key, record)
	if err != nil {
		return Action{}, false, fmt.Errorf("read action %s: %w: %w", path, ErrCorrupt, err)
	}
	return a, true, nil
}

// requireBlobs refuses outputs that are not stored.
func requireBlobs(ctx context.Context, s Store, outputs []Output) error {
	for _, o := range outputs {
		if ok, err := s.Has(ctx, o.Digest); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("output %s: blob %s: %w", o.Name, o.Digest.Short(), fs.ErrNotExist)
		}
	}
	return ctx.Err()
}

func hasAll(ctx context.Context, s Store, outputs []Output) (bool, error) {
	for _, o := range outputs {
		if ok, err := s.Has(ctx, o.Digest); err != nil || !ok {
			return false, err
		}
	}
	return true, ctx.Err()
}
