package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A repoCache is one model's folder in the cache that Python's huggingface_hub uses too:
//
//	models--owner--name/refs/main                  a commit
//	models--owner--name/snapshots/COMMIT/FILE      a link to
//	models--owner--name/blobs/ETAG                 a complete file, named by its checksum
//	models--owner--name/blobs/ETAG.incomplete      the beginning of one
//	.locks/models--owner--name/ETAG.lock           held while a file is being downloaded
type repoCache struct {
	dir    string // the cache
	folder string // models--owner--name
}

func (c repoCache) blob(etag string) string { return filepath.Join(c.dir, c.folder, "blobs", etag) }

func (c repoCache) snapshot(commit string) string {
	return filepath.Join(c.dir, c.folder, "snapshots", commit)
}

// commit returns the commit that a revision was when it was last asked for, "" if it is
// not known.
func (c repoCache) commit(revision string) string {
	if commitHash.MatchString(revision) {
		return revision
	}
	raw, err := readLocal(filepath.Join(c.dir, c.folder, "refs", filepath.FromSlash(revision)))
	commit := strings.TrimSpace(string(raw))
	if err != nil || !cacheName.MatchString(commit) {
		return ""
	}
	return commit
}

// remember notes which commit a revision is.
func (c repoCache) remember(revision, commit string) error {
	if revision == commit || c.commit(revision) == commit {
		return nil
	}
	name := filepath.Join(c.dir, c.folder, "refs", filepath.FromSlash(revision))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".ref-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(commit)
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// link makes a complete blob a file of a snapshot: by a relative link, or where there are
// none by a second name or a copy. It replaces a dangling link or an empty file of that name.
func (c repoCache) link(etag, commit, name string) error {
	target := filepath.Join(c.snapshot(commit), name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if info, err := os.Stat(target); err != nil || info.Size() == 0 {
		os.Remove(target)
	}
	err := os.Symlink(filepath.Join("..", "..", "blobs", etag), target)
	if err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	if err := os.Link(c.blob(etag), target); err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	return copyFile(c.blob(etag), target)
}

// copyFile copies a file under a temporary name first.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".copy-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		os.Remove(out.Name())
	}
	return err
}

// lock waits until no other process downloads the file, and returns how to let the next
// one. Where locks do not work, it does nothing: the checksum still protects the cache.
func (c repoCache) lock(ctx context.Context, etag string) (func(), error) {
	name := filepath.Join(c.dir, ".locks", c.folder, etag+".lock")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := tryLock(f)
		if err == nil || errors.Is(err, errors.ErrUnsupported) {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// errLocked reports that another process holds a lock.
var errLocked = errors.New("locked by another process")
