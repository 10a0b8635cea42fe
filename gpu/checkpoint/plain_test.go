package checkpoint

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 269060552\n"

func TestNumbersThatOnlyPythonWritesAreNone(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":NaN}`:                        `{"a":"NaN"}`,
		`{"a":[0,Infinity,-Infinity]}`:     `{"a":[0,"Infinity","-Infinity"]}`,
		`{"a":{"b": -Infinity }}`:          `{"a":{"b": "-Infinity" }}`,
		`{"NaN":"Infinity","b":-1}`:        `{"NaN":"Infinity","b":-1}`,
		`{"a\"NaN":"\\","b":NaN}`:          `{"a\"NaN":"\\","b":"NaN"}`,
		`{"a":Nan}`:                        `{"a":Nan}`,
		`{"a":"NaN`:                        `{"a":"NaN`,
		`{"a":"\`:                          `{"a":"\`,
		`NaN`:                              `"NaN"`,
		`{"a":1e400,"b":"é NaN",  "c":{}}`: `{"a":1e400,"b":"é NaN",  "c":{}}`,
	} {
		if got := string(fromPython([]byte(in))); got != want {
			t.Errorf("fromPython(%s) = %s, want %s", in, got, want)
		}
	}
}

// A folder opens the same whatever its editor put in front of the files and whatever numbers Python
// wrote where nobody looks.
func TestFilesOfAFolderAreReadAsPeopleLeaveThem(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	fsys := sharded(t)
	fsys["config.json"].Data = []byte(mark + `{"model_type":"llama","time_step_limit":[0,Infinity],"x":NaN}`)
	fsys["tokenizer.json"].Data = []byte(mark + `{"version":"1.0"}`)
	fsys["merges.txt"] = &fstest.MapFile{Data: []byte(mark + "a b\n")}
	fsys["chat_template.jinja"] = &fstest.MapFile{Data: []byte(mark + "{{ x }}")}
	fsys["tokenizer.model"] = &fstest.MapFile{Data: []byte(mark + "NaN")}
	fsys[indexFile].Data = append([]byte(mark), fsys[indexFile].Data...)
	c, err := OpenFS(fsys, "folder")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(c.Config()) {
		t.Errorf("configuration %s", c.Config())
	}
	for name, want := range map[string]string{"tokenizer.json": `{"version":"1.0"}`, "merges.txt": "a b\n",
		"chat_template.jinja": mark + "{{ x }}", "tokenizer.model": mark + "NaN"} {
		if data, err := c.File(name); string(data) != want || err != nil {
			t.Errorf("%s = %q, %v, want %q", name, data, err, want)
		}
	}
	with, _ := c.Digest()
	fsys["merges.txt"].Data = []byte("a b\n")
	if c, err = OpenFS(fsys, "folder"); err != nil {
		t.Fatal(err)
	}
	if without, _ := c.Digest(); without == with {
		t.Error("the digest is not that of the files as they are")
	}
	fsys["config.json"].Data = []byte("\xff\xfe{\x00}\x00")
	if _, err := OpenFS(fsys, "folder"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "config.json: text in UTF-16") {
		t.Errorf("UTF-16: %v", err)
	}
}

// TestNumbersOfPythonInEveryFile puts them into each JSON of a folder, where nobody reads them.
func TestNumbersOfPythonInEveryFile(t *testing.T) {
	for _, name := range []string{configFile, indexFile, "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"} {
		fsys := sharded(t)
		if fsys[name] == nil {
			fsys[name] = &fstest.MapFile{Data: []byte(`{"x":{}}`)}
		}
		fsys[name].Data = append([]byte(`{"nobody":[NaN,-Infinity,{"reads": Infinity}],`), fsys[name].Data[1:]...)
		c, err := OpenFS(fsys, "folder")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == indexFile { // read while the folder is opened
			continue
		}
		if data, err := c.File(name); err != nil && name != configFile || name != configFile && !json.Valid(data) || !json.Valid(c.Config()) {
			t.Errorf("%s: %s, %v, configuration %s", name, data, err, c.Config())
		}
	}
}

func TestPointersOfGitLFSAreNamed(t *testing.T) {
	for _, name := range []string{"config.json", "tokenizer.json", "generation_config.json", "tokenizer.model", indexFile, "model-00002-of-00002.safetensors"} {
		fsys := sharded(t)
		fsys[name] = &fstest.MapFile{Data: []byte(pointer)}
		for where, open := range map[string]func() (*Checkpoint, error){
			"memory": func() (*Checkpoint, error) { return OpenFS(fsys, "folder") },
			"disk":   func() (*Checkpoint, error) { return Open(t.Context(), onDisk(t, fsys), Options{MetadataOnly: true}) },
		} {
			if _, err := open(); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), name+": a pointer of git-lfs") {
				t.Errorf("%s in %s: %v", name, where, err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(file, []byte(pointer), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), file, Options{}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "m.gguf: a pointer of git-lfs") {
		t.Errorf("m.gguf: %v", err)
	}
}

// A link to nothing is not an absent file: without it the model would be another one.
func TestLinksToNowhereAreNamed(t *testing.T) {
	for _, name := range []string{"config.json", "tokenizer.json", "generation_config.json", "model-00001-of-00002.safetensors", indexFile} {
		dir := onDisk(t, sharded(t))
		os.Remove(filepath.Join(dir, name))
		if err := os.Symlink("/nowhere/blobs/x", filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		_, err := Open(t.Context(), dir, Options{})
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), name+": a link to /nowhere/blobs/x, which is not there") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := onDisk(t, sharded(t))
	const shard = "model-00001-of-00002.safetensors"
	os.Remove(filepath.Join(dir, shard))
	if err := os.Symlink(shard, filepath.Join(dir, shard)); err != nil { // to itself
		t.Skip(err)
	}
	c, err := Open(t.Context(), dir, Options{MetadataOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.MissingShards(); len(got) != 1 || got[0] != shard {
		t.Errorf("missing shards %v, want %s", got, shard)
	}
}
