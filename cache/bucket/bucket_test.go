package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/cache/bucket/s3test"
	"github.com/persona-transfer/runpipeline/cache/cachetest"
)

var places atomic.Int64

// memoryAt gives a location in memory that no other test has.
func memoryAt(folder string) string { return fmt.Sprintf("mem://place-%d%s", places.Add(1), folder) }

func mustOpen(t testing.TB, location string) cache.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBucketIsAStore holds buckets in memory, with a folder and without, to the promises of every store.
func TestBucketIsAStore(t *testing.T) {
	for _, folder := range []string{"", "/a/folder"} {
		t.Run("folder="+folder, func(t *testing.T) {
			cachetest.Run(t, func(t *testing.T) cache.Store { return mustOpen(t, memoryAt(folder)) })
		})
	}
}

// TestS3IsAStore does the same on a server that speaks S3.
func TestS3IsAStore(t *testing.T) {
	server := s3test.Start(t)
	server.Setenv(t)
	n := 0
	cachetest.Run(t, func(t *testing.T) cache.Store {
		n++
		return mustOpen(t, server.Location(fmt.Sprint("store-", n)))
	})
}

// fill stores two blobs, an action and a note, and gives the digest of the longer blob, which is sent in parts
// and from a file.
func fill(t *testing.T, s cache.Store) (cache.Digest, []byte) {
	t.Helper()
	long := noise(12 << 20)
	d := cachetest.Put(t, s, long)
	short := cachetest.Put(t, s, []byte("short"))
	if err := s.Commit(t.Context(), recipe, []cache.Output{{Name: "long", Kind: "k", Digest: d, Bytes: 12 << 20}, {Name: "short", Kind: "k", Digest: short, Bytes: 5}}); err != nil {
		t.Fatal(err)
	}
	if err := cache.Remember(t.Context(), s, "fit/1", recipe.Key()); err != nil {
		t.Fatal(err)
	}
	return d, long
}

var recipe = cache.NewRecipe("fit", 1).Text("method", "ridge")

func noise(n int) []byte {
	b, state := make([]byte, n), uint64(n)
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte(state >> 56)
	}
	return b
}

// holds checks that a store has what fill has put somewhere.
func holds(t *testing.T, s cache.Store) {
	t.Helper()
	long := noise(12 << 20)
	if got, err := s.Read(t.Context(), cache.Sum(long)); err != nil || !bytes.Equal(got, long) {
		t.Errorf("Read = %d bytes, %v", len(got), err)
	}
	if outputs, ok, err := s.Lookup(t.Context(), recipe.Key()); len(outputs) != 2 || !ok || err != nil {
		t.Errorf("Lookup = %v, %t, %v", outputs, ok, err)
	}
	if text, ok, err := cache.Recall(t.Context(), s, "fit/1"); text != recipe.String() || !ok || err != nil {
		t.Errorf("Recall = %q, %t, %v", text, ok, err)
	}
	found, total, err := cache.Check(t.Context(), s)
	if len(found) > 0 {
		t.Errorf("Check found %v", found)
	}
	if err != nil || total.Actions != 1 || total.Blobs != 2 || total.Content != 12<<20+5 {
		t.Errorf("Check = %+v, %v", total, err)
	}
}

// TestFolderAndBucketAreOneLayout copies a store in a folder into a bucket, object for file, and a bucket into a
// folder, and opens what has come of it.
func TestFolderAndBucketAreOneLayout(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	fill(t, mustOpen(t, dir))
	copied, made := memoryAt(""), memoryAt("")
	b := memory(strings.TrimPrefix(copied, "mem://"))
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		name := filepath.ToSlash(rel)
		if files[name], err = os.ReadFile(path); err != nil {
			return err
		}
		return b.WriteAll(ctx, "x/y/"+name, files[name], nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, mustOpen(t, copied+"/x/y"))

	fill(t, mustOpen(t, made))
	back, objects := t.TempDir(), 0
	b = memory(strings.TrimPrefix(made, "mem://"))
	for list := b.List(nil); ; objects++ {
		o, err := list.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := b.ReadAll(ctx, o.Key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(content, files[o.Key]) {
			t.Errorf("%s: %d bytes in the bucket, %d in the folder", o.Key, len(content), len(files[o.Key]))
		}
		path := filepath.Join(back, filepath.FromSlash(o.Key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, content, 0o444)); err != nil {
			t.Fatal(err)
		}
	}
	if objects != len(files) || objects < 6 {
		t.Errorf("%d objects, %d files", objects, len(files))
	}
	holds(t, mustOpen(t, back))
}

// TestS3FilesAreAFolderStore opens what the server has written as a store in a folder, and damages it there: what
// is wrong at rest is found and named, and is no broken connection.
func TestS3FilesAreAFolderStore(t *testing.T) {
	server := s3test.Start(t)
	server.Setenv(t)
	s := mustOpen(t, server.Location("deep/folder"))
	d, _ := fill(t, s)
	fill(t, s) // again
	holds(t, s)
	dir := filepath.Join(server.Folder, s3test.Bucket, "deep", "folder")
	holds(t, mustOpen(t, dir))

	path := filepath.Join(dir, filepath.FromSlash(cache.BlobName(d)))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 4
	if err := errors.Join(os.Remove(path), os.WriteFile(path, content, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), d); !errors.Is(err, cache.ErrCorrupt) || !strings.Contains(err.Error(), "s3://artifacts/deep/folder/"+cache.BlobName(d)) {
		t.Errorf("Read of a damaged blob = %v", err)
	}
	_, total, err := cache.Check(t.Context(), s)
	if err != nil || total.Damaged != 1 {
		t.Errorf("Check = %+v, %v", total, err)
	}
}

// TestOpeningABucketLeavesNothing: a plan only looks.
func TestOpeningABucketLeavesNothing(t *testing.T) {
	at := memoryAt("/folder")
	s := mustOpen(t, at)
	if _, ok, err := s.Lookup(t.Context(), recipe.Key()); ok || err != nil {
		t.Errorf("Lookup = %t, %v", ok, err)
	}
	if found, _, err := cache.Check(t.Context(), s); err != nil || len(found) > 0 {
		t.Error(err)
	}
	b := s.(*store).bucket
	if o, err := b.List(nil).Next(t.Context()); err != io.EOF {
		t.Fatalf("the bucket has %v, %v", o, err)
	}
	cachetest.Put(t, s, []byte("x"))
	for _, name := range []string{"README", "VERSION"} {
		if ok, err := b.Exists(t.Context(), "folder/"+name); !ok || err != nil {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
	mustOpen(t, at)
}

func TestOtherPlacesAreRefused(t *testing.T) {
	for want, objects := range map[string]map[string]string{
		`it holds "holiday.jpg" and is no cache`:      {"folder/holiday.jpg": "x"},
		`it holds "thesis" and is no cache`:           {"folder/blobs/3f/x": "x", "folder/thesis/chapter.tex": "x"},
		`its version is "2", this program writes "1"`: {"folder/VERSION": "2\n"},
		`its version is "1 or so", this program`:      {"folder/VERSION": "1 or so"},
		"":                                            {"folder/blobs/3f/x": "x", "folders/thesis": "x", "thesis": "x"}, // its VERSION was deleted; the rest is elsewhere
	} {
		name := strings.TrimPrefix(memoryAt(""), "mem://")
		for key, text := range objects {
			if err := memory(name).WriteAll(t.Context(), key, []byte(text), nil); err != nil {
				t.Fatal(err)
			}
		}
		_, err := cache.Open(t.Context(), "mem://"+name+"/folder")
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), "open cache mem://"+name+"/folder: "+want)) {
			t.Errorf("Open = %v, want %q", err, want)
		}
	}
}

// TestLocationsWithSecretsAreRefused also looks that the message says nothing of them.
func TestLocationsWithSecretsAreRefused(t *testing.T) {
	for _, location := range []string{
		"s3://AKIA:hunter2@bucket/folder", "s3://AKIA:hun/ter2@bucket/folder", "s3://hunter2@bucket",
		"s3://bucket/folder?secret=hunter2", "s3://bucket?region=x&aws_secret_access_key=hunter2", "s3://bucket?hunter2",
		"s3://bucket?region=x;hunter2", "s3://bucket?endpoint=https://me:hunter2@host", "s3://bucket?endpoint=https://host/?key=hunter2", "s3://bucket?endpoint=hunter2",
		"gs://bucket?private_key_path=hunter2", "gs://bucket?access_id=hunter2", "azblob://box?sas=hunter2", "mem://name?hunter2=1",
		"s3://bucket/folder#hunter2", "s3://bucket/folder/%zz?hunter2",
	} {
		_, err := cache.Open(t.Context(), location)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") || !strings.HasPrefix(err.Error(), "open cache ") {
			t.Errorf("Open(%q) = %v", location, err)
		}
	}
	for _, location := range []string{"s3://", "s3:///folder", "s3://bucket/a//b", "s3://bucket/../b", "s3://bucket/./b", "s3://bucket:80/b", `s3://bucket/a\b`, "s3://bucket?region=a&region=b"} {
		if _, err := cache.Open(t.Context(), location); err == nil {
			t.Errorf("Open(%q) gave a store", location)
		}
	}
}

// TestBucketsThatCannotBeReached looks at the errors of open: one line, with the place, the cause, and no secret.
func TestBucketsThatCannotBeReached(t *testing.T) {
	server := s3test.Start(t)
	server.Setenv(t)
	check := func(t *testing.T, location, want string) {
		t.Helper()
		_, err := cache.Open(t.Context(), location)
		if err == nil || !strings.HasPrefix(err.Error(), "open cache "+cache.Shown(location)) || strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 400 {
			t.Errorf("Open(%q) = %v", location, err)
			return
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), server.Secret) {
			t.Errorf("Open(%q) = %v, want %q", location, err, want)
		}
	}
	check(t, server.At("elsewhere", "folder"), "NoSuchBucket: ")
	t.Run("another secret", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "another-"+server.Secret)
		check(t, server.Location("folder"), "SignatureDoesNotMatch: ")
	})
	t.Run("another key", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
		check(t, server.Location("folder"), "No user exists with the provided access key ID")
	})
	t.Run("no credentials", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
		check(t, server.Location("folder"), "credentials")
	})
	s := mustOpen(t, server.Location("folder"))
	d := cachetest.Put(t, s, []byte("content"))
	server.Stop()
	check(t, server.Location("folder"), "connection refused")
	for name, err := range attempts(t.Context(), s, d) {
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, cache.ErrCorrupt) || !strings.Contains(err.Error(), "s3://artifacts/folder/") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s without a server = %v", name, err)
		}
	}
}

// attempts tries methods once, side by side because each is tried again for seconds, and gives their errors.
func attempts(ctx context.Context, s cache.Store, d cache.Digest) map[string]error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := map[string]error{}
	for name, call := range map[string]func() error{
		"Create": func() error {
			_, _, err := s.Create(ctx, func(w io.Writer) error { _, err := w.Write([]byte("new")); return err })
			return err
		},
		"Open":       func() error { _, err := s.Open(ctx, d); return err },
		"Read":       func() error { _, err := s.Read(ctx, d); return err },
		"Has":        func() error { _, err := s.Has(ctx, d); return err },
		"Commit":     func() error { return s.Commit(ctx, recipe, nil) },
		"Lookup":     func() error { _, _, err := s.Lookup(ctx, recipe.Key()); return err },
		"Blobs":      func() error { return s.Blobs(ctx, func(cache.Digest, int64) error { return nil }) },
		"SetNote":    func() error { return s.SetNote(ctx, "runs/1/record", nil) },
		"RemoveBlob": func() error { return s.RemoveBlob(ctx, d) },
	} {
		wg.Go(func() {
			err := call()
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	wg.Wait()
	return errs
}

// TestGoogleWithoutCredentials has an error of its own, and nothing on standard output.
func TestGoogleWithoutCredentials(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	out, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	old := os.Stdout
	os.Stdout = out
	_, err = cache.Open(t.Context(), "gs://bucket/folder")
	os.Stdout = old
	if err == nil || !strings.HasPrefix(err.Error(), "open cache gs://bucket/folder: ") || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("Open = %v", err)
	}
	if text, err := os.ReadFile(out.Name()); err != nil || len(text) > 0 {
		t.Errorf("standard output has %q, %v", text, err)
	}
}

// TestWhatCannotBeReachedIsNotAbsent has Google's storage say first that there is nothing, then that nothing may be
// seen, then nothing at all. gocloud.dev calls the second "not found".
func TestWhatCannotBeReachedIsNotAbsent(t *testing.T) {
	var forbidden, gone atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case forbidden.Load():
			http.Error(w, `{"error": {"code": 403, "message": "you may not see it"}}`, http.StatusForbidden)
		case strings.HasSuffix(r.URL.Path, "/o") && !gone.Load():
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"kind": "storage#objects"}`)
		default:
			http.Error(w, "no such object", http.StatusNotFound)
		}
	}))
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.Listener.Addr().String())
	s := mustOpen(t, "gs://bucket/folder")
	if ok, err := s.Has(t.Context(), cache.Digest{}); ok || err != nil {
		t.Errorf("Has = %t, %v", ok, err)
	}
	if _, ok, err := s.Lookup(t.Context(), recipe.Key()); ok || err != nil {
		t.Errorf("Lookup = %t, %v", ok, err)
	}
	gone.Store(true)
	if _, err := cache.Open(t.Context(), "gs://bucket/folder"); err == nil || err.Error() != "open cache gs://bucket/folder: there is no such bucket" {
		t.Errorf("Open where there is no bucket = %v", err)
	}
	forbidden.Store(true)
	if _, err := s.Has(t.Context(), cache.Digest{}); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "gs://bucket/folder/blobs/00/") {
		t.Errorf("Has of what may not be seen = %v", err)
	}
	if _, ok, err := s.Lookup(t.Context(), recipe.Key()); ok || err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "403") {
		t.Errorf("Lookup of what may not be seen = %t, %v", ok, err)
	}
	if _, err := cache.Open(t.Context(), "gs://bucket/folder"); err == nil || !strings.HasPrefix(err.Error(), "open cache gs://bucket/folder: ") {
		t.Errorf("Open of what may not be seen = %v", err)
	}
	server.Close()
	if _, _, err := s.Lookup(t.Context(), recipe.Key()); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Lookup without a server = %v", err)
	}
}

// TestLongBlobsLeaveNoFile looks into the temporary folder after a long blob, whole and broken off.
func TestLongBlobsLeaveNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := mustOpen(t, memoryAt(""))
	spilled := false
	for _, end := range []error{nil, errors.New("broken off")} {
		_, _, err := s.Create(t.Context(), func(w io.Writer) error {
			_, err := w.Write(noise(3 * inMemory))
			if err != nil {
				return err
			}
			files, err := os.ReadDir("/proc/self/fd")
			if err == nil {
				spilled = spilled || slices.ContainsFunc(files, func(e fs.DirEntry) bool {
					at, _ := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
					return strings.HasPrefix(at, dir)
				})
			}
			return end
		})
		if !errors.Is(err, end) {
			t.Errorf("Create = %v, want %v", err, end)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the temporary folder has %v, %v", left, err)
	}
	if _, err := os.Stat("/proc/self/fd"); err == nil && !spilled {
		t.Error("a long blob was kept in memory")
	}
}

// TestErrorsAreOneLineWithoutAddresses feeds short the kinds of texts that providers' libraries make.
func TestErrorsAreOneLineWithoutAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain",
		"Put \"https://x.blob.core.windows.net/box/a?sv=1&sig=hunter2\": EOF":     `Put "https://x.blob.core.windows.net/box/a": EOF`,
		"GET https://me:hunter2@host/a\n---\nRESPONSE 403: 403\nERROR CODE: Auth": "GET https://host/a --- RESPONSE 403: 403 ERROR CODE: Auth",
	} {
		if got := short(t.Context(), errors.New(text)); got.Error() != want {
			t.Errorf("short(%q) = %q", text, got)
		}
	}
	if got := short(t.Context(), errors.New(strings.Repeat("é", 1000))); len([]rune(got.Error())) != 301 {
		t.Errorf("a long text has %d letters", len([]rune(got.Error())))
	}
	cause := errors.New("cause")
	if !errors.Is(short(t.Context(), fmt.Errorf("x: %w", cause)), cause) {
		t.Error("the cause is lost")
	}
}
