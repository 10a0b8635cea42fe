package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/persona-transfer/runpipeline/cache"
)

// Commit implements [cache.Store].
func (s *store) Commit(ctx context.Context, r *cache.Recipe, outputs []cache.Output) error {
	if err := s.commit(ctx, r, outputs); err != nil {
		return fmt.Errorf("commit %s %s: %w", r.Kind(), r.Key().Short(), err)
	}
	return nil
}

func (s *store) commit(ctx context.Context, r *cache.Recipe, outputs []cache.Output) error {
	record, err := cache.EncodeAction(r.String(), outputs)
	if err != nil {
		return err
	}
	missing, err := s.missing(ctx, outputs) // I3
	if err != nil {
		return err
	}
	if missing != nil {
		return fmt.Errorf("output %s: blob %s: %w", missing.Name, missing.Digest.Short(), fs.ErrNotExist)
	}
	if err := s.layOut(ctx); err != nil {
		return err
	}
	name := cache.ActionName(r.Key())
	if written, err := s.put(ctx, name, bytes.NewReader(record), plainText, false); err != nil || written {
		return err
	}
	stored, ok, err := s.action(ctx, r.Key()) // another process was first
	if err != nil {
		return err
	}
	if ok && slices.Equal(stored.Outputs, outputs) {
		return nil
	}
	if missing, err := s.missing(ctx, stored.Outputs); err != nil {
		return err
	} else if ok && missing == nil {
		return cache.ErrMismatch
	}
	_, err = s.put(ctx, name, bytes.NewReader(record), plainText, true)
	return err
}

// missing gives the first output whose blob is not stored, or nil. Each costs a request, so they are asked
// for side by side.
func (s *store) missing(ctx context.Context, outputs []cache.Output) (*cache.Output, error) {
	there := make([]bool, len(outputs))
	var g errgroup.Group
	g.SetLimit(sideBySide)
	for i := range outputs {
		g.Go(func() (err error) {
			there[i], err = s.Has(ctx, outputs[i].Digest)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if i := slices.Index(there, false); i >= 0 {
		return &outputs[i], nil
	}
	return nil, ctx.Err()
}

// Lookup implements [cache.Store].
func (s *store) Lookup(ctx context.Context, key cache.ActionKey) ([]cache.Output, bool, error) {
	a, ok, err := s.action(ctx, key)
	if err != nil || !ok {
		return nil, false, err
	}
	if missing, err := s.missing(ctx, a.Outputs); err != nil || missing != nil {
		return nil, false, err
	}
	return a.Outputs, true, nil
}

// Recipe implements [cache.Store].
func (s *store) Recipe(ctx context.Context, key cache.ActionKey) (string, bool, error) {
	a, ok, err := s.action(ctx, key)
	return a.Recipe, ok, err
}

// action reads one record, whether or not its blobs are there.
func (s *store) action(ctx context.Context, key cache.ActionKey) (cache.Action, bool, error) {
	name := cache.ActionName(key)
	record, err := s.get(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return cache.Action{}, false, nil
	}
	if err != nil {
		return cache.Action{}, false, fmt.Errorf("read action: %w", err)
	}
	a, err := cache.DecodeAction(key, record)
	if err != nil {
		return cache.Action{}, false, fmt.Errorf("read action %s: %w: %w", s.at(name), cache.ErrCorrupt, err)
	}
	return a, true, nil
}

// Actions implements [cache.Store]. Records are read side by side, a few ahead of the visitor.
func (s *store) Actions(ctx context.Context, visit func(cache.Action, error) error) error {
	const ahead = 4 * sideBySide
	names := make([]string, 0, ahead)
	flush := func() error {
		err := s.visitActions(ctx, names, visit)
		names = names[:0]
		return err
	}
	err := s.list(ctx, "actions/", func(name string, _ int64) error {
		if names = append(names, name); len(names) < ahead {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func (s *store) visitActions(ctx context.Context, names []string, visit func(cache.Action, error) error) error {
	type read struct {
		action cache.Action
		ok     bool
		err    error
	}
	all := make([]read, len(names))
	var g errgroup.Group
	g.SetLimit(sideBySide)
	for i, name := range names {
		key, err := cache.ParseActionKey(path.Base(name))
		if err != nil {
			all[i] = read{ok: true, err: fmt.Errorf("read action %s: %w: %w", s.at(name), cache.ErrCorrupt, err)}
			continue
		}
		g.Go(func() error {
			a, ok, err := s.action(ctx, key)
			a.Key = key
			all[i] = read{a, ok, err}
			return nil
		})
	}
	g.Wait()
	for _, r := range all {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case r.err != nil && !errors.Is(r.err, cache.ErrCorrupt):
			return r.err
		case !r.ok && r.err == nil: // deleted while listing
			continue
		}
		if err := visit(r.action, r.err); err != nil {
			return err
		}
	}
	return nil
}

// RemoveAction implements [cache.Store].
func (s *store) RemoveAction(ctx context.Context, key cache.ActionKey) error {
	if err := s.remove(ctx, cache.ActionName(key)); err != nil {
		return fmt.Errorf("remove action: %w", err)
	}
	return nil
}
