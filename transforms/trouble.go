package transforms

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/persona-transfer/runpipeline/cache"
)

// storeTrouble is an error of the store itself, which the next unit would meet too and a later try may not.
type storeTrouble struct{ error }

func (e storeTrouble) Unwrap() error { return e.error }

// trouble marks an error as the store's. That something is not stored or is stored otherwise, or that the caller has
// gone, is no trouble.
func trouble(err error) error {
	for _, other := range []error{io.EOF, fs.ErrNotExist, cache.ErrMismatch, context.Canceled} {
		if errors.Is(err, other) {
			return err
		}
	}
	if err == nil {
		return nil
	}
	return storeTrouble{err}
}

// A troubled is a store whose own errors are told from those of the units that use it: an object store's are of many
// types, of the network and of the service.
type troubled struct{ cache.Store }

func (s troubled) Create(ctx context.Context, write func(io.Writer) error) (cache.Digest, int64, error) {
	var own error // of who writes
	d, n, err := s.Store.Create(ctx, func(w io.Writer) error {
		out := &troubledWriter{w: w}
		err := write(out)
		if out.err == nil {
			own = err
		}
		return err
	})
	if own == nil {
		err = trouble(err)
	}
	return d, n, err
}

// A troubledWriter notes that it was the store that failed.
type troubledWriter struct {
	w   io.Writer
	err error
}

func (w *troubledWriter) Write(p []byte) (n int, err error) {
	if n, err = w.w.Write(p); err != nil {
		w.err = err
	}
	return n, err
}

func (s troubled) Open(ctx context.Context, d cache.Digest) (io.ReadCloser, error) {
	r, err := s.Store.Open(ctx, d)
	if err != nil {
		return nil, trouble(err)
	}
	return troubledReader{r}, nil
}

type troubledReader struct{ io.ReadCloser }

func (r troubledReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	return n, trouble(err)
}

func (s troubled) Read(ctx context.Context, d cache.Digest) ([]byte, error) {
	b, err := s.Store.Read(ctx, d)
	return b, trouble(err)
}

func (s troubled) Has(ctx context.Context, d cache.Digest) (bool, error) {
	ok, err := s.Store.Has(ctx, d)
	return ok, trouble(err)
}

func (s troubled) Commit(ctx context.Context, r *cache.Recipe, outputs []cache.Output) error {
	return trouble(s.Store.Commit(ctx, r, outputs))
}

func (s troubled) Lookup(ctx context.Context, key cache.ActionKey) ([]cache.Output, bool, error) {
	outputs, ok, err := s.Store.Lookup(ctx, key)
	return outputs, ok, trouble(err)
}

func (s troubled) Free(ctx context.Context) (int64, bool, error) {
	n, known, err := s.Store.Free(ctx)
	return n, known, trouble(err)
}
