package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is the largest window a stored frame may ask the reader to hold. The store
// writes frames of [window]; a damaged header may ask for gigabytes.
const maxWindow = 8 << 20

// maxRatio is the compression ratio up to which [DecodeWhole] trusts a frame's appetite for
// memory. Beyond it the content is verified once without being kept.
const maxRatio = 64

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic("cache: zstd options: " + err.Error())
	}
	return d
}}

// blobReader decompresses a stored file and checks its content against the file's name.
type blobReader struct {
	ctx    context.Context
	source *sourceReader
	frame  *zstd.Decoder
	hash   hash.Hash
	want   Digest
	err    error // what every further Read returns
}

// DecodeBlob reads what [EncodeBlob] wrote to a file, as [Store] demands of Open: io.EOF comes only after
// content that matches want. It takes ownership of file. The name is for messages.
func DecodeBlob(ctx context.Context, file io.ReadCloser, name string, want Digest) io.ReadCloser {
	r := &blobReader{ctx: ctx, source: &sourceReader{file: file, name: name}, hash: sha256.New(), want: want}
	r.frame = decoders.Get().(*zstd.Decoder)
	if err := r.frame.Reset(r.source); err != nil {
		r.err = r.damage(err)
	}
	return r
}

func (r *blobReader) Read(p []byte) (int, error) {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.frame.Read(p)
	r.hash.Write(p[:n])
	switch {
	case err == io.EOF && Digest(r.hash.Sum(nil)) == r.want:
		r.err = io.EOF
		if cause := r.source.seen.check(); cause != nil {
			r.err = r.damage(cause)
		}
	case err == io.EOF:
		r.err = r.damage(nil)
	case err != nil:
		r.err = r.damage(err)
	}
	return n, r.err
}

// damage tells an unreadable disk from bytes that are wrong.
func (r *blobReader) damage(cause error) error {
	switch {
	case r.source.err != nil:
		return fmt.Errorf("read blob: %w", r.source.err)
	case cause != nil:
		return fmt.Errorf("read blob %s: %w: %w", r.source.name, ErrCorrupt, cause)
	}
	return fmt.Errorf("read blob %s: %w", r.source.name, ErrCorrupt)
}

func (r *blobReader) Close() error {
	if r.frame != nil {
		r.frame.Reset(nil) // always fails or succeeds without effect: nil only lets go of the source
		decoders.Put(r.frame)
		r.frame = nil
	}
	if r.err == nil {
		r.err = errors.New("read blob: already closed")
	}
	return r.source.file.Close()
}

// sourceReader remembers an error of the file itself, and what its seal must be.
type sourceReader struct {
	file io.ReadCloser
	name string
	err  error
	seen unsealer
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	s.seen.add(p[:n])
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// DecodeWhole reads and verifies a whole blob that takes stored bytes at rest; open gives what
// [DecodeBlob] does. A frame
// that expands more than [maxRatio]-fold is read twice, first only to verify it, so that
// memory is never taken for content that is not there.
func DecodeWhole(stored int64, open func() (io.ReadCloser, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	limit := maxRatio*stored + maxWindow
	var content bytes.Buffer
	if _, err := io.Copy(&content, io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(content.Len()) <= limit {
		return content.Bytes(), nil
	}
	more, err := io.Copy(io.Discard, r)
	if err != nil {
		return nil, err
	}
	again, err := open()
	if err != nil {
		return nil, err
	}
	defer again.Close()
	whole := bytes.NewBuffer(make([]byte, 0, int64(content.Len())+more+bytes.MinRead))
	if _, err := io.Copy(whole, again); err != nil {
		return nil, err
	}
	return whole.Bytes(), nil
}
