package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// What says what a [Finding] is about.
type What string

// What there is to find. The first five are damage.
const (
	DamagedAction What = "action"  // a record that is not as it was written
	DamagedBlob   What = "blob"    // content that is not what its name says, or stored bytes that are not as they were written
	DamagedNote   What = "note"    // as a damaged action
	DamagedLayout What = "layout"  // README or VERSION of a folder
	Stray         What = "stray"   // a file in the store's own folders that is none of the store's
	Garbage       What = "garbage" // an unfinished write that nobody is at any more
	Foreign       What = "foreign" // somebody else's file beside the store's
	Absent        What = "absent"  // an action whose blob was deleted: a miss
)

// A Finding is something that [Check] found in a store.
type Finding struct {
	What   What
	File   string // its name in the store: "blobs/3f/3f9a….zst"
	Key    ActionKey
	Digest Digest
	Users  []User // whose output a damaged or absent blob is
	Err    error  // wraps ErrCorrupt if it is damage
}

// Damage reports a finding after which the store is not clean.
func (f Finding) Damage() bool {
	switch f.What {
	case DamagedAction, DamagedBlob, DamagedNote, DamagedLayout, Stray:
		return true
	}
	return false
}

// A User is an action that names a blob.
type User struct {
	Output string // the blob's name in the action
	Kind   string // of the action's recipe: "capture unit"
	Key    ActionKey
}

func (u User) String() string { return fmt.Sprintf("%s of %s %s", u.Output, u.Kind, u.Key.Short()) }

// A tidy store knows what else lies where it keeps its files, and can put it right.
type tidy interface {
	beside(ctx context.Context, visit func(Finding) error) error
	tidy(ctx context.Context, f Finding) error
}

// Check reads every stored byte and gives what it found that is not as it was written, is not the store's, or is
// absent. It changes nothing. The error returned is one that kept it from finishing.
func Check(ctx context.Context, s Store) (found []Finding, t Totals, err error) {
	report := func(f Finding) error {
		if f.Damage() {
			t.Damaged++
		}
		found = append(found, f)
		return nil
	}
	if local, ok := s.(tidy); ok {
		err = local.beside(ctx, report)
	}
	for _, check := range []func(context.Context, Store, *Totals, func(Finding) error) error{checkActions, checkBlobs, checkNotes} {
		if err == nil {
			err = check(ctx, s, &t, report)
		}
	}
	if err == nil {
		err = findUsers(ctx, s, found)
	}
	return found, t, err
}

func checkActions(ctx context.Context, s Store, t *Totals, report func(Finding) error) error {
	return s.Actions(ctx, func(a Action, err error) error {
		t.Actions++
		if err != nil {
			return reportDamage(report, Finding{What: DamagedAction, File: ActionName(a.Key), Key: a.Key, Err: err})
		}
		for _, o := range a.Outputs {
			ok, err := s.Has(ctx, o.Digest)
			if err == nil && !ok {
				err = report(Finding{What: Absent, File: BlobName(o.Digest), Key: a.Key, Digest: o.Digest, Err: fs.ErrNotExist})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func checkBlobs(ctx context.Context, s Store, t *Totals, report func(Finding) error) error {
	return s.Blobs(ctx, func(d Digest, stored int64) error {
		t.Blobs++
		t.Stored += stored
		n, err := verify(ctx, s, d)
		t.Content += n
		if errors.Is(err, fs.ErrNotExist) { // deleted while listing
			return nil
		}
		if err != nil {
			return reportDamage(report, Finding{What: DamagedBlob, File: BlobName(d), Digest: d, Err: err})
		}
		return nil
	})
}

func checkNotes(ctx context.Context, s Store, t *Totals, report func(Finding) error) error {
	return s.Notes(ctx, "", func(name string) error {
		t.Notes++
		if _, _, err := s.Note(ctx, name); err != nil {
			return reportDamage(report, Finding{What: DamagedNote, File: name, Err: err})
		}
		return nil
	})
}

// reportDamage tells damage from what keeps a check from going on.
func reportDamage(report func(Finding) error, f Finding) error {
	if !errors.Is(f.Err, ErrCorrupt) {
		return f.Err
	}
	return report(f)
}

// findUsers says of each damaged or absent blob whose output it is. Only where there is one are the actions read again.
func findUsers(ctx context.Context, s Store, found []Finding) error {
	at := map[Digest][]int{}
	for i, f := range found {
		if f.What == DamagedBlob || f.What == Absent {
			at[f.Digest] = append(at[f.Digest], i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return s.Actions(ctx, func(a Action, err error) error {
		for _, o := range a.Outputs {
			for _, i := range at[o.Digest] {
				f := &found[i]
				if f.What == DamagedBlob || f.Key == a.Key {
					f.Users = append(f.Users, User{o.Name, a.Kind(), a.Key})
				}
			}
		}
		return nil
	})
}

// Kind is what the action's recipe was begun with.
func (a Action) Kind() string {
	r, err := ParseRecipe(a.Recipe)
	if err != nil {
		return "action"
	}
	return r.Kind()
}

// verify reads a blob to its end in bounded memory.
func verify(ctx context.Context, s Store, d Digest) (int64, error) {
	r, err := s.Open(ctx, d)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(io.Discard, r)
}
