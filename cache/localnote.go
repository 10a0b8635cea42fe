package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (l *local) notePath(name string) string { return filepath.Join(l.dir, filepath.FromSlash(name)) }

// SetNote implements [Store].
func (l *local) SetNote(ctx context.Context, name string, text []byte) error {
	err := CheckNote(name)
	if err == nil {
		err = ctx.Err()
	}
	for tries := 0; err == nil; tries++ {
		if err = l.replace(l.notePath(name), EncodeNote(text)); err == nil {
			return nil
		}
		if tries == 100 || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
		err = nil // somebody removed the last note of its folder, and the folder with it, or has just made it
	}
	if err != nil {
		return fmt.Errorf("set note %s: %w", name, err)
	}
	return nil
}

// Note implements [Store].
func (l *local) Note(ctx context.Context, name string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil || !ValidNote(name) {
		return nil, false, err
	}
	path := l.notePath(name)
	stored, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read note: %w", err)
	}
	text, err := DecodeNote(stored)
	if err != nil {
		return nil, false, fmt.Errorf("read note %s: %w: %w", path, ErrCorrupt, err)
	}
	return text, true, nil
}

// Notes implements [Store]. Files that are not named like notes are no notes.
func (l *local) Notes(ctx context.Context, prefix string, visit func(string) error) error {
	var names []string
	for _, folder := range NoteFolders {
		if !strings.HasPrefix(folder, prefix) && !strings.HasPrefix(prefix, folder) {
			continue
		}
		err := filepath.WalkDir(l.notePath(folder), func(path string, e fs.DirEntry, err error) error {
			rel, relErr := filepath.Rel(l.dir, path)
			name := filepath.ToSlash(rel)
			switch {
			case errors.Is(err, fs.ErrNotExist): // removed while listing
				return nil
			case err != nil:
				return err
			case relErr != nil:
				return relErr
			case ctx.Err() != nil:
				return ctx.Err()
			case e.IsDir() && !strings.HasPrefix(name, prefix) && !strings.HasPrefix(prefix, name+"/"):
				return fs.SkipDir
			case !e.IsDir() && strings.HasPrefix(name, prefix) && ValidNote(name):
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("list notes: %w", err)
		}
	}
	slices.Sort(names) // folders come before what follows their names and a slash
	for _, name := range names {
		if err := visit(name); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// RemoveNote implements [Store]. Folders that it leaves empty are removed as well, so that what runs
// tell each other leaves no trace.
func (l *local) RemoveNote(ctx context.Context, name string) error {
	if !ValidNote(name) {
		return fmt.Errorf("remove: %w", CheckNote(name))
	}
	if err := l.remove(ctx, l.notePath(name)); err != nil {
		return fmt.Errorf("remove note: %w", err)
	}
	for dir := filepath.Dir(name); strings.Contains(dir, string(filepath.Separator)); dir = filepath.Dir(dir) {
		if os.Remove(filepath.Join(l.dir, dir)) != nil {
			break // not empty
		}
	}
	return nil
}

// RemoveAction implements [Store].
func (l *local) RemoveAction(ctx context.Context, key ActionKey) error {
	if err := l.remove(ctx, l.actionPath(key)); err != nil {
		return fmt.Errorf("remove action: %w", err)
	}
	return nil
}

// RemoveBlob implements [Store].
func (l *local) RemoveBlob(ctx context.Context, d Digest) error {
	if err := l.remove(ctx, l.blobPath(d)); err != nil {
		return fmt.Errorf("remove blob: %w", err)
	}
	return nil
}

// remove removes a file, if it is there, and brings its absence to the disk: an action must not come back
// after a crash when its blobs do not.
func (l *local) remove(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) { // the folder may be gone as well
		return err
	}
	return nil
}
