// Package bucket is a store of artifacts in a bucket: of Amazon S3 and what speaks its protocol, of Google
// Cloud Storage, of Azure, or of this process's memory. Importing it teaches [cache.Open] the locations
//
//	s3://bucket/folder?region=eu-central-1     also ?endpoint=https://…&region=…, for other servers
//	gs://bucket/folder
//	azblob://container/folder?storage_account=…
//	mem://name                                 as long as the process lives
//
// The names of objects below the folder are those of files below the root of a store in a folder, and so are
// their bytes: either may be copied to the other with the tools of its place. The invariants are those
// of package cache, with these differences.
//
// An object is complete from the moment it can be seen (I2): that is how buckets work. Blobs and actions are
// written on the condition that there is none of the name, so that the first stays (I4, I6); the server
// has to know conditional writes, If-None-Match for S3.
//
// Opening a store leaves nothing in the bucket: README and VERSION are written with the first thing that is
// stored. A bucket is never made.
//
// Requests that fail in passing are repeated by the provider's own library, three times for S3, four for the
// others, with the pauses it thinks right; there is no further layer of repetition here. Nor is there a
// limit of time on a request: the context has to end one that hangs.
//
// Credentials come from where the provider's library looks for them: environment, profile, the machine's
// role. A location that holds any is refused. Messages name places without what may hold a secret, and
// repeat of a provider's error its code and its sentence.
package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/persona-transfer/runpipeline/cache"
)

func init() {
	for scheme := range parameters {
		cache.Register(scheme, open)
	}
}

// sideBySide is how many requests one call has under way at once. Each waits for the network and not for
// a processor.
const sideBySide = 16

// maxText bounds what is read of an object that ought to be short: an action of 100,000 outputs has 20 MB.
const maxText = 64 << 20

// A store is a [cache.Store] in a bucket.
type store struct {
	bucket *blob.Bucket
	prefix string // of all names: "" or "folder/"
	place  string // for messages: "s3://bucket/folder"

	mu   sync.Mutex
	laid bool // VERSION is there
}

func open(ctx context.Context, location string) (cache.Store, error) {
	place, err := parse(location)
	if err != nil {
		return nil, fmt.Errorf("open cache %s: %w", cache.Shown(location), err)
	}
	s := &store{prefix: place.prefix, place: strings.TrimSuffix(cache.Shown(location), "/")}
	if s.bucket, err = place.open(ctx); err != nil {
		return nil, fmt.Errorf("open cache %s: %w", s.place, short(ctx, err))
	}
	if err := s.look(ctx); err != nil {
		return nil, fmt.Errorf("open cache %s: %w", s.place, err)
	}
	return s, nil
}

// look finds out whether the place is a store or may become one.
func (s *store) look(ctx context.Context) error {
	there, err := s.version(ctx)
	if err != nil || there {
		s.laid = there
		return err
	}
	list := s.bucket.List(&blob.ListOptions{Prefix: s.prefix, Delimiter: "/"})
	for {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && absent(err) { // the list of what is there
			return errors.New("there is no such bucket")
		}
		if err != nil {
			return short(ctx, err)
		}
		if name := strings.TrimSuffix(o.Key[len(s.prefix):], "/"); name != "" && !cache.IsOurs(name) {
			return fmt.Errorf("it holds %.80q and is no cache; name an empty or a new folder of the bucket", name)
		}
	}
}

// version reports whether VERSION is there, and refuses one of another layout.
func (s *store) version(ctx context.Context) (bool, error) {
	text, err := s.fetch(ctx, "VERSION")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case string(text) != cache.Version:
		return false, fmt.Errorf("its version is %.20q, this program writes %q; name another folder or delete it", strings.TrimSpace(string(text)), strings.TrimSpace(cache.Version))
	}
	return true, nil
}

// layOut writes README and VERSION before the first thing that is stored.
func (s *store) layOut(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.laid {
		return nil
	}
	for _, f := range [][2]string{{"README", cache.Readme}, {"VERSION", cache.Version}} {
		if _, err := s.put(ctx, f[0], bytes.NewReader([]byte(f[1])), plainText, false); err != nil {
			return err
		}
	}
	var err error
	s.laid, err = s.version(ctx)
	return err
}

// at names an object for messages.
func (s *store) at(name string) string { return s.place + "/" + name }

const (
	plainText = "text/plain; charset=utf-8"
	zstandard = "application/zstd"
)

// put writes an object, which takes the place of another only if replace is set, and reports whether it was
// written.
func (s *store) put(ctx context.Context, name string, content io.ReadSeeker, kind string, replace bool) (written bool, err error) {
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err = s.bucket.Upload(ctx, s.prefix+name, content, &blob.WriterOptions{ContentType: kind, IfNotExist: !replace})
		switch {
		case err == nil:
			return true, nil
		case !replace && gcerrors.Code(err) == gcerrors.FailedPrecondition:
			if there, thereErr := s.exists(ctx, name); there || thereErr != nil {
				return false, thereErr
			}
		case !conflict(err):
			return false, s.failed(ctx, name, err)
		}
		if pause > 3*time.Second {
			return false, s.failed(ctx, name, err)
		}
		select { // another request for the same name is under way, or has left what cannot be seen yet
		case <-ctx.Done():
		case <-time.After(pause):
		}
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
	}
}

// exists reports whether an object is there.
func (s *store) exists(ctx context.Context, name string) (bool, error) {
	_, err := s.bucket.Attributes(ctx, s.prefix+name) // not Exists, to which what cannot be reached is absent
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil && absent(err):
		return false, nil
	case err != nil:
		return false, s.failed(ctx, name, err)
	}
	return true, nil
}

// get reads a short object.
func (s *store) get(ctx context.Context, name string) ([]byte, error) {
	text, err := s.fetch(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.at(name), err)
	}
	return text, nil
}

// fetch is get with errors that do not name the object.
func (s *store) fetch(ctx context.Context, name string) ([]byte, error) {
	r, err := s.bucket.NewReader(ctx, s.prefix+name, nil)
	if err != nil {
		return nil, short(ctx, err)
	}
	defer r.Close()
	if r.Size() > maxText {
		return nil, fmt.Errorf("%d bytes: %w", r.Size(), cache.ErrCorrupt)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxText))
	if err != nil {
		return nil, short(ctx, err)
	}
	return text, nil
}

// remove removes an object, if it is there.
func (s *store) remove(ctx context.Context, name string) error {
	if err := s.bucket.Delete(ctx, s.prefix+name); err != nil && !absent(err) {
		return s.failed(ctx, name, err)
	}
	return ctx.Err()
}

// list calls visit for every object whose name begins with prefix, in the order of their names.
func (s *store) list(ctx context.Context, prefix string, visit func(name string, size int64) error) error {
	for list := s.bucket.List(&blob.ListOptions{Prefix: s.prefix + prefix}); ; {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return s.failed(ctx, prefix, err)
		}
		if err := visit(o.Key[len(s.prefix):], o.Size); err != nil {
			return err
		}
	}
}

// Free implements [cache.Store]: nobody knows.
func (s *store) Free(ctx context.Context) (int64, bool, error) { return 0, false, ctx.Err() }
