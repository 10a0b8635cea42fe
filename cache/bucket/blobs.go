package bucket

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"gocloud.dev/blob"

	"github.com/persona-transfer/runpipeline/cache"
)

// inMemory is how many compressed bytes of a blob are kept in memory until its name is known; what is
// longer goes to a file in the temporary folder. The name is the digest, so nothing can be sent before the
// last byte is there.
const inMemory = 4 << 20

// Create implements [cache.Store].
func (s *store) Create(ctx context.Context, write func(io.Writer) error) (cache.Digest, int64, error) {
	d, n, err := s.create(ctx, write)
	if err != nil {
		return cache.Digest{}, 0, fmt.Errorf("create blob: %w", err)
	}
	return d, n, nil
}

func (s *store) create(ctx context.Context, write func(io.Writer) error) (cache.Digest, int64, error) {
	var held spool
	defer held.discard()
	d, n, err := cache.EncodeBlob(ctx, &held, write)
	if err != nil {
		return cache.Digest{}, 0, err
	}
	if err := s.layOut(ctx); err != nil {
		return cache.Digest{}, 0, err
	}
	if held.file != nil { // it is sent in vain if it is there, and that would take long
		if ok, err := s.Has(ctx, d); err != nil || ok {
			return d, n, err
		}
	}
	content, err := held.content()
	if err == nil {
		_, err = s.put(ctx, cache.BlobName(d), content, zstandard, false)
	}
	return d, n, err
}

// A spool holds bytes until it is known where they go.
type spool struct {
	memory bytes.Buffer
	file   *os.File // nil as long as there is room in memory
}

func (h *spool) Write(p []byte) (int, error) {
	if h.file == nil && h.memory.Len()+len(p) <= inMemory {
		return h.memory.Write(p)
	}
	if h.file == nil {
		f, err := os.CreateTemp("", "runpipeline-upload-*")
		if err != nil {
			return 0, err
		}
		os.Remove(f.Name()) // where files in use can lose their name, a killed process leaves nothing
		h.file = f
		if _, err := h.memory.WriteTo(f); err != nil {
			return 0, err
		}
		h.memory = bytes.Buffer{}
	}
	return h.file.Write(p)
}

// content gives what was written.
func (h *spool) content() (io.ReadSeeker, error) {
	if h.file == nil {
		return bytes.NewReader(h.memory.Bytes()), nil
	}
	_, err := h.file.Seek(0, io.SeekStart)
	return h.file, err
}

func (h *spool) discard() {
	if h.file != nil {
		h.file.Close()
		os.Remove(h.file.Name())
	}
}

// Open implements [cache.Store].
func (s *store) Open(ctx context.Context, d cache.Digest) (io.ReadCloser, error) {
	r, err := s.reader(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return s.decode(ctx, r, d), nil
}

func (s *store) reader(ctx context.Context, d cache.Digest) (*blob.Reader, error) {
	name := cache.BlobName(d)
	r, err := s.bucket.NewReader(ctx, s.prefix+name, nil)
	if err != nil {
		return nil, s.failed(ctx, name, err)
	}
	return r, nil
}

func (s *store) decode(ctx context.Context, r *blob.Reader, d cache.Digest) io.ReadCloser {
	name := cache.BlobName(d)
	return cache.DecodeBlob(ctx, &source{r, func(err error) error { return s.failed(ctx, name, err) }}, s.at(name), d)
}

// A source gives the errors of a connection the text of the others.
type source struct {
	*blob.Reader
	failed func(error) error
}

func (r *source) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = r.failed(err)
	}
	return n, err
}

// Read implements [cache.Store].
func (s *store) Read(ctx context.Context, d cache.Digest) ([]byte, error) {
	first, err := s.reader(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	return cache.DecodeWhole(first.Size(), func() (io.ReadCloser, error) {
		if r := first; r != nil {
			first = nil
			return s.decode(ctx, r, d), nil
		}
		return s.Open(ctx, d)
	})
}

// Has implements [cache.Store].
func (s *store) Has(ctx context.Context, d cache.Digest) (bool, error) {
	there, err := s.exists(ctx, cache.BlobName(d))
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("look for blob %w", err)
	}
	return there, err
}

// Blobs implements [cache.Store]. Objects that are not named like blobs are no blobs.
func (s *store) Blobs(ctx context.Context, visit func(cache.Digest, int64) error) error {
	return s.list(ctx, "blobs/", func(name string, size int64) error {
		d, err := cache.ParseDigest(strings.TrimSuffix(path.Base(name), ".zst"))
		if err != nil || name != cache.BlobName(d) {
			return nil
		}
		return visit(d, size)
	})
}

// RemoveBlob implements [cache.Store].
func (s *store) RemoveBlob(ctx context.Context, d cache.Digest) error {
	if err := s.remove(ctx, cache.BlobName(d)); err != nil {
		return fmt.Errorf("remove blob: %w", err)
	}
	return nil
}
