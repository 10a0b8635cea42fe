package checkpoint

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
)

// checksum matches the etags of huggingface.co: the SHA-256 of a big file, the SHA-1 of a
// small one as git computes it.
var checksum = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// errChecksum reports that a file arrived as something else than was announced.
var errChecksum = errors.New("checksum differs from the announced one")

// verify compares part with the announced checksum, or with the announced size if there is
// no checksum.
func (f *remoteFile) verify(part partFile) error {
	size, err := part.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sums := f.sums(size)
	if len(sums) == 0 {
		if size != f.size {
			return fmt.Errorf("%d bytes, want %d: %w: %w", size, f.size, errChecksum, ErrFormat)
		}
		return nil
	}
	var all []io.Writer
	for _, sum := range sums {
		all = append(all, sum)
	}
	if _, err := io.Copy(io.MultiWriter(all...), part); err != nil {
		return err
	}
	var got string
	for _, sum := range sums {
		if got = hex.EncodeToString(sum.Sum(nil)); got == f.etag {
			return nil
		}
	}
	return fmt.Errorf("%d bytes with %s, want %s: %w: %w", size, got, f.etag, errChecksum, ErrFormat)
}

// sums returns the hashes of which one must give f.etag: SHA-256 for a big file; for a
// small one SHA-1 as git computes it or, at mirrors, of the bytes alone; none if the etag is
// no checksum.
func (f *remoteFile) sums(size int64) []hash.Hash {
	switch {
	case !checksum.MatchString(f.etag):
		return nil
	case len(f.etag) == 2*sha256.Size:
		return []hash.Hash{sha256.New()}
	}
	git := sha1.New()
	fmt.Fprintf(git, "blob %d\x00", size)
	return []hash.Hash{sha1.New(), git}
}
