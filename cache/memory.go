package cache

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Memory is a [Store] that lives as long as the process: for tests, and for computations
// that nobody will ask for again. It keeps the promises of a store in a folder except durability;
// the suite in cachetest holds both to them.
type Memory struct {
	mu      sync.Mutex
	blobs   map[Digest][]byte
	actions map[ActionKey]Action
	notes   map[string][]byte
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{blobs: make(map[Digest][]byte), actions: make(map[ActionKey]Action), notes: make(map[string][]byte)}
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, write func(io.Writer) error) (Digest, int64, error) {
	var stored bytes.Buffer
	d, n, err := EncodeBlob(ctx, &stored, write)
	if err != nil {
		return Digest{}, 0, fmt.Errorf("create blob: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs[d] == nil {
		m.blobs[d] = stored.Bytes()
	}
	return d, n, nil
}

// Open implements [Store].
func (m *Memory) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	m.mu.Lock()
	stored, ok := m.blobs[d]
	m.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("open blob %s: %w", d.Short(), fs.ErrNotExist)
	}
	return DecodeBlob(ctx, io.NopCloser(bytes.NewReader(stored)), d.String(), d), nil
}

// Read implements [Store].
func (m *Memory) Read(ctx context.Context, d Digest) ([]byte, error) {
	m.mu.Lock()
	stored := int64(len(m.blobs[d]))
	m.mu.Unlock()
	return DecodeWhole(stored, func() (io.ReadCloser, error) { return m.Open(ctx, d) })
}

// Has implements [Store].
func (m *Memory) Has(ctx context.Context, d Digest) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.blobs[d] != nil, ctx.Err()
}

// Commit implements [Store].
func (m *Memory) Commit(ctx context.Context, r *Recipe, outputs []Output) error {
	_, err := EncodeAction(r.String(), outputs) // refuses what a store in a folder could not write down
	if err == nil {
		err = requireBlobs(ctx, m, outputs)
	}
	if err == nil {
		err = m.commit(r, outputs)
	}
	if err != nil {
		return fmt.Errorf("commit %s %s: %w", r.Kind(), r.Key().Short(), err)
	}
	return nil
}

func (m *Memory) commit(r *Recipe, outputs []Output) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := r.Key()
	if stored, ok := m.actions[key]; ok && !slices.Equal(stored.Outputs, outputs) && m.whole(stored.Outputs) {
		return ErrMismatch
	}
	m.actions[key] = Action{Key: key, Recipe: r.String(), Outputs: slices.Clone(outputs)}
	return nil
}

// whole reports whether all outputs are stored. The caller holds mu.
func (m *Memory) whole(outputs []Output) bool {
	for _, o := range outputs {
		if m.blobs[o.Digest] == nil {
			return false
		}
	}
	return true
}

// Lookup implements [Store].
func (m *Memory) Lookup(ctx context.Context, key ActionKey) ([]Output, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.actions[key]
	if err := ctx.Err(); err != nil || !ok || !m.whole(a.Outputs) {
		return nil, false, err
	}
	return slices.Clone(a.Outputs), true, nil
}

// Recipe implements [Store].
func (m *Memory) Recipe(ctx context.Context, key ActionKey) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.actions[key]
	return a.Recipe, ok, ctx.Err()
}

// SetNote implements [Store].
func (m *Memory) SetNote(ctx context.Context, name string, text []byte) error {
	if err := CheckNote(name); err != nil {
		return fmt.Errorf("set note: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes[name] = bytes.Clone(text)
	return ctx.Err()
}

// Note implements [Store].
func (m *Memory) Note(ctx context.Context, name string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.notes[name]
	return bytes.Clone(text), ok, ctx.Err()
}

// Notes implements [Store].
func (m *Memory) Notes(ctx context.Context, prefix string, visit func(string) error) error {
	m.mu.Lock()
	names := slices.Sorted(maps.Keys(m.notes))
	m.mu.Unlock()
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := visit(name); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// RemoveNote implements [Store].
func (m *Memory) RemoveNote(ctx context.Context, name string) error {
	if err := CheckNote(name); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.notes, name)
	return ctx.Err()
}

// RemoveAction implements [Store].
func (m *Memory) RemoveAction(ctx context.Context, key ActionKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.actions, key)
	return ctx.Err()
}

// RemoveBlob implements [Store].
func (m *Memory) RemoveBlob(ctx context.Context, d Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, d)
	return ctx.Err()
}

// Free implements [Store]: nobody knows.
func (m *Memory) Free(ctx context.Context) (int64, bool, error) { return 0, false, ctx.Err() }
