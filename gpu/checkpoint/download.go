package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// stall is how long a download may stand still before the connection is given up. Tests change it.
var stall = 60 * time.Second

// openPart opens the beginning of a file to be continued. Tests change it.
var openPart = func(name string) (partFile, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
}

// A partFile is the beginning of a file that is being downloaded.
type partFile interface {
	io.ReadWriteSeeker
	Truncate(size int64) error
	Sync() error
	Close() error
}

// errStalled reports a connection on which nothing arrives any more.
var errStalled = errors.New("nothing arrived any more")

// file makes sure that a snapshot has a file, downloading it if the cache lacks it. A dangling link counts
// as missing, and so does an empty file, which an interrupted copy leaves, unless it is empty on the
// hub too.
func (h *hub) file(ctx context.Context, commit, name string) error {
	if info, err := os.Stat(filepath.Join(h.cache.snapshot(commit), name)); err == nil && info.Size() > 0 {
		return nil
	}
	var f *remoteFile
	err := again(ctx, passing, func() (err error) { f, err = h.head(ctx, commit, name); return err })
	if err == nil {
		err = h.blob(ctx, f)
	}
	if err == nil {
		err = h.cache.link(f.etag, commit, name)
	}
	if err != nil {
		return fmt.Errorf("download %s: %w", name, err)
	}
	return nil
}

// blob makes sure that the cache has the content of a file.
func (h *hub) blob(ctx context.Context, f *remoteFile) error {
	unlock, err := h.cache.lock(ctx, f.etag)
	if err != nil {
		return err
	}
	defer unlock()
	done := h.cache.blob(f.etag)
	if info, err := os.Stat(done); err == nil && (f.size < 0 && info.Size() > 0 || info.Size() == f.size) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(done), 0o755); err != nil {
		return err
	}
	name := done + ".incomplete"
	part, err := openPart(name)
	if err != nil {
		return err
	}
	err = h.complete(ctx, f, part)
	if errors.Is(err, errChecksum) {
		// No part of it can be trusted as a beginning.
		part.Truncate(0)
	}
	if closed := part.Close(); err == nil {
		err = closed
	}
	if err != nil {
		if info, statErr := os.Stat(name); statErr == nil && info.Size() == 0 {
			os.Remove(name)
		}
		return err
	}
	return os.Rename(name, done)
}

// complete brings part to the end of the file and checks it. If the result is wrong and
// the beginning was an older download's, it starts over once.
func (h *hub) complete(ctx context.Context, f *remoteFile, part partFile) error {
	old, err := part.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := h.transfer(ctx, f, part); err != nil {
		return err
	}
	err = f.verify(part)
	if errors.Is(err, errChecksum) && old > 0 {
		if err := part.Truncate(0); err != nil {
			return err
		}
		if err := h.transfer(ctx, f, part); err != nil {
			return err
		}
		err = f.verify(part)
	}
	if err != nil {
		return err
	}
	return part.Sync()
}

// transfer downloads what part lacks, taking up again after interruptions as long as there
// is progress.
func (h *hub) transfer(ctx context.Context, f *remoteFile, part partFile) error {
	for try := 1; ; {
		before, err := part.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if f.size >= 0 && before > f.size {
			if err := part.Truncate(0); err != nil {
				return err
			}
			continue
		}
		if f.size > 0 && before == f.size {
			return nil
		}
		err = h.get(ctx, f, part, before)
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		after, seekErr := part.Seek(0, io.SeekEnd)
		if seekErr != nil {
			return seekErr
		}
		if try++; after > before {
			try = 1
		}
		if try > tries {
			return err
		}
		if err := pause(ctx, try, err); err != nil {
			return err
		}
	}
}

// get requests the file from offset on and appends it to part.
func (h *hub) get(ctx context.Context, f *remoteFile, part partFile, offset int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := h.request(ctx, http.MethodGet, f.address)
	if err != nil {
		return err
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return h.plain(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && continues(resp, offset):
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusRequestedRangeNotSatisfiable, resp.StatusCode == http.StatusPartialContent:
		if err := part.Truncate(0); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return &statusError{status: http.StatusTooManyRequests, text: h.shown + " does not continue the file"}
		}
		offset = 0
	default:
		return h.refusal(resp)
	}
	if _, err := part.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	watch := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer watch.Stop()
	err = h.copy(f, part, resp.Body, offset, func() { watch.Reset(stall) })
	if err != nil && context.Cause(ctx) == errStalled {
		return h.plain(errStalled)
	}
	return err
}

// continues tells whether a partial answer begins where it was asked to.
func continues(resp *http.Response, offset int64) bool {
	var from int64
	_, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &from)
	return err == nil && from == offset
}

// copy appends body to part, telling about progress; it calls alive when something arrives.
func (h *hub) copy(f *remoteFile, part partFile, body io.Reader, done int64, alive func()) error {
	buf := make([]byte, 1<<17)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			alive()
			if f.size >= 0 && done+int64(n) > f.size {
				return fmt.Errorf("more bytes than the announced %d: %w: %w", f.size, errChecksum, ErrFormat)
			}
			if done+int64(n) > f.most {
				return tooLarge(f.name, done+int64(n))
			}
			if _, err := part.Write(buf[:n]); err != nil {
				return err
			}
			done += int64(n)
			if h.opts.Progress != nil {
				h.opts.Progress(f.name, done, f.size)
			}
		}
		if err == io.EOF && (f.size < 0 || done == f.size) {
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return h.plain(err)
		}
	}
}
