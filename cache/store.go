package cache

import (
	"context"
	"errors"
	"io"
)

// ErrCorrupt reports stored bytes that do not match their digest or are no complete file
// of the store. The message names the file. The remedy is [Repair], or to delete that file: its
// computation then counts as a miss and is repeated.
var ErrCorrupt = errors.New("stored bytes do not match their digest")

// ErrMismatch reports that a computation was committed twice with different outputs, which
// means that its recipe leaves out something that changes the bytes.
var ErrMismatch = errors.New("same recipe, different outputs")

// An Output is one named result of an action.
type Output struct {
	Name   string // within the action, for instance "shard.3"; see validWord
	Kind   string // what the bytes mean, for instance "activations"
	Digest Digest // of the content
	Bytes  int64  // length of the content, before compression
	Rows   int64  // rows, or 0 where the kind has none
}

// A Store keeps blobs (content found by its digest) and actions (the outputs of a
// computation, found by the key of its recipe). All methods are safe for concurrent use.
type Store interface {
	// Create stores what write writes and returns its digest and length. If write
	// fails, nothing is stored and its error is returned, wrapped. Content that is
	// already there is left as it is.
	Create(ctx context.Context, write func(io.Writer) error) (Digest, int64, error)

	// Open reads a blob and verifies it on the way: the reader returns io.EOF only
	// after content that matches digest, and an error that wraps ErrCorrupt otherwise.
	// Bytes read before io.EOF are not vouched for. An absent blob is fs.ErrNotExist.
	Open(ctx context.Context, digest Digest) (io.ReadCloser, error)

	// Read returns a whole, verified blob. Errors are those of Open.
	Read(ctx context.Context, digest Digest) ([]byte, error)

	// Has reports whether a blob of that name is stored, without reading it.
	Has(ctx context.Context, digest Digest) (bool, error)

	// Commit records that r's computation is finished and made outputs, whose blobs must
	// be stored already. The first record stays: committing the same outputs again does
	// nothing, others are refused with ErrMismatch. A record that names a blob which is
	// no longer stored is replaced.
	Commit(ctx context.Context, r *Recipe, outputs []Output) error

	// Lookup returns the outputs committed under key, in the order committed. ok is false
	// if there are none or if one of their blobs is no longer stored (it was deleted): a
	// miss is not an error. A damaged record is ErrCorrupt.
	Lookup(ctx context.Context, key ActionKey) (outputs []Output, ok bool, err error)

	// Recipe returns the text of the recipe committed under key, whether or not the
	// blobs are still stored.
	Recipe(ctx context.Context, key ActionKey) (text string, ok bool, err error)

	// Actions calls visit for every action, in the order of their keys. For a record
	// that is damaged, err says so and only Key is set; visit may return nil to go on.
	// An error that visit returns ends the listing and is returned.
	Actions(ctx context.Context, visit func(a Action, err error) error) error

	// Blobs calls visit for every blob, in the order of their digests, with the number of
	// bytes that it takes at rest.
	Blobs(ctx context.Context, visit func(d Digest, stored int64) error) error

	// SetNote stores a small text under a name, replacing what was there, atomically. Notes stand
	// beside the artifacts and no result depends on them: what a person last saw under a name, records
	// of runs, what processes of one run tell each other. See [ValidNote] for names.
	SetNote(ctx context.Context, name string, text []byte) error

	// Note returns the text of a note. ok is false if there is none. One that is not as it was
	// written is ErrCorrupt.
	Note(ctx context.Context, name string) (text []byte, ok bool, err error)

	// Notes calls visit with the name of each note that begins with prefix, in order. Those set or
	// removed meanwhile may be among them or not.
	Notes(ctx context.Context, prefix string, visit func(name string) error) error

	// RemoveNote, RemoveAction and RemoveBlob remove one thing, damaged or whole. What is absent is no
	// error: somebody else was first. Whoever removes a blob that an action names makes that action a
	// miss.
	RemoveNote(ctx context.Context, name string) error
	RemoveAction(ctx context.Context, key ActionKey) error
	RemoveBlob(ctx context.Context, digest Digest) error

	// Free returns how many bytes the store has room for. ok is false where nobody knows.
	Free(ctx context.Context) (bytes int64, ok bool, err error)
}
