//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package checkpoint

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

// TestOnlyRegularFilesAreOpened puts a pipe, a socket, a device and a folder where each of a
// model's files should be. Opening a pipe waits for its other end.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	place := map[string]func(path string) error{
		"a pipe": func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a socket": func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		},
		"a device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o755) },
	}
	for kind, put := range place {
		for _, name := range []string{"config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "x.gguf", "x"} {
			t.Run(kind+" as "+name, func(t *testing.T) {
				dir, err := os.MkdirTemp("", "c") // short: a socket's name has at most 107 bytes
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(dir) })
				files := fstest.MapFS{"config.json": {Data: []byte("{}")}, "model.safetensors": {Data: raw("{}", 0)}}
				delete(files, name)
				if name == indexFile {
					delete(files, weightsFile)
				}
				if err := os.CopyFS(dir, files); err != nil {
					t.Fatal(err)
				}
				if err := put(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				ref := dir
				if strings.HasPrefix(name, "x") {
					if kind == "a folder" {
						return // a folder without .gguf in it is a model that lacks its files
					}
					ref = filepath.Join(dir, name)
				}
				done := make(chan error, 1)
				go func() {
					_, err := Open(t.Context(), ref, Options{})
					done <- err
				}()
				select {
				case err := <-done:
					if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), name+": "+kind+", want a file") {
						t.Errorf("%v; want %q", err, kind)
					}
				case <-time.After(10 * time.Second):
					t.Error("waits")
				}
			})
		}
	}
}

// TestFileReadsOnlyRegularFiles asks for a file that became a pipe after the model was opened.
func TestFileReadsOnlyRegularFiles(t *testing.T) {
	dir := onDisk(t, sharded(t))
	c, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := unix.Mkfifo(filepath.Join(dir, "tokenizer.model"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.File("tokenizer.model"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "a pipe") {
		t.Errorf("%v", err)
	}
	if _, err := c.File("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if data, err := c.File("tokenizer.json"); err != nil || !bytes.Contains(data, []byte("version")) {
		t.Errorf("%s, %v", data, err)
	}
}
