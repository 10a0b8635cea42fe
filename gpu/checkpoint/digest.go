package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A part is one file that the digest covers.
type part struct {
	name   string
	blob   *blob  // a weight file
	digest string // of a small file, known already
	size   int64
}

func textPart(name string, data []byte) part {
	sum := sha256.Sum256(data)
	return part{name: name, digest: hex.EncodeToString(sum[:]), size: int64(len(data))}
}

// Digest returns a SHA-256, in hexadecimal, of everything that makes the model: its
// configuration, weights and tokenizer files. It does not depend on where they lie.
//
// For a folder it is the digest of the text
//
//	checkpoint 1
//	<file name> <bytes> <SHA-256 of the file>      one line per file, sorted by name
//
// and for a GGUF the digest of the file itself, as sha256sum prints it. Digests of big
// files are remembered; see [memory]. Digest fails if shards are missing.
func (c *Checkpoint) Digest() (string, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return "", fmt.Errorf("digest %s: %w", c.name, errClosed)
	}
	if len(c.missing) > 0 {
		return "", fmt.Errorf("digest %s: weight files %s: %w", c.name, some(c.missing), ErrNotFound)
	}
	text := "checkpoint 1\n"
	for _, p := range c.parts {
		if p.blob != nil {
			var err error
			if p.digest, err = p.blob.digest(); err != nil {
				return "", fmt.Errorf("digest %s: %w", c.name, err)
			}
			p.size = p.blob.size
		}
		if c.vocab != nil {
			return p.digest, nil
		}
		text += fmt.Sprintf("%s %d %s\n", p.name, p.size, p.digest)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), nil
}

// digestPiece is how much of a mapped file is in the process's memory at a time while its digest is made.
const digestPiece = 16 << 20

// digest returns the SHA-256 of the file, from memory if it is known there.
func (b *blob) digest() (_ string, err error) {
	if known, ok := recallDigest(b); ok {
		return known, nil
	}
	defer recoverFault(b.name, &err)()
	h := sha256.New()
	if b.r == nil {
		for rest := b.data; len(rest) > 0; {
			n := min(len(rest), digestPiece)
			h.Write(rest[:n])
			rest = rest[n:]
			b.forget()
		}
	} else if n, err := io.Copy(h, io.NewSectionReader(b.r, 0, b.size)); err != nil {
		return "", err
	} else if n != b.size {
		return "", fmt.Errorf("%s changed while it was open: %w", b.name, ErrFormat)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if want := b.announced(); want != "" && sum != want {
		return "", fmt.Errorf("%s does not have the checksum that the hub announced: delete %s: %w", b.name, b.realPath(), ErrFormat)
	}
	rememberDigest(b, sum)
	return sum, nil
}

// announced returns the SHA-256 that a big file of the hub's cache should have: the name of
// the blob that the snapshot links to. It is "" for any other file.
func (b *blob) announced() string {
	if b.path == "" {
		return ""
	}
	target, err := os.Readlink(b.path)
	if err != nil || filepath.Base(filepath.Dir(target)) != "blobs" || len(filepath.Base(target)) != 2*sha256.Size {
		return ""
	}
	return filepath.Base(target)
}
