package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
)

// indexOf returns an index of n tensors, each in a file that file names.
func indexOf(n int, file func(i int) string) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"t%d":"%s"`, i, file(i))
	}
	return []byte(`{"weight_map":{` + b.String()[1:] + "}}")
}

// ggufOf returns a GGUF that write fills.
func ggufOf(write func(w *ggufWriter)) []byte {
	w := &ggufWriter{}
	w.set("general.architecture", "llama")
	write(w)
	return w.bytes()
}

// TestHostileFilesCostLittle opens files that were made to take time or memory. Each must be
// refused with one short message, or read, within bounds several times beyond what that needs.
func TestHostileFilesCostLittle(t *testing.T) {
	const million = 1_000_000
	sizes := []string{"block_count", "embedding_length", "feed_forward_length", "attention.head_count", "context_length"}
	folder := func(name string, data []byte) fstest.MapFS {
		return fstest.MapFS{"config.json": {Data: []byte(`{"model_type":"llama"}`)}, name: {Data: data}}
	}
	long := strings.Repeat("n", 10<<20)
	for _, b := range []struct {
		what string
		fsys fstest.MapFS
		heap uint64 // MiB allocated at most, over the whole opening
		want string // of the error; "": it is read
	}{
		{"a million files", folder(indexFile, indexOf(million, func(i int) string { return fmt.Sprintf("%d.safetensors", i) })), 200, "more than 4096 files"},
		{"a million tensors of an index", folder(indexFile, indexOf(million, func(int) string { return "a.safetensors" })), 300, "more than 131072 entries"},
		{"four thousand missing files", folder(indexFile, indexOf(4000, func(i int) string { return fmt.Sprintf("%d.safetensors", i) })), 100, "and 3980 more"},
		{"a file's name of 10 MB", folder(indexFile, indexOf(1, func(int) string { return "../" + long })), 150, "is no shard's name"},
		{"an index nested deep", folder(indexFile, []byte(`{"x":`+strings.Repeat("[", 10<<20))), 100, "exceeded max depth"},
		{"a configuration nested deep", fstest.MapFS{"config.json": {Data: []byte(`{"x":` + strings.Repeat("[", 10<<20))}}, 100, "not a JSON object"},
		{"a configuration of 65 MiB", fstest.MapFS{"config.json": {Data: make([]byte, 65<<20)}}, 1, "at most 67108864 are read"},
		{"an index of 65 MiB", folder(indexFile, make([]byte, 65<<20)), 1, "at most 67108864 are read"},
	} {
		within(t, b.what, b.heap, func() {
			c, err := OpenFS(b.fsys, "bomb")
			checkRefusal(t, b.what, err, b.want)
			if err == nil {
				c.Close()
			}
		})
	}
	for _, b := range []struct {
		what string
		data []byte
		heap uint64
		want string
	}{
		{"tensors of no architecture", ggufOf(func(w *ggufWriter) {
			for _, k := range sizes {
				w.set("llama."+k, uint32(1))
			}
			for i := range 100_000 {
				w.tensor(fmt.Sprint("x", i), 0, 1)
			}
		}), 300, "more: unreadable"},
		{"a number for each of 2·10⁷ blocks", ggufOf(func(w *ggufWriter) {
			w.set("llama.attention.head_count", make([]uint8, 20_000_000))
		}), 10, "attention.head_count is not one number"},
		{"5·10⁶ token types for no token", ggufOf(func(w *ggufWriter) {
			for _, k := range sizes {
				w.set("llama."+k, uint32(1))
			}
			w.set("tokenizer.ggml.token_type", make([]int32, 5_000_000))
		}), 10, "has 5000000 entries for 0 tokens"},
		{"an architecture of 10 MB", ggufOf(func(w *ggufWriter) { w.set("general.architecture", long) }), 30, "is not supported"},
	} {
		name := filepath.Join(t.TempDir(), "bomb.gguf")
		if err := os.WriteFile(name, b.data, 0o644); err != nil {
			t.Fatal(err)
		}
		within(t, b.what, b.heap, func() {
			_, err := Open(t.Context(), name, Options{})
			checkRefusal(t, b.what, err, b.want)
		})
		os.Remove(name)
	}
}

// within fails if f takes more than five seconds, fifty times what most bombs take here, or
// allocates more than heap MiB.
func within(t *testing.T, what string, heap uint64, f func()) {
	t.Helper()
	start := cputime.Now()
	if got := allocated(f) >> 20; got > heap {
		t.Errorf("%s: %d MiB allocated, want at most %d", what, got, heap)
	}
	if took := cputime.Now() - start; took > 5*time.Second {
		t.Errorf("%s: took %v", what, took)
	}
}

// checkRefusal expects one short message with want in it.
func checkRefusal(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %.300v; want %q", what, err, want)
	} else if len(err.Error()) > 10_000 {
		t.Errorf("%s: a message of %d bytes: %.300v", what, len(err.Error()), err)
	}
}
