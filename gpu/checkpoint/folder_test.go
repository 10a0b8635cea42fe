package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

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
			safetensors.Tensor{Name: "a", Shape: []int{2, 3}, Data: ramp(6, 1)},
			safetensors.Tensor{Name: "b", DType: "BF16", Shape: []int{4}, Data: ramp(4, 10)})},
		"model-00002-of-00002.safetensors": {Data: file(t, safetensors.Tensor{Name: "c", DType: "F16", Shape: []int{3, 2}, Data: ramp(6, 20)})},
	}
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
	one, two := "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
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
		{"index promises too much", func(f fstest.MapFS) {
			f[indexFile] = index(`{"weight_map":{"zz":"` + one + `","a":"` + one + `","yy":"` + two + `"}}`)
		}, ErrFormat, "2 tensors that " + indexFile + " promises are not in their files: " + one + ": zz, " + two + ": yy: "},
		{"index names the other file", func(f fstest.MapFS) { f[indexFile] = index(`{"weight_map":{"a":"` + two + `","b":"` + one + `"}}`) }, ErrFormat,
			"1 tensors that " + indexFile + " promises are not in their files: " + two + ": a: "},
		{"tensor in two shards", func(f fstest.MapFS) {
			f[two] = f[one]
			f[indexFile] = index(`{"weight_map":{"a":"` + one + `","b":"` + two + `"}}`)
		}, ErrFormat, "both"},
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

// A tensor in a file that is there, although the index says it is in one that is missing.
func TestMissingShardsShareNoTensor(t *testing.T) {
	const one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	for gone, index := range map[string]string{
		one: `{"weight_map":{"c":"` + one + `","d":"` + two + `"}}`,
		two: `{"weight_map":{"a":"` + two + `","b":"` + one + `"}}`,
	} {
		fsys := sharded(t)
		fsys[two].Data = file(t, safetensors.Tensor{Name: "c", Shape: []int{1}, Data: ramp(1, 0)}, safetensors.Tensor{Name: "d", Shape: []int{1}, Data: ramp(1, 0)})
		fsys[indexFile].Data = []byte(index)
		delete(fsys, gone)
		_, err := openFolder(fsys, "pair", true)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "is in both") {
			t.Errorf("without %s: %v", gone, err)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":1},"weight_map":{"a":"model-00001-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"model-00002-of-00002.safetensors","c":"gone.safetensors"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		shards, err := parseIndex(data)
		for _, s := range shards {
			if err != nil || len(s.names) == 0 || !shardName(s.file) {
				t.Fatalf("%v, %v", s, err)
			}
		}
		fsys := sharded(t)
		fsys[indexFile].Data = data
		c, err := openFolder(fsys, "pair", true)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v does not wrap ErrFormat", err)
			}
			return
		}
		if infos := c.Tensors(); len(infos) != len(c.tensors) {
			t.Fatalf("%d tensors, %d names", len(infos), len(c.tensors))
		}
	})
}
