package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// files gives the names of all files of the store, and what they hold.
func files(t *testing.T, l *local) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(l.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(l.dir, path)
		if err == nil {
			all[filepath.ToSlash(rel)], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// furnished is a store with something of everything: contents that compress and that do not, an empty one, two
// actions that share a blob, notes.
func furnished(t *testing.T) *local {
	t.Helper()
	l := openTemp(t)
	shared, random, own := put(t, l, strings.Repeat("residual stream ", 30)), put(t, l, string(noise(200))), put(t, l, "")
	for i, outputs := range [][]Output{
		{{Name: "a", Kind: "k", Digest: shared}, {Name: "b", Kind: "k", Digest: random}},
		{{Name: "a", Kind: "k", Digest: shared}, {Name: "c", Kind: "k", Digest: own}},
	} {
		r := NewRecipe("capture unit", 1).Int("unit", int64(i))
		if err := errors.Join(l.Commit(t.Context(), r, outputs), Remember(t.Context(), l, "capture", r.Key())); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SetNote(t.Context(), "runs/r1/record", []byte(`{"run":"r1"}`)); err != nil {
		t.Fatal(err)
	}
	return l
}

// I5 for everything: each single bit of each stored file, README and VERSION included, is found when it is flipped, and
// the file is named; then repair leaves a store that is clean and holds nothing that is not proven.
func TestEveryFlippedBitIsFoundAndRepaired(t *testing.T) {
	l := furnished(t)
	whole := files(t, l)
	for name, content := range whole {
		path := filepath.Join(l.dir, filepath.FromSlash(name))
		for bit := range 8 * len(content) {
			if text := !strings.HasPrefix(name, "blobs/") && name != "VERSION"; text && bit%8 != bit/8%8 {
				continue // every byte of a text is under its sum alike
			}
			flipped := bytes.Clone(content)
			flipped[bit/8] ^= 1 << (bit % 8)
			overwrite(t, path, flipped)
			s, err := OpenToCheck(t.Context(), l.dir)
			if err != nil {
				t.Fatalf("%s, bit %d: %v", name, bit, err)
			}
			found, total, err := Check(t.Context(), s)
			if err != nil || total.Damaged != 1 || len(found) != 1 || found[0].File != name || !found[0].Damage() || !errors.Is(found[0].Err, ErrCorrupt) || !strings.Contains(found[0].Err.Error(), name) {
				t.Fatalf("%s, bit %d: Check = %+v, %+v, %v", name, bit, found, total, err)
			}
			if bit > 0 { // the same for every bit
				continue
			}
			if err := Repair(t.Context(), s, found, func(string, string) {}); err != nil {
				t.Fatalf("%s: Repair: %v", name, err)
			}
			if found, _, err := Check(t.Context(), s); err != nil || len(found) > 0 {
				t.Errorf("%s: after Repair, Check = %+v, %v", name, found, err)
			}
			for name, content := range whole {
				if err := l.replace(filepath.Join(l.dir, filepath.FromSlash(name)), content); err != nil {
					t.Fatal(err)
				}
			}
		}
		overwrite(t, path, content)
	}
}

// What repair takes of a damaged blob: itself, the actions that name it, and their other outputs that nobody else names.
// What it takes of a damaged action: the record.
func TestRepairRemovesWhatOnlyDamageProves(t *testing.T) {
	one, two := NewRecipe("capture unit", 1).Int("unit", 0).Key(), NewRecipe("capture unit", 1).Int("unit", 1).Key()
	shared, random := Sum([]byte(strings.Repeat("residual stream ", 30))), Sum(noise(200))
	for _, c := range []struct {
		damaged string
		want    []string // removed
	}{
		{BlobName(random), []string{ActionName(one), BlobName(random)}},
		{BlobName(shared), []string{ActionName(one), ActionName(two), BlobName(shared), BlobName(random), BlobName(Sum(nil))}},
		{ActionName(one), []string{ActionName(one)}},
		{"runs/r1/record", []string{"runs/r1/record"}},
		{"tmp/blob-1", []string{"tmp/blob-1"}},
		{"blobs/3f/x~", []string{"blobs/3f/x~"}},
		{"actions/copy of ab/x", []string{"actions/copy of ab"}},
		{"thesis.tex", nil},
		{"blobs/3f/.DS_Store", nil},
	} {
		l := furnished(t)
		path := filepath.Join(l.dir, filepath.FromSlash(c.damaged))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path+".new", []byte("damage"), 0o666), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		before := files(t, l)
		found, _, err := Check(t.Context(), l)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: Check = %+v, %v", c.damaged, found, err)
		}
		var removed []string
		if err := Repair(t.Context(), l, found, func(file, why string) { removed = append(removed, file) }); err != nil {
			t.Fatal(err)
		}
		after := files(t, l)
		for name, content := range before {
			gone := slices.ContainsFunc(c.want, func(w string) bool { return name == w || strings.HasPrefix(name, w+"/") })
			if got, there := after[name]; there == gone || there && !bytes.Equal(got, content) {
				t.Errorf("%s: %s is there: %t, want %t", c.damaged, name, there, !gone)
			}
		}
		slices.Sort(removed)
		slices.Sort(c.want)
		if !slices.Equal(removed, c.want) {
			t.Errorf("%s: Repair told of %q, want %q", c.damaged, removed, c.want)
		}
	}
}

// A damaged blob is listed with those whose output it is.
func TestFindingsSayWhoUsesThem(t *testing.T) {
	l := furnished(t)
	overwrite(t, l.blobPath(Sum(noise(200))), []byte("damage"))
	found, _, err := Check(t.Context(), l)
	want := User{"b", "capture unit", NewRecipe("capture unit", 1).Int("unit", 0).Key()}
	if err != nil || len(found) != 1 || !slices.Equal(found[0].Users, []User{want}) {
		t.Errorf("Check = %+v, %v, want the user %s", found, err, want)
	}
}

// Unfinished writes are nobody's damage, and those that somebody is at are no garbage either.
func TestUnfinishedWritesAreNoDamage(t *testing.T) {
	l := furnished(t)
	writing, err := l.temp("blob-*")
	if err != nil {
		t.Fatal(err)
	}
	found, total, err := Check(t.Context(), l)
	if err != nil || len(found) > 0 {
		t.Errorf("while it is written: %+v, %v", found, err)
	}
	name := "tmp/" + filepath.Base(writing.Name())
	writing.Close() // as if its process had been killed
	if found, total, err = Check(t.Context(), l); err != nil || len(found) != 1 || found[0].What != Garbage || found[0].File != name || total.Damaged != 0 {
		t.Errorf("when it was left: %+v, %+v, %v", found, total, err)
	}
	again, err := os.Open(filepath.Join(l.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	lock(again) // it was too early to tell
	if err := Repair(t.Context(), l, found, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	if there, err := exists(filepath.Join(l.dir, name)); !there {
		t.Errorf("Repair took a file that is being written: %v", err)
	}
}

// Blobs of earlier versions have no seal and are as good; what other programs make of a blob with one is its content.
func TestSealsAreForNobodyElse(t *testing.T) {
	l := openTemp(t)
	content := strings.Repeat("residual stream ", 30)
	d := put(t, l, content)
	whole, err := os.ReadFile(l.blobPath(d))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := zstd.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if got, err := io.ReadAll(plain); err != nil || string(got) != content {
		t.Errorf("a plain reader gives %q, %v", got, err)
	}
	if path, err := exec.LookPath("zstdcat"); err == nil {
		if got, err := exec.Command(path, l.blobPath(d)).Output(); err != nil || string(got) != content {
			t.Errorf("zstdcat gives %q, %v", got, err)
		}
	}
	overwrite(t, l.blobPath(d), whole[:len(whole)-sealBytes])
	if found, _, err := Check(t.Context(), l); err != nil || len(found) > 0 {
		t.Errorf("without its seal: %+v, %v", found, err)
	}
}

// The seal is that of all bytes before it, in whatever pieces they are read.
func TestSealsSeeEveryPiece(t *testing.T) {
	content := noise(100)
	var stored bytes.Buffer
	s := newSealer(&stored)
	if _, err := s.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := s.seal(); err != nil {
		t.Fatal(err)
	}
	for size := 1; size <= stored.Len(); size++ {
		var u unsealer
		for piece := range slices.Chunk(stored.Bytes(), size) {
			u.add(piece)
		}
		if err := u.check(); err != nil {
			t.Errorf("in pieces of %d bytes: %v", size, err)
		}
	}
}

// A folder of another layout is no damaged one, and fsck leaves it alone.
func TestAnotherLayoutIsNotRepaired(t *testing.T) {
	l := furnished(t)
	overwrite(t, filepath.Join(l.dir, "README"), []byte("a cache of a later version\n"))
	overwrite(t, filepath.Join(l.dir, "VERSION"), []byte("3\n"))
	if _, err := OpenToCheck(t.Context(), l.dir); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("OpenToCheck = %v", err)
	}
}

// The notes of every store are read as well, and a store that fails is no damaged one.
func TestCheckTellsFailureFromDamage(t *testing.T) {
	failed := errors.New("connection reset")
	if _, _, err := Check(t.Context(), failingNotes{NewMemory(), failed}); !errors.Is(err, failed) {
		t.Errorf("Check = %v", err)
	}
}

type failingNotes struct {
	*Memory
	err error
}

func (f failingNotes) Notes(_ context.Context, _ string, visit func(string) error) error {
	return visit("runs/r1/record")
}
func (f failingNotes) Note(context.Context, string) ([]byte, bool, error) { return nil, false, f.err }
