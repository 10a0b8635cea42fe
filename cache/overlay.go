package cache

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// Overlay gives a store in which base's blobs can be read and none of its actions is known, so that everything is
// computed again; what is written stays in memory, and base is not changed.
func Overlay(base Store) Store { return &overlay{Memory: NewMemory(), base: base} }

type overlay struct {
	*Memory
	base Store
}

func (o *overlay) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	r, err := o.Memory.Open(ctx, d)
	if errors.Is(err, fs.ErrNotExist) {
		return o.base.Open(ctx, d)
	}
	return r, err
}

func (o *overlay) Read(ctx context.Context, d Digest) ([]byte, error) {
	b, err := o.Memory.Read(ctx, d)
	if errors.Is(err, fs.ErrNotExist) {
		return o.base.Read(ctx, d)
	}
	return b, err
}

func (o *overlay) Has(ctx context.Context, d Digest) (bool, error) {
	if ok, err := o.Memory.Has(ctx, d); ok || err != nil {
		return ok, err
	}
	return o.base.Has(ctx, d)
}
