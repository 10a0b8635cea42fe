package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func openTemp(t testing.TB) *local {
	t.Helper()
	l, err := openLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func put(t testing.TB, s Store, content string) Digest {
	t.Helper()
	d, _, err := s.Create(t.Context(), func(w io.Writer) error { _, err := io.WriteString(w, content); return err })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// overwrite replaces a stored, read-only file's bytes, as a failing disk would.
func overwrite(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, content, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesWhatIsNoCache(t *testing.T) {
	dir := t.TempDir()
	if _, err := openLocal(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := openLocal(dir); err != nil {
		t.Errorf("opening a second time: %v", err)
	}
	overwrite(t, filepath.Join(dir, "VERSION"), []byte("2\n"))
	if _, err := openLocal(dir); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), filepath.Join(dir, "VERSION")) {
		t.Errorf("a VERSION that the README contradicts: %v, want ErrCorrupt naming the file", err)
	}
	overwrite(t, filepath.Join(dir, "README"), []byte("a cache of version 2\n"))
	if _, err := openLocal(dir); err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), `"2"`) {
		t.Errorf("another version: %v", err)
	}
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "thesis.tex"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := openLocal(home); err == nil || !strings.Contains(err.Error(), "thesis.tex") {
		t.Errorf("somebody's folder: %v", err)
	}
	if _, err := openLocal(filepath.Join(home, "thesis.tex", "cache")); err == nil {
		t.Error("a folder inside a file was opened")
	}
}

// I1, I2, I4: what is in the folder is named, complete and read-only, and tmp/ is empty.
func TestFilesAreWhatTheDocumentSays(t *testing.T) {
	l := openTemp(t)
	d := put(t, l, "content")
	r := NewRecipe("k", 1)
	if err := l.Commit(t.Context(), r, []Output{{Name: "o", Kind: "k", Digest: d, Bytes: 7}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		filepath.Join(l.dir, "blobs", d.String()[:2], d.String()+".zst"),
		filepath.Join(l.dir, "actions", r.Key().String()[:2], r.Key().String()),
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o444 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(l.dir, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("tmp/ holds %v, %v", left, err)
	}
	record, err := os.ReadFile(l.actionPath(r.Key()))
	if err != nil {
		t.Fatal(err)
	}
	body := "action 1\nrecipe 21\nkind 1:k\nversion 1:1\noutput o k " + d.String() + " 7 0\n"
	if want := body + "sum " + Sum([]byte(body)).String() + "\n"; string(record) != want {
		t.Errorf("record %q, want %q", record, want)
	}
}

// I5 for blobs: every single damaged byte, every cut and every addition is reported, by
// Open, Read and Check, and the file stays.
func TestDamagedBlobsAreReported(t *testing.T) {
	l := openTemp(t)
	content := strings.Repeat("residual stream ", 8)
	d := put(t, l, content)
	path := l.blobPath(d)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, append(bytes.Clone(whole), 0), append(bytes.Clone(whole), whole...), make([]byte, 1000)}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		damaged = append(damaged, flipped, whole[:i])
	}
	for _, file := range damaged {
		overwrite(t, path, file)
		got, err := l.Read(t.Context(), d)
		if err == nil && string(got) == content {
			if cut := len(whole) - len(file); cut != sealBytes && cut != sealBytes-1 && cut != -1 {
				t.Errorf("%x is read as whole", file)
			}
			continue // the file lost its seal, as those of earlier versions have none, or has a byte behind it
		}
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Fatalf("%x: Read = %q, %v; want ErrCorrupt naming the file", file, got, err)
		}
		found, total, err := Check(t.Context(), l)
		if err != nil || total.Damaged != 1 || len(found) != 1 || found[0].What != DamagedBlob || found[0].Digest != d || !errors.Is(found[0].Err, ErrCorrupt) {
			t.Errorf("Check = %+v, %+v, %v", found, total, err)
		}
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, file) {
			t.Errorf("the damaged file was touched: %v", err)
		}
	}
}

// A frame whose header asks for a gigantic window, and one that expands without end, must
// cost no more memory than honest ones.
func TestHostileFramesStayBounded(t *testing.T) {
	l := openTemp(t)
	d := put(t, l, "x")
	frame := []byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xFF} // magic, no flags, window of 2^41+
	overwrite(t, l.blobPath(d), append(frame, 0x01, 0, 0))
	if _, err := l.Read(t.Context(), d); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a window of terabytes: %v", err)
	}
	bomb := []byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, 7 << 3} // window of 128 KiB
	for i := range 1024 {                                // 1,024 runs of 128 KiB are 128 MiB
		header := uint32(128<<10)<<3 | 1<<1
		if i == 1023 {
			header |= 1 // the last block
		}
		bomb = append(bomb, byte(header), byte(header>>8), byte(header>>16), 'z')
	}
	overwrite(t, l.blobPath(d), bomb)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := l.Read(t.Context(), d); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("128 MiB of z: %v", err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 100<<20 {
		t.Errorf("reading it took %d MiB", allocated>>20)
	}
}

// I5 for actions.
func TestDamagedActionsAreReported(t *testing.T) {
	l := openTemp(t)
	r := NewRecipe("fit", 1).Float("lambda", 0.1)
	if err := l.Commit(t.Context(), r, []Output{{Name: "map", Kind: "m", Digest: put(t, l, "w"), Bytes: 1, Rows: 12}}); err != nil {
		t.Fatal(err)
	}
	path := l.actionPath(r.Key())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1
		for _, record := range [][]byte{flipped, whole[:i]} {
			overwrite(t, path, record)
			if _, ok, err := l.Lookup(t.Context(), r.Key()); ok || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Fatalf("byte %d: Lookup = %t, %v; want ErrCorrupt naming the file", i, ok, err)
			}
			if err := l.Commit(t.Context(), r, nil); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("Commit over damage = %v", err)
			}
		}
	}
	found, total, err := Check(t.Context(), l)
	if err != nil || total.Damaged != 1 || len(found) != 1 || found[0].What != DamagedAction || found[0].Key != r.Key() {
		t.Errorf("Check = %+v, %+v, %v", found, total, err)
	}
	// A record of another key is damage too, though it is whole.
	overwrite(t, path, whole)
	other := NewRecipe("fit", 2).Key()
	if err := errors.Join(os.MkdirAll(filepath.Dir(l.actionPath(other)), 0o777), os.WriteFile(l.actionPath(other), whole, 0o444)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Lookup(t.Context(), other); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a record under another key: %v", err)
	}
}

// Whatever lies where a blob should: its content is what the name says, or it is damage.
func FuzzReadBlob(f *testing.F) {
	const content = "residual stream, residual stream"
	m := NewMemory()
	d := put(f, m, content)
	f.Add(m.blobs[d])
	f.Add(append(bytes.Clone(m.blobs[d]), m.blobs[d]...))
	f.Add([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xFF, 1, 0, 0})
	f.Fuzz(func(t *testing.T, stored []byte) {
		m := NewMemory()
		m.blobs[d] = stored
		if got, err := m.Read(t.Context(), d); err == nil && string(got) != content || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: Read = %q, %v", stored, got, err)
		}
	})
}

func FuzzDecodeAction(f *testing.F) {
	r := NewRecipe("fit", 1).Text("odd", "output a b\n")
	whole, err := EncodeAction(r.String(), []Output{{Name: "a", Kind: "b", Digest: Digest{1}, Bytes: 3, Rows: 4}})
	if err != nil {
		f.Fatal(err)
	}
	sum := Sum
	body := whole[:len(whole)-69]
	f.Add(body)
	f.Add([]byte("action 1\nrecipe 99\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// The sum is added here: a fuzzer cannot find it.
		record := append(bytes.Clone(body), "sum "+sum(body).String()+"\n"...)
		a, err := DecodeAction(r.Key(), record)
		if err != nil {
			return
		}
		again, err := EncodeAction(a.Recipe, a.Outputs)
		if err != nil || !bytes.Equal(again, record) {
			t.Errorf("%q was read as %+v", record, a)
		}
	})
}

// An action whose blob was deleted is a miss, and is committed anew, even with other bytes.
func TestDeletedBlobsAreMisses(t *testing.T) {
	l := openTemp(t)
	r := NewRecipe("generate", 1)
	first := Output{Name: "o", Kind: "k", Digest: put(t, l, "first"), Bytes: 5}
	second := Output{Name: "o", Kind: "k", Digest: put(t, l, "second"), Bytes: 6}
	if err := l.Commit(t.Context(), r, []Output{first}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(l.blobPath(first.Digest)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := l.Lookup(t.Context(), r.Key()); ok || err != nil {
		t.Errorf("Lookup = %t, %v; want a miss", ok, err)
	}
	found, total, err := Check(t.Context(), l)
	if err != nil || total.Damaged != 0 || len(found) != 1 || found[0].What != Absent || found[0].Digest != first.Digest || found[0].Key != r.Key() {
		t.Errorf("Check = %+v, %+v, %v", found, total, err)
	}
	if err := l.Commit(t.Context(), r, []Output{second}); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := l.Lookup(t.Context(), r.Key()); !ok || err != nil || got[0] != second {
		t.Errorf("Lookup = %v, %t, %v", got, ok, err)
	}
}

// README tells people that they may delete any file; they will delete whole folders.
func TestDeletedFoldersCostOnlyTime(t *testing.T) {
	for _, sub := range []string{"actions", "blobs", "recent", "runs", "tmp"} {
		l := openTemp(t)
		do := func(l *local) (hit bool) {
			_, hit, err := compute(t.Context(), l, NewRecipe("k", 1), content())
			if err == nil {
				err = Remember(t.Context(), l, "name", NewRecipe("k", 1).Key())
			}
			if err != nil {
				t.Errorf("without %s: %v", sub, err)
			}
			return hit
		}
		do(l)
		if err := os.RemoveAll(filepath.Join(l.dir, sub)); err != nil {
			t.Fatal(err)
		}
		again, err := openLocal(l.dir)
		if err != nil {
			t.Fatal(err)
		}
		if hit, want := do(again), sub != "actions" && sub != "blobs"; hit != want {
			t.Errorf("without %s: hit %t, want %t", sub, hit, want)
		}
		if err := os.WriteFile(filepath.Join(l.dir, "blobs", ".DS_Store"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		wholeOrAbsent(t, again, "without "+sub)
	}
}

// Some file systems have no links and say so before they say that the name is taken.
func TestAFileSystemWithoutLinksWorks(t *testing.T) {
	l := openTemp(t)
	l.link = func(_, name string) error { return &os.LinkError{Op: "link", New: name, Err: errors.ErrUnsupported} }
	for range 2 {
		d := put(t, l, "content")
		out := []Output{{Name: "o", Kind: "k", Digest: d, Bytes: 7}}
		if err := l.Commit(t.Context(), NewRecipe("k", 1), out); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := l.Lookup(t.Context(), NewRecipe("k", 1).Key()); !ok || err != nil || got[0] != out[0] {
			t.Errorf("Lookup = %v, %t, %v", got, ok, err)
		}
	}
	wholeOrAbsent(t, l, "without links")
	if left, _ := os.ReadDir(filepath.Join(l.dir, "tmp")); len(left) != 0 {
		t.Errorf("tmp/ holds %v", left)
	}
}

// A failed write is reported once, on one line.
func TestAWriteThatFailsIsOneError(t *testing.T) {
	full := errors.New("no space left on device")
	_, _, err := EncodeBlob(t.Context(), failingWriter{full}, func(w io.Writer) error { w.Write(noise(4 << 20)); return nil })
	if err != full {
		t.Errorf("got %q, want %q", err, full)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// steps are those of writing a blob and of committing an action that names it, in their order: the names of the blob's
// folders are on the disk before the action has its own (I3).
var steps = []struct{ in, step string }{
	{"blob", "create"}, {"blob", "write"}, {"blob", "sync"}, {"blob", "close"}, {"blob", "rename"},
	{"commit", "write"}, {"commit", "sync"}, {"commit", "close"}, {"commit", "sync dir"}, {"commit", "rename"},
}

func TestStepsAreInTheirOrder(t *testing.T) {
	l := openTemp(t)
	var reached []string
	l.reached = func(name string) error {
		reached = append(reached, name)
		if name == "sync dir" && len(l.debt.folders) > 0 {
			t.Errorf("%v are not synced", l.debt.folders)
		}
		return nil
	}
	if _, _, err := compute(t.Context(), l, NewRecipe("k", 1), content()); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range steps {
		want = append(want, s.step)
	}
	if !slices.Equal(reached, want) {
		t.Errorf("steps %q, want %q", reached, want)
	}
	if last := filepath.Dir(l.actionPath(NewRecipe("k", 1).Key())); !l.debt.folders[last] {
		t.Errorf("the record's folder is not owed: %v", l.debt.folders)
	}
	reached = nil
	if _, _, err := l.Create(t.Context(), func(w io.Writer) error { _, err := w.Write(content()); return err }); err != nil || !slices.Equal(reached, []string{"create", "write"}) {
		t.Errorf("a blob that is there takes the steps %q, %v", reached, err)
	}
	if err := l.SetNote(t.Context(), "runs/r/record", nil); err != nil || len(l.debt.folders) > 0 {
		t.Errorf("after a note %v are not synced, %v", l.debt.folders, err)
	}
}

// A write that fails at any step leaves nothing half done: blob and action are whole or absent, and
// tmp/ is empty.
func TestFailureAtEachStepLeavesNoHalf(t *testing.T) {
	for _, s := range steps {
		l := openTemp(t)
		cause := errors.New("disk full")
		at := func(in, name string) error {
			if in == s.in && name == s.step {
				return cause
			}
			return nil
		}
		in := "blob"
		l.reached = func(name string) error {
			err := at(in, name)
			if name == "rename" {
				in = "commit"
			}
			return err
		}
		if _, _, err := compute(t.Context(), l, NewRecipe("k", 1), content()); !errors.Is(err, cause) {
			t.Errorf("%v: %v", s, err)
		}
		l.reached = nil
		wholeOrAbsent(t, l, s.step)
		if left, _ := os.ReadDir(filepath.Join(l.dir, "tmp")); len(left) != 0 {
			t.Errorf("%v: tmp/ holds %v", s, left)
		}
		if _, _, err := compute(t.Context(), l, NewRecipe("k", 1), content()); err != nil {
			t.Errorf("%v: the next write: %v", s, err)
		}
	}
}

func wholeOrAbsent(t *testing.T, l *local, step string) {
	t.Helper()
	found, _, err := Check(t.Context(), l)
	if slices.ContainsFunc(found, func(f Finding) bool { return f.What != Garbage && f.What != Foreign }) || err != nil {
		t.Errorf("%s: Check = %+v, %v", step, found, err)
	}
}

// TestKillAtEachStepLeavesNoHalf runs this test's own binary and has it killed, without any
// chance to clean up, at each step of writing a blob and then of committing an action (I2,
// I3). What is left is whole or absent, and the next process finishes the work.
func TestKillAtEachStepLeavesNoHalf(t *testing.T) {
	if dir := os.Getenv("CACHE_TEST_KILL_DIR"); dir != "" {
		writeAndDie(t, dir, os.Getenv("CACHE_TEST_KILL_STEP"), os.Getenv("CACHE_TEST_KILL_IN") == "commit")
		return
	}
	for _, s := range steps {
		dir := t.TempDir()
		child := exec.Command(os.Args[0], "-test.run=^TestKillAtEachStepLeavesNoHalf$")
		child.Env = append(os.Environ(), "CACHE_TEST_KILL_DIR="+dir, "CACHE_TEST_KILL_STEP="+s.step, "CACHE_TEST_KILL_IN="+s.in)
		out, err := child.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("%v: the child was not killed: %v\n%s", s, err, out)
		}
		l, err := openLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		wholeOrAbsent(t, l, s.in+", "+s.step)
		if _, _, err := compute(t.Context(), l, NewRecipe("k", 1), content()); err != nil {
			t.Errorf("%v: the next process: %v", s, err)
		}
		wholeOrAbsent(t, l, s.in+", "+s.step)
	}
}

func content() []byte { return []byte(strings.Repeat("content ", 1000)) }

// compute looks an action up, or stores content as its one output.
func compute(ctx context.Context, s Store, r *Recipe, content []byte) (out Output, hit bool, err error) {
	outputs, hit, err := s.Lookup(ctx, r.Key())
	if err != nil {
		return out, false, err
	}
	if hit {
		return outputs[0], true, nil
	}
	out = Output{Name: "o", Kind: "k", Rows: 1}
	out.Digest, out.Bytes, err = s.Create(ctx, func(w io.Writer) error { _, err := w.Write(content); return err })
	if err != nil {
		return out, false, err
	}
	return out, false, s.Commit(ctx, r, []Output{out})
}

func writeAndDie(t *testing.T, dir, step string, inCommit bool) {
	l, err := openLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	installed := false
	l.reached = func(name string) error {
		if name == step && installed == inCommit {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			time.Sleep(time.Minute) // until the signal arrives
			return err
		}
		installed = installed || name == "rename"
		return nil
	}
	compute(t.Context(), l, NewRecipe("k", 1), content())
	t.Fatal("survived")
}

// I6: several processes at once compute the same actions in one folder.
func TestProcessesShareAFolder(t *testing.T) {
	if dir := os.Getenv("CACHE_TEST_SHARE_DIR"); dir != "" {
		shareWork(t, dir)
		return
	}
	dir := t.TempDir()
	var children []*exec.Cmd
	for range 4 {
		child := exec.Command(os.Args[0], "-test.run=^TestProcessesShareAFolder$")
		child.Env = append(os.Environ(), "CACHE_TEST_SHARE_DIR="+dir)
		child.Stdout, child.Stderr = os.Stderr, os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, child)
	}
	for _, child := range children {
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}
	l, err := openLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	found, total, err := Check(t.Context(), l)
	if err != nil || total.Actions != 10 || total.Blobs != 10 || len(found) > 0 {
		t.Errorf("Check = %+v, %+v, %v; want 10 actions and blobs", found, total, err)
	}
}

func shareWork(t *testing.T, dir string) {
	l, err := openLocal(dir) // several processes may be laying it out at once
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		content := bytes.Repeat([]byte{byte(i)}, 20000)
		out, _, err := compute(t.Context(), l, NewRecipe("k", i), content)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.Read(t.Context(), out.Digest); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
	}
}

func TestOldGarbageIsSwept(t *testing.T) {
	l := openTemp(t)
	fresh, stale := filepath.Join(l.dir, "tmp", "fresh"), filepath.Join(l.dir, "tmp", "stale")
	past := time.Now().Add(-2 * staleAfter)
	if err := errors.Join(os.WriteFile(fresh, nil, 0o666), os.WriteFile(stale, nil, 0o666), os.Chtimes(stale, past, past)); err != nil {
		t.Fatal(err)
	}
	if _, err := openLocal(l.dir); err != nil {
		t.Fatal(err)
	}
	if ok, _ := exists(fresh); !ok {
		t.Error("another process's file was removed")
	}
	if ok, _ := exists(stale); ok {
		t.Error("garbage was kept")
	}
}

// A clock that jumps ahead makes every file look old. What is being written must not be taken for garbage.
func TestAClockThatJumpsTakesNoUnfinishedFile(t *testing.T) {
	l := openTemp(t)
	ahead := &local{dir: l.dir, link: os.Link, now: func() time.Time { return time.Now().Add(1000 * staleAfter) }}
	abandoned := filepath.Join(l.dir, "tmp", "abandoned")
	if err := os.WriteFile(abandoned, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	d, _, err := l.Create(t.Context(), func(w io.Writer) error {
		ahead.sweep()
		_, err := io.WriteString(w, "content")
		return err
	})
	if err != nil {
		t.Fatalf("Create while the clock jumped: %v", err)
	}
	if got, err := l.Read(t.Context(), d); string(got) != "content" || err != nil {
		t.Errorf("Read = %q, %v", got, err)
	}
	if ok, _ := exists(abandoned); ok {
		t.Error("garbage was kept")
	}
	behind := &local{dir: l.dir, link: os.Link, now: func() time.Time { return time.Time{} }}
	behind.sweep() // takes nothing, and does not mind
}

// I5 for notes: every damaged byte and every cut is reported; to explain with, such a note is as good as none.
func TestDamagedNotesAreReported(t *testing.T) {
	l := openTemp(t)
	r := NewRecipe("k", 1)
	if err := errors.Join(l.Commit(t.Context(), r, nil), Remember(t.Context(), l, "fit", r.Key())); err != nil {
		t.Fatal(err)
	}
	path := l.notePath(recent("fit"))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{whole[:len(whole)-1], {}, append(slices.Clone(whole), '\n')}
	for i := range whole {
		flipped := slices.Clone(whole)
		flipped[i] ^= 1
		damaged = append(damaged, flipped)
	}
	for _, b := range damaged {
		if err := errors.Join(os.Remove(path), os.WriteFile(path, b, 0o444)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Note(t.Context(), recent("fit")); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Fatalf("Note of %q = %v, want ErrCorrupt with the file's name", b, err)
		}
		if _, ok, err := Recall(t.Context(), l, "fit"); ok || err != nil {
			t.Fatalf("Recall of %q = %t, %v", b, ok, err)
		}
	}
}

// Notes of a run come and go in folders that go with the last of them, while others are being set there.
func TestNotesOfOneFolderComeAndGo(t *testing.T) {
	l := openTemp(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("runs/r/units/%d", i)
			for range 50 {
				if err := l.SetNote(t.Context(), name, []byte(name)); err != nil {
					t.Error(err)
				}
				if text, ok, err := l.Note(t.Context(), name); string(text) != name || !ok || err != nil {
					t.Errorf("Note(%s) = %q, %t, %v", name, text, ok, err)
				}
				if err := l.RemoveNote(t.Context(), name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if left, err := os.ReadDir(filepath.Join(l.dir, "runs")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The reader must not take a failing disk for damage: the remedy is another one.
func TestDiskErrorsAreNotDamage(t *testing.T) {
	cause := errors.New("input/output error")
	r := DecodeBlob(t.Context(), failing{cause}, "somewhere", Sum(nil))
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, cause) || errors.Is(err, ErrCorrupt) {
		t.Errorf("Read = %v, want %v", err, cause)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (f failing) Close() error             { return nil }

func BenchmarkCreate(b *testing.B) {
	for _, c := range []struct {
		name    string
		content []byte
	}{{"small", make([]byte, 4<<10)}, {"noise", noise(8 << 20)}} {
		b.Run(c.name, func(b *testing.B) {
			l := openTemp(b)
			b.SetBytes(int64(len(c.content)))
			i := uint64(0)
			for b.Loop() {
				i++
				binary.LittleEndian.PutUint64(c.content, i)
				if _, _, err := l.Create(b.Context(), func(w io.Writer) error { _, err := w.Write(c.content); return err }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	l := openTemp(b)
	d := put(b, l, string(noise(8<<20)))
	b.SetBytes(8 << 20)
	for b.Loop() {
		if _, err := l.Read(b.Context(), d); err != nil {
			b.Fatal(err)
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	state := uint64(1)
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte(state >> 56)
	}
	return b
}
