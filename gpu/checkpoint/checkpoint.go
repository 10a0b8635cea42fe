package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// A Checkpoint is a model's files, open for reading. Its methods may be called by several
// goroutines at once.
type Checkpoint struct {
	name    string
	config  []byte
	tensors map[string]*tensor
	infos   []TensorInfo
	missing []string
	notes   []string
	vocab   *GGUFVocab
	folder  fs.FS  // where File looks; nil for a GGUF
	parts   []part // what Digest covers, sorted by name

	mu     sync.RWMutex // held for reading while a mapping is in use
	closed bool
	blobs  []*blob
}

// errClosed is the cause of every error after Close.
var errClosed = errors.New("checkpoint is closed")

// OpenFS opens a Hugging Face folder that is the root of fsys: an embedded model, a test's
// files. name is what messages and [Checkpoint.Name] call it. The configuration and every
// shard must be there; what is missing is an error that wraps [ErrNotFound], what is
// damaged one that wraps [ErrFormat].
func OpenFS(fsys fs.FS, name string) (*Checkpoint, error) {
	return openFolder(fsys, name, false)
}

// Name returns the reference as it was given.
func (c *Checkpoint) Name() string { return c.name }

// Config returns config.json, or for a GGUF the equivalent built from its metadata.
func (c *Checkpoint) Config() []byte { return slices.Clone(c.config) }

// Tensors describes all tensors, sorted by name. Names and shapes are Hugging Face's.
// Tensors of missing shards have a name only.
func (c *Checkpoint) Tensors() []TensorInfo { return copyInfos(c.infos) }

// GGUF returns the vocabulary inside a GGUF file, nil for any other checkpoint.
func (c *Checkpoint) GGUF() *GGUFVocab { return c.vocab }

// MissingShards names the weight files that the checkpoint needs and lacks, sorted. It is
// empty unless the checkpoint was opened with Options.MetadataOnly.
func (c *Checkpoint) MissingShards() []string { return slices.Clone(c.missing) }

// Notes describe oddities in the files that do no harm, one line each.
func (c *Checkpoint) Notes() []string { return slices.Clone(c.notes) }

// ReadRows reads rows [from, from+n) of a tensor seen as a matrix [Shape[0], rest] and
// converts or dequantises them into dst [n × rest], which must have exactly that length.
// The values are read from the file's mapping; nothing but dst is kept in memory. Several
// goroutines may read at once, which is how to use more than one core.
//
// The error wraps [ErrNotFound] if there is no such tensor or its shard is missing, and
// [ErrFormat] if it holds integers or numbers of 4 to 8 bits.
func (c *Checkpoint) ReadRows(name string, from, n int, dst []float32) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	err := errClosed
	if !c.closed {
		err = ErrNotFound
		if t, ok := c.tensors[name]; ok && t.foreign() {
			err = fmt.Errorf("stored as %s, which no weight is: %w", t.DType, ErrFormat)
		} else if ok {
			err = t.readRows(from, n, dst)
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: tensor %q: %w", c.name, name, err)
	}
	return nil
}

// File returns one of the small files of the checkpoint, such as tokenizer.json: text without a
// byte order mark, and NaN and Infinity, which only Python has in its JSON, as strings. The error
// wraps [fs.ErrNotExist] if there is none of that name, as for every name in a GGUF.
func (c *Checkpoint) File(name string) ([]byte, error) {
	if c.folder == nil {
		return nil, fmt.Errorf("read %s: %w", c.name, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist})
	}
	data, err := readPlain(c.folder, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.name, err)
	}
	return data, nil
}

// Forget takes what was read of the weights so far out of the process's memory, in which pages of mapped files
// count as long as nobody needs it elsewhere. Whoever copies a model calls it between parts, so that the file and
// the copy are not there side by side. Reading goes on as before.
func (c *Checkpoint) Forget() {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, b := range c.blobs {
		b.forget()
	}
}

// Close releases the mappings. Reads that are under way finish first; later ones fail.
func (c *Checkpoint) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	for _, b := range c.blobs {
		errs = append(errs, b.close())
	}
	c.blobs = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", c.name, err)
	}
	return nil
}

// add includes a tensor; a name that another file had already is an error.
func (c *Checkpoint) add(t *tensor) error {
	if old, ok := c.tensors[t.Name]; ok {
		return fmt.Errorf("tensor %q is in both %s and %s: %w", t.Name, old.file(), t.file(), ErrFormat)
	}
	c.tensors[t.Name] = t
	c.infos = append(c.infos, t.TensorInfo)
	return nil
}
