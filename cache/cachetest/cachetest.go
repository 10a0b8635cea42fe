// Package cachetest holds every implementation of [cache.Store] to the same promises.
package cachetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
)

// Run tests stores made by open, which returns a fresh and empty one each time.
func Run(t *testing.T, open func(t *testing.T) cache.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, cache.Store)
	}{
		{"BlobsComeBack", blobsComeBack},
		{"AbsentBlobIsNotExist", absentBlob},
		{"FailedWriteStoresNothing", failedWrite},
		{"IgnoredWriteErrorStoresNothing", ignoredWriteError},
		{"CancelledContextStoresNothing", cancelled},
		{"ActionsComeBack", actionsComeBack},
		{"FirstActionStays", firstActionStays},
		{"CommitNeedsItsBlobs", commitNeedsBlobs},
		{"CommitRefusesWhatItCannotWrite", commitRefuses},
		{"RecallExplains", recallExplains},
		{"NotesAreReplaced", notesAreReplaced},
		{"NotesAreListedByPrefix", notesByPrefix},
		{"NotesHaveNamesThatAreSafe", noteNames},
		{"WhatIsRemovedIsAMiss", removedIsAMiss},
		{"ListingsAreSorted", listingsAreSorted},
		{"ManyWritersAgree", manyWriters},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Put stores content in s and fails the test if that fails.
func Put(t testing.TB, s cache.Store, content []byte) cache.Digest {
	t.Helper()
	d, n, err := s.Create(t.Context(), func(w io.Writer) error { _, err := w.Write(content); return err })
	if err != nil {
		t.Fatal(err)
	}
	if d != cache.Sum(content) || n != int64(len(content)) {
		t.Fatalf("Create = %s, %d; want %s, %d", d, n, cache.Sum(content), len(content))
	}
	return d
}

// contents are empty, short, incompressible and larger than a window, and very compressible.
func contents() [][]byte {
	noise := make([]byte, 3<<20+17)
	state := uint64(1)
	for i := range noise {
		state = state*6364136223846793005 + 1442695040888963407
		noise[i] = byte(state >> 56)
	}
	return [][]byte{{}, []byte("a"), []byte("residual\n"), noise, make([]byte, 12<<20)}
}

func blobsComeBack(t *testing.T, s cache.Store) {
	for _, want := range contents() {
		d := Put(t, s, want)
		got, err := s.Read(t.Context(), d)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("Read of %d bytes = %d bytes, %v", len(want), len(got), err)
		}
		r, err := s.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		h := new(bytes.Buffer)
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, r, make([]byte, 1000)); err != nil || !bytes.Equal(h.Bytes(), want) {
			t.Errorf("reading %d bytes in pieces: %d bytes, %v", len(want), h.Len(), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if ok, err := s.Has(t.Context(), d); !ok || err != nil {
			t.Errorf("Has = %t, %v", ok, err)
		}
		Put(t, s, want) // again
	}
}

func absentBlob(t *testing.T, s cache.Store) {
	d := cache.Sum([]byte("never stored"))
	if _, err := s.Open(t.Context(), d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open = %v, want fs.ErrNotExist", err)
	}
	if _, err := s.Read(t.Context(), d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read = %v, want fs.ErrNotExist", err)
	}
	if ok, err := s.Has(t.Context(), d); ok || err != nil {
		t.Errorf("Has = %t, %v; want false", ok, err)
	}
}

func failedWrite(t *testing.T, s cache.Store) {
	cause := errors.New("model ran away")
	_, _, err := s.Create(t.Context(), func(w io.Writer) error {
		if _, err := w.Write([]byte("half")); err != nil {
			return err
		}
		return cause
	})
	if !errors.Is(err, cause) {
		t.Errorf("Create = %v, want %v", err, cause)
	}
	mustBeEmpty(t, s)
}

func ignoredWriteError(t *testing.T, s cache.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := s.Create(ctx, func(w io.Writer) error {
		w.Write([]byte("first"))
		cancel()
		w.Write([]byte("second, lost"))
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Create = %v, want cancelled", err)
	}
	mustBeEmpty(t, s)
}

func cancelled(t *testing.T, s cache.Store) {
	d := Put(t, s, []byte("before"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Create(ctx, func(w io.Writer) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Create = %v, want cancelled", err)
	}
	if _, err := s.Read(ctx, d); !errors.Is(err, context.Canceled) {
		t.Errorf("Read = %v, want cancelled", err)
	}
	if err := s.Commit(ctx, cache.NewRecipe("late", 1), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit = %v, want cancelled", err)
	}
}

func mustBeEmpty(t *testing.T, s cache.Store) {
	t.Helper()
	total, err := cache.Size(t.Context(), s)
	if err != nil || total != (cache.Totals{}) {
		t.Errorf("store holds %+v, %v; want nothing", total, err)
	}
}

func recipe(lambda float64) *cache.Recipe {
	return cache.NewRecipe("fit", 2).Float("lambda", lambda).Input("source", cache.Sum([]byte("x")))
}

func actionsComeBack(t *testing.T, s cache.Store) {
	r := recipe(0.1)
	if _, ok, err := s.Lookup(t.Context(), r.Key()); ok || err != nil {
		t.Fatalf("Lookup before Commit = %t, %v", ok, err)
	}
	want := []cache.Output{
		{Name: "map", Kind: "transfer-map", Digest: Put(t, s, []byte("w")), Bytes: 1},
		{Name: "curve", Kind: "rows", Digest: Put(t, s, []byte("rows")), Bytes: 4, Rows: 2},
	}
	for range 2 {
		if err := s.Commit(t.Context(), r, want); err != nil {
			t.Fatal(err)
		}
		got, ok, err := s.Lookup(t.Context(), r.Key())
		if !ok || err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Lookup = %v, %t, %v; want %v", got, ok, err, want)
		}
	}
	text, ok, err := s.Recipe(t.Context(), r.Key())
	if text != r.String() || !ok || err != nil {
		t.Errorf("Recipe = %q, %t, %v", text, ok, err)
	}
	if _, ok, _ := s.Lookup(t.Context(), recipe(0.2).Key()); ok {
		t.Error("another recipe found the same outputs")
	}
}

func firstActionStays(t *testing.T, s cache.Store) {
	first := []cache.Output{{Name: "map", Kind: "m", Digest: Put(t, s, []byte("1")), Bytes: 1}}
	other := []cache.Output{{Name: "map", Kind: "m", Digest: Put(t, s, []byte("2")), Bytes: 1}}
	if err := s.Commit(t.Context(), recipe(1), first); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), recipe(1), other); !errors.Is(err, cache.ErrMismatch) {
		t.Errorf("second Commit = %v, want ErrMismatch", err)
	}
	if got, _, _ := s.Lookup(t.Context(), recipe(1).Key()); !reflect.DeepEqual(got, first) {
		t.Errorf("Lookup = %v, want the first outputs", got)
	}
}

func commitNeedsBlobs(t *testing.T, s cache.Store) {
	lost := []cache.Output{{Name: "map", Kind: "m", Digest: cache.Sum([]byte("lost"))}}
	if err := s.Commit(t.Context(), recipe(1), lost); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Commit = %v, want fs.ErrNotExist", err)
	}
	mustBeEmpty(t, s)
}

func commitRefuses(t *testing.T, s cache.Store) {
	d := Put(t, s, []byte("x"))
	for _, o := range [][]cache.Output{
		{{Name: "", Kind: "m", Digest: d}},
		{{Name: "two words", Kind: "m", Digest: d}},
		{{Name: "line\nbreak", Kind: "m", Digest: d}},
		{{Name: "a", Kind: "", Digest: d}},
		{{Name: "a", Kind: "m", Digest: d, Rows: -1}},
		{{Name: "a", Kind: "m", Digest: d}, {Name: "a", Kind: "m", Digest: d}},
	} {
		if err := s.Commit(t.Context(), recipe(1), o); err == nil {
			t.Errorf("Commit took %+v", o)
		}
	}
}

func recallExplains(t *testing.T, s cache.Store) {
	ctx := t.Context()
	if _, ok, err := cache.Recall(ctx, s, "fit/1"); ok || err != nil {
		t.Errorf("Recall of nothing = %t, %v", ok, err)
	}
	for _, lambda := range []float64{1, 2} {
		if err := s.Commit(ctx, recipe(lambda), nil); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"fit/1", "odd name\nwith a line", ""} {
			if err := cache.Remember(ctx, s, name, recipe(lambda).Key()); err != nil {
				t.Fatal(err)
			}
			if got, ok, err := cache.Recall(ctx, s, name); got != recipe(lambda).String() || !ok || err != nil {
				t.Errorf("Recall(%q) = %q, %t, %v", name, got, ok, err)
			}
		}
	}
	if err := cache.Remember(ctx, s, "gone", recipe(9).Key()); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := cache.Recall(ctx, s, "gone"); ok || err != nil {
		t.Errorf("Recall of a key that was never committed = %t, %v", ok, err)
	}
}

func notesAreReplaced(t *testing.T, s cache.Store) {
	ctx, name := t.Context(), "runs/2026-1/record"
	if text, ok, err := s.Note(ctx, name); ok || err != nil {
		t.Errorf("Note before SetNote = %q, %t, %v", text, ok, err)
	}
	for _, want := range []string{"first", "", "sum of two\nlines, the second without an end", strings.Repeat("long ", 50000)} {
		if err := s.SetNote(ctx, name, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if text, ok, err := s.Note(ctx, name); string(text) != want || !ok || err != nil {
			t.Errorf("Note = %.40q, %t, %v; want %.40q", text, ok, err, want)
		}
	}
	for range 2 {
		if err := s.RemoveNote(ctx, name); err != nil {
			t.Errorf("RemoveNote: %v", err)
		}
	}
	if _, ok, err := s.Note(ctx, name); ok || err != nil {
		t.Errorf("Note after RemoveNote = %t, %v", ok, err)
	}
}

func notesByPrefix(t *testing.T, s cache.Store) {
	ctx := t.Context()
	all := []string{"recent/a", "runs/1-a/units/x", "runs/1/record", "runs/1/units/0001", "runs/1/units/0002", "runs/10/record", "runs/2/record"}
	for _, name := range slices.Backward(all) {
		if err := s.SetNote(ctx, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{"": all, "runs/1/": all[2:5], "runs/1": all[1:6], "runs/1/units/": all[3:5], "runs/3": nil, "re": all[:1], "other": nil} {
		var got []string
		if err := s.Notes(ctx, prefix, func(name string) error { got = append(got, name); return nil }); err != nil || !slices.Equal(got, want) {
			t.Errorf("Notes(%q) = %q, %v; want %q", prefix, got, err, want)
		}
	}
	stop := errors.New("enough")
	if err := s.Notes(ctx, "", func(string) error { return stop }); err != stop {
		t.Errorf("Notes = %v, want the visitor's error", err)
	}
	if total, err := cache.Size(ctx, s); err != nil || total.Actions != 0 || total.Blobs != 0 {
		t.Errorf("notes count as artifacts: %+v, %v", total, err)
	}
}

// noteNames: a name becomes a path, so none may leave its folder, hide, or be that of something else.
func noteNames(t *testing.T, s cache.Store) {
	for _, name := range []string{"", "runs", "runs/", "/runs/a", "runs//a", "runs/../a", "runs/a/..", "runs/.hidden", "runs/-f", "blobs/aa", "README", "runs/a b", "runs/a\n", "runs/é",
		"runs/a/b/c/d/e/f", "runs/" + strings.Repeat("x", 200), `runs/a\b`} {
		if err := s.SetNote(t.Context(), name, nil); err == nil {
			t.Errorf("SetNote took the name %q", name)
		}
		if _, ok, err := s.Note(t.Context(), name); ok || err != nil {
			t.Errorf("Note(%q) = %t, %v", name, ok, err)
		}
		if err := s.RemoveNote(t.Context(), name); err == nil {
			t.Errorf("RemoveNote took the name %q", name)
		}
	}
	mustBeEmpty(t, s)
}

func removedIsAMiss(t *testing.T, s cache.Store) {
	ctx := t.Context()
	d := Put(t, s, []byte("content"))
	outputs := []cache.Output{{Name: "o", Kind: "k", Digest: d, Bytes: 7}}
	if err := s.Commit(ctx, recipe(1), outputs); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.RemoveBlob(ctx, d); err != nil {
			t.Errorf("RemoveBlob: %v", err)
		}
	}
	if _, ok, err := s.Lookup(ctx, recipe(1).Key()); ok || err != nil {
		t.Errorf("Lookup without the blob = %t, %v", ok, err)
	}
	if text, ok, err := s.Recipe(ctx, recipe(1).Key()); text != recipe(1).String() || !ok || err != nil {
		t.Errorf("Recipe without the blob = %q, %t, %v", text, ok, err)
	}
	Put(t, s, []byte("content"))
	if _, ok, err := s.Lookup(ctx, recipe(1).Key()); !ok || err != nil {
		t.Errorf("Lookup with the blob again = %t, %v", ok, err)
	}
	for range 2 {
		if err := s.RemoveAction(ctx, recipe(1).Key()); err != nil {
			t.Errorf("RemoveAction: %v", err)
		}
	}
	if _, ok, err := s.Recipe(ctx, recipe(1).Key()); ok || err != nil {
		t.Errorf("Recipe after RemoveAction = %t, %v", ok, err)
	}
	if ok, err := s.Has(ctx, d); !ok || err != nil {
		t.Errorf("RemoveAction took the blob: Has = %t, %v", ok, err)
	}
}

func listingsAreSorted(t *testing.T, s cache.Store) {
	for i := range 20 {
		d := Put(t, s, []byte{byte(i)})
		if err := s.Commit(t.Context(), recipe(float64(i)), []cache.Output{{Name: "o", Kind: "k", Digest: d, Bytes: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	var last string
	next := func(name string) {
		if name <= last {
			t.Errorf("%s is listed after %s", name, last)
		}
		last = name
	}
	err := s.Actions(t.Context(), func(a cache.Action, err error) error {
		if err != nil || len(a.Outputs) != 1 || a.Recipe == "" {
			t.Errorf("action %+v, %v", a, err)
		}
		next(a.Key.String())
		return nil
	})
	last = ""
	err = errors.Join(err, s.Blobs(t.Context(), func(d cache.Digest, stored int64) error { next(d.String()); return nil }))
	if err != nil {
		t.Fatal(err)
	}
	found, total, err := cache.Check(t.Context(), s)
	if err != nil || total.Actions != 20 || total.Blobs != 20 || total.Content != 20 || total.Damaged != 0 || len(found) > 0 {
		t.Errorf("Check = %+v, %+v, %v", found, total, err)
	}
	stop := errors.New("enough")
	if err := s.Blobs(t.Context(), func(cache.Digest, int64) error { return stop }); err != stop {
		t.Errorf("Blobs = %v, want the visitor's error", err)
	}
}

// manyWriters races goroutines on few blobs and one action each: all must see one result.
func manyWriters(t *testing.T, s cache.Store) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 8 {
				content := bytes.Repeat([]byte{byte(j)}, 10000+j)
				r := recipe(float64(j))
				d, n, err := s.Create(t.Context(), func(w io.Writer) error { _, err := w.Write(content); return err })
				out := cache.Output{Name: "o", Kind: "k", Digest: d, Bytes: n, Rows: int64(j)}
				if err == nil {
					err = s.Commit(t.Context(), r, []cache.Output{out})
				}
				if err != nil || d != cache.Sum(content) {
					t.Errorf("writer %d: %+v, %v", i, out, err)
					return
				}
				if got, ok, err := s.Lookup(t.Context(), r.Key()); err != nil || !ok || len(got) != 1 || got[0] != out {
					t.Errorf("writer %d: looked up %+v, %t, %v, want %+v", i, got, ok, err, out)
				}
				if got, err := s.Read(t.Context(), d); err != nil || !bytes.Equal(got, content) {
					t.Errorf("writer %d: read %d bytes, %v", i, len(got), err)
				}
				if err := cache.Remember(t.Context(), s, "shared", r.Key()); err != nil {
					t.Error(err)
				}
				if _, ok, err := cache.Recall(t.Context(), s, "shared"); !ok || err != nil {
					t.Errorf("writer %d: Recall = %t, %v", i, ok, err)
				}
			}
		})
	}
	wg.Wait()
	total, err := cache.Size(t.Context(), s)
	if err != nil || total.Actions != 8 || total.Blobs != 8 {
		t.Errorf("store holds %+v, %v; want 8 actions and 8 blobs", total, err)
	}
}
