package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// earlierReadmes are the texts that earlier versions of this program wrote for the same layout.
var earlierReadmes = []string{
	"28bc303973b318ebcbdceb7761c3c52abfae0d68c72453fbc9bae52a3ec53989",
	"2c34653ad795065abf1f0082fd52405934784a1bbbac863058bbd10c20f865e4",
}

// readmeIsOurs reports that the folder's README is one of this layout.
func (l *local) readmeIsOurs() bool {
	text, err := os.ReadFile(filepath.Join(l.dir, "README"))
	return err == nil && (string(text) == Readme || slices.Contains(earlierReadmes, Sum(text).String()))
}

// OpenToCheck opens the store at a location, which must be there, for [Check] and [Repair]: also a folder whose VERSION
// is damaged, which [Open] refuses, if its README says that it is a store of this layout.
func OpenToCheck(ctx context.Context, location string) (Store, error) {
	s, err := Open(ctx, location)
	if errors.Is(err, ErrCorrupt) && Scheme(location) == "" {
		return newLocal(location), nil
	}
	return s, err
}

// beside implements tidy.
func (l *local) beside(ctx context.Context, visit func(Finding) error) error {
	for _, look := range []func(func(Finding) error) error{l.layout, l.unfinished, l.strays} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := look(visit); err != nil {
			return fmt.Errorf("check cache: %w", err)
		}
	}
	return nil
}

// layout finds damage of VERSION and README, and what lies beside them.
func (l *local) layout(visit func(Finding) error) error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		f := Finding{File: e.Name()}
		switch f.File {
		case "actions", "blobs", "tmp":
			continue
		case "VERSION":
			version, err := os.ReadFile(filepath.Join(l.dir, "VERSION"))
			if err != nil {
				return err
			}
			if string(version) == Version {
				continue
			}
			f.What, f.Err = DamagedLayout, l.wrongVersion(version)
		case "README":
			if l.readmeIsOurs() {
				continue
			}
			f.What, f.Err = DamagedLayout, fmt.Errorf("read %s: %w: it is none of those that this program wrote", filepath.Join(l.dir, "README"), ErrCorrupt)
		default:
			if slices.Contains(NoteFolders, f.File) {
				continue
			}
			f.What = Foreign
		}
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// unfinished finds what killed processes left in tmp/: a file whose lock nobody holds.
func (l *local) unfinished(visit func(Finding) error) error {
	entries, err := os.ReadDir(filepath.Join(l.dir, "tmp"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if locked(filepath.Join(l.dir, "tmp", e.Name())) {
			continue
		}
		if err := visit(Finding{What: Garbage, File: "tmp/" + e.Name()}); err != nil {
			return err
		}
	}
	return nil
}

// strays finds files in the store's own folders under names that no reader asks for. Those whose names begin with a
// dot are of file managers and the like.
func (l *local) strays(visit func(Finding) error) error {
	for _, top := range slices.Concat([]string{"actions", "blobs"}, NoteFolders) {
		err := filepath.WalkDir(filepath.Join(l.dir, top), func(file string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) { // removed while listing
				return nil
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(l.dir, file)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(rel)
			if ownName(top, name, e.IsDir()) {
				return nil
			}
			f := Finding{What: Stray, File: name, Err: fmt.Errorf("%s: %w: no file of the store has that name", file, ErrCorrupt)}
			if strings.HasPrefix(e.Name(), ".") {
				f.What, f.Err = Foreign, nil
			}
			if err := visit(f); err != nil {
				return err
			}
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ownName reports a name that the store gives to a file, or to a folder, of its folder top.
func ownName(top, name string, folder bool) bool {
	if slices.Contains(NoteFolders, top) {
		return name == top || folder && ValidNote(path.Join(name, "x")) || !folder && ValidNote(name)
	}
	if folder {
		parent, own := path.Split(name)
		return name == top || parent == top+"/" && isHexDigest(strings.Repeat(own, 32))
	}
	if d, err := ParseDigest(strings.TrimSuffix(path.Base(name), ".zst")); err == nil {
		return name == BlobName(d) || name == ActionName(ActionKey(d))
	}
	return false
}

// tidy implements tidy. Garbage is looked at once more: a file may have got its lock between its making and the check.
func (l *local) tidy(ctx context.Context, f Finding) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	file := filepath.Join(l.dir, filepath.FromSlash(f.File))
	var err error
	switch {
	case f.File == "VERSION":
		err = l.replace(file, []byte(Version))
	case f.File == "README":
		err = l.replace(file, []byte(Readme))
	case f.What == Stray, f.What == Garbage && !locked(file):
		err = os.RemoveAll(file)
	}
	if err != nil {
		return fmt.Errorf("repair %s: %w", f.File, err)
	}
	return nil
}
