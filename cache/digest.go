package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Digest is the SHA-256 of stored content, before compression. Two artifacts with the
// same Digest are the same bytes.
type Digest [sha256.Size]byte

// An ActionKey is the SHA-256 of a recipe's text. It names a computation, not its result.
// The two types are distinct so that one can never be passed for the other.
type ActionKey [sha256.Size]byte

// Sum returns the digest of content.
func Sum(content []byte) Digest { return sha256.Sum256(content) }

// String returns the digest as 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short returns the first 8 hexadecimal digits, enough to tell artifacts apart on a
// screen and never used to find one.
func (d Digest) Short() string { return hex.EncodeToString(d[:4]) }

// IsZero reports whether d is the zero value, which is the digest of nothing known.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It takes exactly what
// [Digest.MarshalText] writes.
func (d *Digest) UnmarshalText(text []byte) error { return parseHex((*[sha256.Size]byte)(d), text) }

// ParseDigest reads what [Digest.String] writes.
func ParseDigest(text string) (d Digest, err error) {
	err = d.UnmarshalText([]byte(text))
	return d, err
}

// String returns the key as 64 lower-case hexadecimal digits.
func (k ActionKey) String() string { return hex.EncodeToString(k[:]) }

// Short returns the first 8 hexadecimal digits, for messages.
func (k ActionKey) Short() string { return hex.EncodeToString(k[:4]) }

// MarshalText implements [encoding.TextMarshaler].
func (k ActionKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *ActionKey) UnmarshalText(text []byte) error {
	return parseHex((*[sha256.Size]byte)(k), text)
}

// ParseActionKey reads what [ActionKey.String] writes.
func ParseActionKey(text string) (k ActionKey, err error) {
	err = k.UnmarshalText([]byte(text))
	return k, err
}

// parseHex fills dst from 64 lower-case hexadecimal digits. Upper case is refused: a
// digest has one spelling, because it is also a file name.
func parseHex(dst *[sha256.Size]byte, text []byte) error {
	if !isHexDigest(string(text)) {
		return fmt.Errorf("parse digest %.80q: want %d lower-case hexadecimal digits", text, 2*len(dst))
	}
	_, err := hex.Decode(dst[:], text)
	return err
}

func isHexDigest(text string) bool {
	if len(text) != 2*sha256.Size {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
