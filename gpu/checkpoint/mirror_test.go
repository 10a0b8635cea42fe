package checkpoint

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

// A mirror's etags need not be git's checksums.
func TestMirrorsMayNameContentsDifferently(t *testing.T) {
	plain := func(data []byte) string { sum := sha1.Sum(data); return hex.EncodeToString(sum[:]) }
	opaque := func(data []byte) string { sum := md5.Sum(data); return hex.EncodeToString(sum[:]) + "-1" }
	const name = "tokenizer.json"
	for what, etag := range map[string]func([]byte) string{"SHA-1 of the bytes": plain, "no checksum": opaque} {
		f := newFakeHub(t, model(t))
		f.etag = etag
		f.cut[name] = 5
		c, err := Open(t.Context(), testID, f.options())
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		got, err := c.File(name)
		if want := f.files[name].Data; string(got) != string(want) || err != nil {
			t.Errorf("%s: %s = %q, %v; want %q", what, name, got, err, want)
		}
		if _, err := os.Stat(f.cacheFile("blobs", etag(f.files[name].Data))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		c.Close()
	}
	f := newFakeHub(t, model(t))
	f.etag = plain
	f.files[name].Data = []byte("lower case")
	f.damage[name] = true
	if _, err := Open(t.Context(), testID, f.options()); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("damaged: %v", err)
	}
	for _, etag := range []string{"", "../../up", ".hidden", "a/b"} {
		f := newFakeHub(t, model(t))
		f.etag = func([]byte) string { return etag }
		if _, err := Open(t.Context(), testID, f.options()); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "gives no checksum for config.json") {
			t.Errorf("etag %q: %v", etag, err)
		}
	}
}

func TestMirrorsMayNameCommitsDifferently(t *testing.T) {
	f := newFakeHub(t, model(t))
	f.commit = "release-1.0"
	c, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := os.Stat(f.cacheFile("snapshots", f.commit, "config.json")); err != nil {
		t.Error(err)
	}
	if c, err = Open(t.Context(), testID, Options{Offline: true}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, commit := range []string{"", "..", "../../up", "a/b"} {
		f := newFakeHub(t, model(t))
		f.commit = commit
		if _, err := Open(t.Context(), testID, f.options()); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "names no commit") {
			t.Errorf("commit %q: %v", commit, err)
		}
	}
}

func TestABusyHubIsAskedAgain(t *testing.T) {
	f := newFakeHub(t, model(t))
	f.busy["config.json"] = tries - 1
	c, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	f = newFakeHub(t, model(t))
	f.busy["config.json"] = tries
	if _, err := Open(t.Context(), testID, f.options()); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "download config.json: "+f.hub.URL+" answers 503") {
		t.Errorf("always busy: %v", err)
	}
}

func TestTheCacheLiesWhereAnOldPythonPutsIt(t *testing.T) {
	f := newFakeHub(t, model(t))
	dir := t.TempDir()
	t.Setenv("HUGGINGFACE_HUB_CACHE", dir)
	c, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := os.Stat(dir + "/models--some-owner--Some-Model.v1/refs/main"); err != nil {
		t.Error(err)
	}
}
