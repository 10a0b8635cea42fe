package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// bigFolder is a folder whose weights are worth remembering, and the weights' path.
func bigFolder(t *testing.T) (dir, weights string) {
	t.Helper()
	dir = onDisk(t, fstest.MapFS{
		"config.json":       {Data: []byte("{}")},
		"model.safetensors": {Data: file(t, safetensors.Tensor{Name: "w", Shape: []int{bigFile / 4}, Data: make([]float32, bigFile/4)})},
	})
	weights = filepath.Join(dir, weightsFile)
	setTime(t, weights, time.Now().Add(-time.Hour))
	return dir, weights
}

func setTime(t *testing.T, name string, when time.Time) {
	t.Helper()
	if err := os.Chtimes(name, when, when); err != nil {
		t.Fatal(err)
	}
}

func digestOf(t *testing.T, dir string) string {
	t.Helper()
	c, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	digest, err := c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// overwrite changes the last byte of a file and keeps its size.
func overwrite(t *testing.T, name string, b byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt([]byte{b}, info.Size()-1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// That the digest is remembered shows in a change that size and time hide.
func TestRememberedDigestCountsOnlyWhileSizeAndTimeAreTheSame(t *testing.T) {
	dir, weights := bigFolder(t)
	info, err := os.Stat(weights)
	if err != nil {
		t.Fatal(err)
	}
	first := digestOf(t, dir)
	overwrite(t, weights, 1)
	setTime(t, weights, info.ModTime())
	if got := digestOf(t, dir); got != first {
		t.Error("the digest was not remembered")
	}
	setTime(t, weights, info.ModTime().Add(time.Nanosecond))
	second := digestOf(t, dir)
	if second == first {
		t.Error("a change of time was overlooked")
	}
	if err := os.Remove(memoryFile()); err != nil {
		t.Fatal(err)
	}
	if got := digestOf(t, dir); got != second {
		t.Error("without memory the digest is another")
	}
	if err := os.WriteFile(memoryFile(), []byte(`{"damaged`), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := digestOf(t, dir); got != second {
		t.Error("damaged memory changed the digest")
	}
}

func TestFreshFilesAreNotRemembered(t *testing.T) {
	dir, weights := bigFolder(t)
	setTime(t, weights, time.Now())
	digestOf(t, dir)
	raw, _ := os.ReadFile(memoryFile())
	var m memory
	if json.Unmarshal(raw, &m) == nil {
		for name := range m {
			if strings.HasPrefix(name, dir) {
				t.Errorf("%s was remembered", name)
			}
		}
	}
}

func TestDigestCoversEveryFileThatMatters(t *testing.T) {
	seen := map[string]string{}
	digest := func(fsys fstest.MapFS) string {
		c, err := OpenFS(fsys, "pair")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		d, err := c.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := digest(sharded(t))
	seen[base] = "nothing"
	for _, name := range append([]string{"model-00002-of-00002.safetensors"}, textFiles...) {
		fsys := sharded(t)
		if f, ok := fsys[name]; ok {
			changed := bytes.Clone(f.Data)
			if strings.HasSuffix(name, ".safetensors") {
				changed[len(changed)-1] ^= 1
			} else {
				changed = append(changed, ' ')
			}
			fsys[name] = &fstest.MapFile{Data: changed}
		} else {
			fsys[name] = &fstest.MapFile{Data: []byte("new")}
		}
		d := digest(fsys)
		if other, ok := seen[d]; ok {
			t.Errorf("changing %s gives the digest of changing %s", name, other)
		}
		seen[d] = name
	}
	fsys := sharded(t)
	fsys["README.md"].Data = []byte("another")
	if digest(fsys) != base {
		t.Error("README.md changed the digest")
	}
}

func TestDamagedFileOfTheHubsCacheIsFoundOut(t *testing.T) {
	f := newFakeHub(t, model(t))
	c, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	blob, err := filepath.EvalSymlinks(f.blobName("model-00001-of-00002.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, blob, 99)
	if _, err := c.Digest(); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "checksum") || !strings.Contains(err.Error(), "delete "+blob+": ") {
		t.Errorf("%v; want the advice to delete %s", err, blob)
	}
	// Doing so is enough.
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Digest(); err != nil {
		t.Error(err)
	}
}
