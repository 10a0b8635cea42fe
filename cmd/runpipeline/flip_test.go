package main

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var flips = flag.Int("flips", 8, "how many bits TestFlippedBitsAreFoundAndNeverUsed flips, one at a time")

// TestFlippedBitsAreFoundAndNeverUsed flips a random bit of a random stored file, of all files of the store alike.
// fsck must name the file and nothing else. A run that has to compute its last stages again, and so reads what is
// stored, must either give the same results or say that something is damaged; then fsck repairs the store, which is clean
// after it, and a run gives the same results.
func TestFlippedBitsAreFoundAndNeverUsed(t *testing.T) {
	if testing.Short() {
		t.Skip("three commands for each bit")
	}
	dir := t.TempDir()
	want, _ := finish(t, dir)
	draw := rand.New(rand.NewPCG(15, 16))
	store := filepath.Join(dir, "cache")
	refused := 0
	for range *flips {
		files := storedFiles(t, store)
		file := files[draw.IntN(len(files))]
		flip(t, filepath.Join(store, file), draw)
		code, out, stderr := call(t, "fsck", "-cache", store)
		if code != exitCorrupt || !strings.Contains(out, "damaged  "+filepath.ToSlash(file)) || strings.Count("\n"+out, "\ndamaged ") != 1 {
			t.Fatalf("a flipped bit of %s: fsck exits with %d: %s%s", file, code, out, stderr)
		}
		forgetLast(t, store, file)
		switch code, got, stderr := outcome(t, process(t, dir)); code {
		case exitDone:
			if got != string(want) {
				t.Errorf("a run used the flipped bit of %s and prints\n%s, want\n%s", file, got, want)
			}
		case exitCorrupt:
			refused++
		default:
			t.Errorf("a flipped bit of %s: the run exits with %d: %s", file, code, stderr)
		}
		if code, out, stderr := call(t, "fsck", "-repair", "-cache", store); code != exitDone {
			t.Fatalf("fsck -repair after a flipped bit of %s exits with %d: %s%s", file, code, out, stderr)
		}
		if code, out, stderr := call(t, "fsck", "-cache", store); code != exitDone {
			t.Fatalf("fsck after the repair of %s exits with %d: %s%s", file, code, out, stderr)
		}
		if got, _ := finish(t, dir); !bytes.Equal(got, want) {
			t.Errorf("after the repair of %s a run prints\n%s, want\n%s", file, got, want)
		}
	}
	t.Logf("%d bits flipped; %d runs met the damage and stopped", *flips, refused)
	if refused == 0 && *flips >= 25 {
		t.Error("no run read a damaged file: nothing was tested")
	}
}

// storedFiles lists the store's files but the actions that are about to be removed.
func storedFiles(t *testing.T, store string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(store, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(store, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// flip flips a random bit of a file, in a copy that takes its place: what is stored is read-only.
func flip(t *testing.T, path string, draw *rand.Rand) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bit := draw.IntN(8 * len(b))
	b[bit/8] ^= 1 << (bit % 8)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, b, 0o444)); err != nil {
		t.Fatal(err)
	}
}

// forgetLast removes the records of the stages at the end and of their units, unless it is the damaged file, so that a
// run computes them again from what they read.
func forgetLast(t *testing.T, store, damaged string) {
	t.Helper()
	for _, name := range storedFiles(t, store) {
		if !strings.HasPrefix(name, "actions") || name == damaged {
			continue
		}
		b, err := os.ReadFile(filepath.Join(store, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"evaluate", "score", "vectors", "fit", "gram"} {
			if bytes.Contains(b, []byte("kind ")) && (bytes.Contains(b, []byte(":"+kind+"\n")) || bytes.Contains(b, []byte(":"+kind+" unit\n"))) {
				if err := os.Remove(filepath.Join(store, name)); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
	}
}
