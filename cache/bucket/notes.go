package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
)

// SetNote implements [cache.Store].
func (s *store) SetNote(ctx context.Context, name string, text []byte) error {
	err := cache.CheckNote(name)
	if err == nil {
		err = s.layOut(ctx)
	}
	if err == nil {
		_, err = s.put(ctx, name, bytes.NewReader(cache.EncodeNote(text)), plainText, true)
	}
	if err != nil {
		return fmt.Errorf("set note: %w", err)
	}
	return nil
}

// Note implements [cache.Store].
func (s *store) Note(ctx context.Context, name string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil || !cache.ValidNote(name) {
		return nil, false, err
	}
	stored, err := s.get(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read note: %w", err)
	}
	text, err := cache.DecodeNote(stored)
	if err != nil {
		return nil, false, fmt.Errorf("read note %s: %w: %w", s.at(name), cache.ErrCorrupt, err)
	}
	return text, true, nil
}

// Notes implements [cache.Store]. Objects that are not named like notes are no notes.
func (s *store) Notes(ctx context.Context, prefix string, visit func(string) error) error {
	for _, folder := range slices.Sorted(slices.Values(cache.NoteFolders)) {
		first := folder + "/"
		switch {
		case strings.HasPrefix(prefix, first):
			first = prefix
		case !strings.HasPrefix(first, prefix):
			continue
		}
		err := s.list(ctx, first, func(name string, _ int64) error {
			if !cache.ValidNote(name) {
				return nil
			}
			return visit(name)
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// RemoveNote implements [cache.Store].
func (s *store) RemoveNote(ctx context.Context, name string) error {
	err := cache.CheckNote(name)
	if err == nil {
		err = s.remove(ctx, name)
	}
	if err != nil {
		return fmt.Errorf("remove note: %w", err)
	}
	return nil
}
