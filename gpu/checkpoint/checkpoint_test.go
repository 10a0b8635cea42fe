package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// file returns a safetensors file with the given tensors.
func file(t *testing.T, tensors ...Tensor) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := WriteSafetensors(&buf, tensors, nil); err != nil {
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

// sharded is a folder of two shards, three tensors and a tokenizer.
func sharded(t *testing.T) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{
		"config.json":    {Data: []byte(`{"model_type":"llama"}`)},
		"tokenizer.json": {Data: []byte(`{"version":"1.0"}`)},
		"README.md":      {Data: []byte("about")},
		"model.safetensors.index.json": {Data: []byte(`{"metadata":{"total_size":1},"weight_map":{
			"a":"model-00001-of-00002.safetensors","b":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}`)},
		"model-00001-of-00002.safetensors": {Data: file(t,
			Tensor{Name: "a", Shape: []int{2, 3}, Data: ramp(6, 1)},
			Tensor{Name: "b", DType: "BF16", Shape: []int{4}, Data: ramp(4, 10)})},
		"model-00002-of-00002.safetensors": {Data: file(t, Tensor{Name: "c", DType: "F16", Shape: []int{3, 2}, Data: ramp(6, 20)})},
	}
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

func TestShardedFolderReadsTheSameFromMemoryAndFromAMapping(t *testing.T) {
	inMemory, err := OpenFS(sharded(t), "pair")
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := Open(t.Context(), onDisk(t, sharded(t)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Checkpoint{inMemory, mapped} {
		want := []TensorInfo{{"a", "F32", []int{2, 3}}, {"b", "BF16", []int{4}}, {"c", "F16", []int{3, 2}}}
		if got := c.Tensors(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("Tensors = %v, want %v", got, want)
		}
		got := make([]float32, 4)
		if err := c.ReadRows("c", 1, 2, got); err != nil || !slices.Equal(got, ramp(4, 22)) {
			t.Errorf("rows 1 and 2 of c = %v, %v", got, err)
		}
		if err := c.ReadRows("b", 0, 4, got); err != nil || !slices.Equal(got, ramp(4, 10)) {
			t.Errorf("b = %v, %v", got, err)
		}
		if data, err := c.File("tokenizer.json"); err != nil || string(data) != `{"version":"1.0"}` {
			t.Errorf("tokenizer.json = %q, %v", data, err)
		}
		if _, err := c.File("tokenizer.model"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("absent file: %v, want fs.ErrNotExist", err)
		}
	}
	a, err := inMemory.Digest()
	b, err2 := mapped.Digest()
	if a != b || len(a) != 64 || err != nil || err2 != nil {
		t.Errorf("digests %s and %s, %v, %v: want the same", a, b, err, err2)
	}
	for _, c := range []*Checkpoint{inMemory, mapped} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := c.ReadRows("a", 0, 2, make([]float32, 6)); err == nil {
			t.Error("read after Close succeeded")
		}
		if _, err := c.Digest(); err == nil {
			t.Error("Digest after Close succeeded")
		}
	}
}

func TestEveryTypeReadsAsPyTorchDoes(t *testing.T) {
	var want struct {
		Tensors map[string]struct {
			Shape []int
			Bits  []int32
		}
	}
	readJSON(t, "testdata/dtypes.json", &want)
	raw, err := os.ReadFile("testdata/dtypes.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSafetensors(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Metadata(); len(got) != 2 || got["made"] != "by torch" || got["alpha"] != "0.5" {
		t.Errorf("Metadata = %v", got)
	}
	if len(s.Tensors()) != len(want.Tensors) {
		t.Errorf("%d tensors, want %d", len(s.Tensors()), len(want.Tensors))
	}
	for _, info := range s.Tensors() {
		w := want.Tensors[info.Name]
		got, err := s.Float32(info.Name)
		if err != nil || !slices.Equal(info.Shape, w.Shape) || len(got) != len(w.Bits) {
			t.Errorf("%v: %d values, %v; want %v", info, len(got), err, w.Shape)
			continue
		}
		for i, x := range got {
			if int32(math.Float32bits(x)) != w.Bits[i] {
				t.Errorf("%s[%d] = %g, want %g", info.Name, i, x, math.Float32frombits(uint32(w.Bits[i])))
			}
		}
	}
	if got, err := s.Int32("i32"); err != nil || !slices.Equal(got, []int32{7, -8, 123456789}) {
		t.Errorf("Int32 = %v, %v", got, err)
	}
	if _, err := s.Int32("f32"); !errors.Is(err, ErrFormat) {
		t.Errorf("Int32 of F32: %v", err)
	}
	if _, err := s.Float32("nothing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown tensor: %v", err)
	}
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

func TestMissingShardsAreNamed(t *testing.T) {
	fsys := sharded(t)
	delete(fsys, "model-00002-of-00002.safetensors")
	_, err := OpenFS(fsys, "pair")
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "model-00002-of-00002.safetensors") {
		t.Errorf("open without a shard: %v", err)
	}
	c, err := Open(t.Context(), onDisk(t, fsys), Options{MetadataOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.MissingShards(); !slices.Equal(got, []string{"model-00002-of-00002.safetensors"}) {
		t.Errorf("MissingShards = %v", got)
	}
	if got := fmt.Sprint(c.Tensors()); got != "[{a F32 [2 3]} {b BF16 [4]} {c  []}]" {
		t.Errorf("Tensors = %s", got)
	}
	if err := c.ReadRows("c", 0, 0, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("read from a missing shard: %v", err)
	}
	if _, err := c.Digest(); !errors.Is(err, ErrNotFound) {
		t.Errorf("digest without a shard: %v", err)
	}
}

func TestBadFoldersAreRefusedWithTheFile(t *testing.T) {
	index := func(m string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(m)} }
	one := "model-00001-of-00002.safetensors"
	tests := []struct {
		name   string
		change func(fstest.MapFS)
		want   error
		text   string
	}{
		{"no config", func(f fstest.MapFS) { delete(f, "config.json") }, ErrNotFound, "config.json"},
		{"a folder of GGUF", func(f fstest.MapFS) { delete(f, "config.json"); f["m.gguf"] = index("") }, ErrNotFound, "to open m.gguf, name the file"},
		{"config is a list", func(f fstest.MapFS) { f["config.json"] = index("[]") }, ErrFormat, "config.json"},
		{"config is cut", func(f fstest.MapFS) { f["config.json"] = index(`{"a":`) }, ErrFormat, "config.json"},
		{"no weights", func(f fstest.MapFS) { delete(f, indexFile) }, ErrNotFound, "model.safetensors"},
		{"pickle", func(f fstest.MapFS) { delete(f, indexFile); f["pytorch_model.bin"] = index("") }, ErrFormat, "convert the model to safetensors"},
		{"index is cut", func(f fstest.MapFS) { f[indexFile] = index(`{"weight_map":{"a":`) }, ErrFormat, indexFile},
		{"index twice", func(f fstest.MapFS) { f[indexFile] = index(`{"weight_map":{"a":"x.safetensors"}}{}`) }, ErrFormat, "after its end"},
		{"index repeats", func(f fstest.MapFS) {
			f[indexFile] = index(`{"weight_map":{"a":"` + one + `","a":"` + one + `"}}`)
		}, ErrFormat, `"a" occurs twice`},
		{"index leaves the folder", func(f fstest.MapFS) { f[indexFile] = index(`{"weight_map":{"a":"../x.safetensors"}}`) }, ErrFormat, "no shard's name"},
		{"index names nothing", func(f fstest.MapFS) { f[indexFile] = index(`{"weight_map":{}}`) }, ErrFormat, "no tensor"},
		{"index promises too much", func(f fstest.MapFS) { f[indexFile] = index(`{"weight_map":{"zz":"` + one + `"}}`) }, ErrFormat, "promises"},
		{"tensor in two shards", func(f fstest.MapFS) {
			f["model-00002-of-00002.safetensors"] = f[one]
			f[indexFile] = index(`{"weight_map":{"a":"` + one + `","b":"model-00002-of-00002.safetensors"}}`)
		},
			ErrFormat, "both"},
		{"shard is cut", func(f fstest.MapFS) { f[one] = &fstest.MapFile{Data: f[one].Data[:len(f[one].Data)-1]} }, ErrFormat, one},
	}
	for _, test := range tests {
		fsys := sharded(t)
		test.change(fsys)
		_, err := OpenFS(fsys, "pair")
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "open pair: ") {
			t.Errorf("%s: %v; want %q, wrapping %v", test.name, err, test.text, test.want)
		}
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "nothing"), Options{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, ".", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
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

// Rows longer than a chunk, read through a file that cannot be mapped.
func TestLongRowsAreReadInPieces(t *testing.T) {
	const width = chunk + 17
	fsys := fstest.MapFS{
		"config.json":       {Data: []byte("{}")},
		"model.safetensors": {Data: file(t, Tensor{Name: "w", Shape: []int{3, width}, Data: ramp(3*width, 0)})},
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
		"model.safetensors": {Data: file(t, Tensor{Name: "w", Shape: []int{64, 1024}, Data: ramp(64*1024, 0)})},
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
