package cachetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
)

// TestFlakyWithoutFaultsIsAStore: the wrapper adds failures and nothing else.
func TestFlakyWithoutFaultsIsAStore(t *testing.T) {
	Run(t, func(t *testing.T) cache.Store { return NewFlaky(cache.NewMemory(), Faults{Seed: 1}) })
}

// A script is the same calls each time; it gives what each of them came to.
func script(ctx context.Context, s cache.Store) (came []error) {
	r, text := recipe(1), []byte("content of a blob, longer than what comes before a failure in the middle of it: "+string(make([]byte, 200)))
	d := cache.Sum(text)
	for range 50 {
		_, _, err := s.Create(ctx, func(w io.Writer) error { _, err := w.Write(text); return err })
		came = append(came, err)
		f, err := s.Open(ctx, d)
		if err == nil {
			_, err = io.Copy(io.Discard, f)
			f.Close()
		}
		came = append(came, err)
		_, err = s.Read(ctx, d)
		came = append(came, err)
		_, err = s.Has(ctx, d)
		came = append(came, err, s.Commit(ctx, r, []cache.Output{{Name: "o", Kind: "k", Digest: d}}))
		_, _, err = s.Lookup(ctx, r.Key())
		came = append(came, err)
		_, _, err = s.Recipe(ctx, r.Key())
		came = append(came, err, s.SetNote(ctx, "runs/1/record", text))
		_, _, err = s.Note(ctx, "runs/1/record")
		came = append(came, err, s.Notes(ctx, "", func(string) error { return nil }),
			s.Actions(ctx, func(cache.Action, error) error { return nil }), s.Blobs(ctx, func(cache.Digest, int64) error { return nil }))
		_, _, err = s.Free(ctx)
		came = append(came, err, s.RemoveNote(ctx, "runs/1/record"), s.RemoveAction(ctx, r.Key()), s.RemoveBlob(ctx, d))
	}
	return came
}

const calls = 16 // of a script's round

// TestFlakyFailsByItsSeed looks that each kind of call fails now and then, at the same places each time, and at
// others with another seed.
func TestFlakyFailsByItsSeed(t *testing.T) {
	faults := Faults{Seed: 3, Before: 0.1, During: 0.1, After: 0.1}
	failed := func(f Faults) (at []int) {
		s := NewFlaky(cache.NewMemory(), f)
		for i, err := range script(t.Context(), s) {
			if errors.Is(err, ErrInjected) {
				at = append(at, i)
			}
		}
		if n, _ := s.Injected(); n != len(at) {
			t.Errorf("%d failures are counted, %d were met", n, len(at))
		}
		return at
	}
	first := failed(faults)
	for call := range calls {
		if !slices.ContainsFunc(first, func(i int) bool { return i%calls == call }) {
			t.Errorf("call %d of the script never failed", call)
		}
	}
	if again := failed(faults); !slices.Equal(again, first) {
		t.Errorf("the same seed failed at %v and %v", first, again)
	}
	faults.Seed = 4
	if other := failed(faults); slices.Equal(other, first) {
		t.Error("another seed failed at the same calls")
	}
	faults.Most = 5
	if few := failed(faults); len(few) != 5 {
		t.Errorf("%d failures, want the 5 that are allowed", len(few))
	}
}

// TestFlakyFailsBeforeDuringAndAfter looks at what a failed call has left.
func TestFlakyFailsBeforeDuringAndAfter(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 100)
	write := func(w io.Writer) error { _, err := w.Write(text); return err }
	for _, c := range []struct {
		name   string
		faults Faults
		stored bool
	}{{"before", Faults{Before: 1}, false}, {"during", Faults{During: 1}, false}, {"after", Faults{After: 1}, true}} {
		inner := cache.NewMemory()
		s := NewFlaky(inner, c.faults)
		if _, _, err := s.Create(t.Context(), write); !errors.Is(err, ErrInjected) {
			t.Errorf("%s: Create = %v", c.name, err)
		}
		if ok, err := inner.Has(t.Context(), cache.Sum(text)); ok != c.stored || err != nil {
			t.Errorf("%s: stored %t, %v; want %t", c.name, ok, err, c.stored)
		}
	}
	inner := cache.NewMemory()
	d := Put(t, inner, text)
	f, err := NewFlaky(inner, Faults{During: 1}).Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); !errors.Is(err, ErrInjected) || len(got) == 0 || len(got) >= len(text) {
		t.Errorf("a stream that breaks gave %d of %d bytes and %v", len(got), len(text), err)
	}
}

// TestFlakyWaitsNoLongerThanItsContext also counts what waited.
func TestFlakyWaitsNoLongerThanItsContext(t *testing.T) {
	s := NewFlaky(cache.NewMemory(), Faults{Slow: 1, Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Has(ctx, cache.Digest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Has = %v, want the context's error", err)
	}
	if failures, delays := s.Injected(); failures != 0 || delays != 1 {
		t.Errorf("%d failures, %d delays; want 0 and 1", failures, delays)
	}
}

// TestFlakyStoresAreOpenedByLocation: two openings of one folder share the content and not the draws.
func TestFlakyStoresAreOpenedByLocation(t *testing.T) {
	open := FlakyOpener(Faults{Before: 0.2})
	dir := filepath.Join(t.TempDir(), "store")
	var came [2][]int
	for i := range came {
		s, err := open(t.Context(), "flaky://7"+dir)
		if err != nil {
			t.Fatal(err)
		}
		for j, err := range script(t.Context(), s) {
			if errors.Is(err, ErrInjected) {
				came[i] = append(came[i], j)
			}
		}
	}
	if len(came[0]) == 0 || slices.Equal(came[0], came[1]) {
		t.Errorf("two openings failed at %v and %v", came[0], came[1])
	}
	if _, err := cache.Open(t.Context(), dir); err != nil {
		t.Error(err)
	}
	for _, location := range []string{"flaky://x" + dir, "flaky://7/nosuch://place"} {
		if _, err := open(t.Context(), location); err == nil {
			t.Errorf("%s was opened", location)
		}
	}
}
