package cachetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
)

// ErrInjected is the failure that a [Flaky] store makes up.
var ErrInjected = errors.New("injected failure of the store")

// Faults says how often calls of a [Flaky] store go wrong: each number is a probability, drawn anew
// for each call.
type Faults struct {
	Seed   uint64
	Before float64       // the call fails and has no effect, as if the request was lost
	During float64       // a stream, of Create or Open, fails after some of its bytes
	After  float64       // the call has its effect and fails all the same, as if the answer was lost
	Slow   float64       // the call waits for Delay first, or for the end of its context
	Delay  time.Duration // see Slow
	Most   int           // failures at most, after which calls only go right; 0: without end
}

// A Flaky is a store that fails now and then: [cache.Store] around another one. The draws are made in
// the order of the calls, so that a single goroutine meets the same failures each time.
type Flaky struct {
	store  cache.Store
	faults Faults

	mu       sync.Mutex
	draw     *rand.Rand
	injected int
	delayed  int
}

// NewFlaky gives s these faults.
func NewFlaky(s cache.Store, f Faults) *Flaky {
	return &Flaky{store: s, faults: f, draw: rand.New(rand.NewPCG(f.Seed, 0))}
}

// FlakyOpener opens locations SCHEME://SEED/PLACE, PLACE being a location in its own right: "/tmp/store" or
// "s3://bucket". A test that registers it reaches what knows a store by its location only, such as
// the units of a pipeline or a process that is started. Each opening has draws of its own: the n-th in a
// process is seeded by SEED and n.
func FlakyOpener(f Faults) cache.Opener {
	var mu sync.Mutex
	opened := uint64(0)
	return func(ctx context.Context, location string) (cache.Store, error) {
		_, rest, _ := strings.Cut(location, "://")
		seed, place, _ := strings.Cut(rest, "/")
		n, err := strconv.ParseUint(seed, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("open flaky store %s: its seed: %w", location, err)
		}
		if !strings.Contains(place, "://") {
			place = "/" + place
		}
		s, err := cache.Open(ctx, place)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		faults := f
		faults.Seed = n<<32 + opened
		opened++
		return NewFlaky(s, faults), nil
	}
}

// Injected counts the failures so far and the calls that were made to wait.
func (f *Flaky) Injected() (failures, delays int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.injected, f.delayed
}

// fails draws whether something with that probability happens now.
func (f *Flaky) fails(p float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draw.Float64() >= p || f.faults.Most > 0 && f.injected >= f.faults.Most {
		return false
	}
	f.injected++
	return true
}

// call makes one call of the store what the draws make of it.
func (f *Flaky) call(ctx context.Context, name string, call func() error) error {
	f.mu.Lock()
	slow := f.draw.Float64() < f.faults.Slow
	if slow {
		f.delayed++
	}
	f.mu.Unlock()
	if slow {
		select {
		case <-ctx.Done():
		case <-time.After(f.faults.Delay):
		}
	}
	if f.fails(f.faults.Before) {
		return fmt.Errorf("%s, before it: %w", name, ErrInjected)
	}
	if err := call(); err != nil {
		return err
	}
	if f.fails(f.faults.After) {
		return fmt.Errorf("%s, after it: %w", name, ErrInjected)
	}
	return nil
}

// Create implements [cache.Store].
func (f *Flaky) Create(ctx context.Context, write func(io.Writer) error) (d cache.Digest, n int64, err error) {
	err = f.call(ctx, "create blob", func() error {
		during := f.fails(f.faults.During)
		d, n, err = f.store.Create(ctx, func(w io.Writer) error {
			err := write(w)
			if err == nil && during {
				err = fmt.Errorf("create blob, in the middle: %w", ErrInjected)
			}
			return err
		})
		return err
	})
	if err != nil {
		return cache.Digest{}, 0, err
	}
	return d, n, nil
}

// Open implements [cache.Store].
func (f *Flaky) Open(ctx context.Context, d cache.Digest) (r io.ReadCloser, err error) {
	err = f.call(ctx, "open blob", func() error { r, err = f.store.Open(ctx, d); return err })
	if err != nil {
		if r != nil {
			r.Close()
		}
		return nil, err
	}
	if f.fails(f.faults.During) {
		return &brokenReader{ReadCloser: r, left: 100}, nil
	}
	return r, nil
}

// brokenReader fails after some bytes, or in place of the end.
type brokenReader struct {
	io.ReadCloser
	left int
}

func (b *brokenReader) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	if b.left == 0 && len(p) > 0 || err == io.EOF {
		err = fmt.Errorf("read blob, in the middle: %w", ErrInjected)
	}
	return n, err
}

// Read implements [cache.Store].
func (f *Flaky) Read(ctx context.Context, d cache.Digest) (content []byte, err error) {
	err = f.call(ctx, "read blob", func() error { content, err = f.store.Read(ctx, d); return err })
	if err != nil {
		return nil, err
	}
	return content, nil
}

// Has implements [cache.Store].
func (f *Flaky) Has(ctx context.Context, d cache.Digest) (ok bool, err error) {
	err = f.call(ctx, "look for blob", func() error { ok, err = f.store.Has(ctx, d); return err })
	return ok && err == nil, err
}

// Commit implements [cache.Store].
func (f *Flaky) Commit(ctx context.Context, r *cache.Recipe, outputs []cache.Output) error {
	return f.call(ctx, "commit", func() error { return f.store.Commit(ctx, r, outputs) })
}

// Lookup implements [cache.Store].
func (f *Flaky) Lookup(ctx context.Context, key cache.ActionKey) (outputs []cache.Output, ok bool, err error) {
	err = f.call(ctx, "look up", func() error { outputs, ok, err = f.store.Lookup(ctx, key); return err })
	if err != nil {
		return nil, false, err
	}
	return outputs, ok, nil
}

// Recipe implements [cache.Store].
func (f *Flaky) Recipe(ctx context.Context, key cache.ActionKey) (text string, ok bool, err error) {
	err = f.call(ctx, "read recipe", func() error { text, ok, err = f.store.Recipe(ctx, key); return err })
	if err != nil {
		return "", false, err
	}
	return text, ok, nil
}

// Actions implements [cache.Store].
func (f *Flaky) Actions(ctx context.Context, visit func(cache.Action, error) error) error {
	return f.call(ctx, "list actions", func() error { return f.store.Actions(ctx, visit) })
}

// Blobs implements [cache.Store].
func (f *Flaky) Blobs(ctx context.Context, visit func(cache.Digest, int64) error) error {
	return f.call(ctx, "list blobs", func() error { return f.store.Blobs(ctx, visit) })
}

// SetNote implements [cache.Store].
func (f *Flaky) SetNote(ctx context.Context, name string, text []byte) error {
	return f.call(ctx, "set note", func() error { return f.store.SetNote(ctx, name, text) })
}

// Note implements [cache.Store].
func (f *Flaky) Note(ctx context.Context, name string) (text []byte, ok bool, err error) {
	err = f.call(ctx, "read note", func() error { text, ok, err = f.store.Note(ctx, name); return err })
	if err != nil {
		return nil, false, err
	}
	return text, ok, nil
}

// Notes implements [cache.Store].
func (f *Flaky) Notes(ctx context.Context, prefix string, visit func(string) error) error {
	return f.call(ctx, "list notes", func() error { return f.store.Notes(ctx, prefix, visit) })
}

// RemoveNote implements [cache.Store].
func (f *Flaky) RemoveNote(ctx context.Context, name string) error {
	return f.call(ctx, "remove note", func() error { return f.store.RemoveNote(ctx, name) })
}

// RemoveAction implements [cache.Store].
func (f *Flaky) RemoveAction(ctx context.Context, key cache.ActionKey) error {
	return f.call(ctx, "remove action", func() error { return f.store.RemoveAction(ctx, key) })
}

// RemoveBlob implements [cache.Store].
func (f *Flaky) RemoveBlob(ctx context.Context, d cache.Digest) error {
	return f.call(ctx, "remove blob", func() error { return f.store.RemoveBlob(ctx, d) })
}

// Free implements [cache.Store].
func (f *Flaky) Free(ctx context.Context) (n int64, ok bool, err error) {
	err = f.call(ctx, "ask for room", func() error { n, ok, err = f.store.Free(ctx); return err })
	if err != nil {
		return 0, false, err
	}
	return n, ok, nil
}
