package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// file returns a safetensors file with the given tensors.
func file(t *testing.T, tensors ...safetensors.Tensor) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := safetensors.Write(&buf, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// ramp returns n values that tell every position apart and survive bfloat16.
func ramp(n int, start float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = start + float32(i)
	}
	return out
}

// onDisk writes fsys into a temporary folder.
func onDisk(t *testing.T, fsys fs.FS) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, fsys); err != nil {
		t.Fatal(err)
	}
	return dir
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadRowsChecksItsArguments(t *testing.T) {
	c, err := OpenFS(sharded(t), "pair")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, bad := range []struct{ from, n, room int }{{-1, 1, 3}, {0, -1, 0}, {0, 3, 9}, {2, 1, 3}, {0, 1, 2}, {0, 1, 4}, {1, math.MaxInt, 0}} {
		if err := c.ReadRows("a", bad.from, bad.n, make([]float32, bad.room)); err == nil {
			t.Errorf("ReadRows(%v) succeeded", bad)
		}
	}
	if err := c.ReadRows("a", 2, 0, nil); err != nil {
		t.Errorf("no rows at the end: %v", err)
	}
	if err := c.ReadRows("zz", 0, 1, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown tensor: %v", err)
	}
}

func TestIntegersAreNoWeights(t *testing.T) {
	for _, dtype := range []string{"I8", "U8", "BOOL"} {
		c, err := OpenFS(fstest.MapFS{
			"config.json":       {Data: []byte("{}")},
			"model.safetensors": {Data: file(t, safetensors.Tensor{Name: "w", DType: dtype, Shape: []int{2}, Data: []byte{0, 1}})},
		}, "quantised")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.ReadRows("w", 0, 2, make([]float32, 2)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), `tensor "w": stored as `+dtype) {
			t.Errorf("%s: %v", dtype, err)
		}
	}
}

// Rows longer than a chunk, read through a file that cannot be mapped.
func TestLongRowsAreReadInPieces(t *testing.T) {
	const width = chunk + 17
	fsys := fstest.MapFS{
		"config.json":       {Data: []byte("{}")},
		"model.safetensors": {Data: file(t, safetensors.Tensor{Name: "w", Shape: []int{3, width}, Data: ramp(3*width, 0)})},
	}
	c, err := OpenFS(fsys, "long")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make([]float32, 2*width)
	if err := c.ReadRows("w", 1, 2, got); err != nil || !slices.Equal(got, ramp(2*width, width)) {
		t.Errorf("long rows differ, %v", err)
	}
}

func TestReadersMayRunWhileTheCheckpointCloses(t *testing.T) {
	c, err := Open(t.Context(), onDisk(t, sharded(t)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dst := make([]float32, 6)
			for c.ReadRows("a", 0, 2, dst) == nil {
				if !slices.Equal(dst, ramp(6, 1)) {
					t.Error("wrong values")
				}
			}
		})
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestAFileCutWhileMappedIsAnError(t *testing.T) {
	dir := onDisk(t, fstest.MapFS{
		"config.json":       {Data: []byte("{}")},
		"model.safetensors": {Data: file(t, safetensors.Tensor{Name: "w", Shape: []int{64, 1024}, Data: ramp(64*1024, 0)})},
	})
	c, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := os.Truncate(filepath.Join(dir, weightsFile), 4096); err != nil {
		t.Fatal(err)
	}
	if err := c.ReadRows("w", 60, 4, make([]float32, 4096)); err == nil {
		t.Error("reading what is gone succeeded")
	}
	if _, err := c.Digest(); err == nil {
		t.Error("digest of what is gone succeeded")
	}
}
