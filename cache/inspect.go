package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Totals is what a store holds.
type Totals struct {
	Actions, Blobs int
	Stored         int64 // bytes of blobs at rest, compressed
	Content        int64 // bytes of blobs after decompression; only Check knows it
	Notes          int   // only Check counts them
	Damaged        int   // files that are damaged
}

// Size counts actions and blobs without reading the blobs.
func Size(ctx context.Context, s Store) (t Totals, err error) {
	err = s.Actions(ctx, func(_ Action, err error) error {
		t.Actions++
		if err != nil {
			t.Damaged++
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	err = s.Blobs(ctx, func(_ Digest, stored int64) error {
		t.Blobs++
		t.Stored += stored
		return nil
	})
	return t, err
}

// Actions implements [Store]. Files that are not named like actions are no actions; [Check] lists them as strays.
func (l *local) Actions(ctx context.Context, visit func(Action, error) error) error {
	return l.walk(ctx, "actions", "", func(name string, _ fs.DirEntry) error {
		key, err := ParseActionKey(name)
		if err != nil {
			return nil
		}
		a, ok, err := l.action(key)
		if err == nil && !ok {
			return nil // deleted while listing
		}
		a.Key = key
		return visit(a, err)
	})
}

// Blobs implements [Store]. Files that are not named like blobs are no blobs.
func (l *local) Blobs(ctx context.Context, visit func(Digest, int64) error) error {
	return l.walk(ctx, "blobs", ".zst", func(name string, e fs.DirEntry) error {
		d, err := ParseDigest(name)
		if err != nil {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(d, info.Size())
	})
}

// walk visits sub's files in the order of their names, without suffix.
func (l *local) walk(ctx context.Context, sub, suffix string, visit func(name string, e fs.DirEntry) error) error {
	folders, err := os.ReadDir(filepath.Join(l.dir, sub))
	if err != nil {
		return fmt.Errorf("list %s: %w", sub, err)
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue // not ours: a file manager's, for instance
		}
		files, err := os.ReadDir(filepath.Join(l.dir, sub, folder.Name()))
		if err != nil {
			return fmt.Errorf("list %s: %w", sub, err)
		}
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			if name, ok := strings.CutSuffix(f.Name(), suffix); ok {
				if err := visit(name, f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Actions implements [Store].
func (m *Memory) Actions(ctx context.Context, visit func(Action, error) error) error {
	m.mu.Lock()
	all := make([]Action, 0, len(m.actions))
	for _, a := range m.actions {
		all = append(all, a)
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b Action) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	for _, a := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(a, nil); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Blobs implements [Store].
func (m *Memory) Blobs(ctx context.Context, visit func(Digest, int64) error) error {
	m.mu.Lock()
	sizes := make(map[Digest]int64, len(m.blobs))
	all := make([]Digest, 0, len(m.blobs))
	for d, b := range m.blobs {
		sizes[d] = int64(len(b))
		all = append(all, d)
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) })
	for _, d := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(d, sizes[d]); err != nil {
			return err
		}
	}
	return ctx.Err()
}
