package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/boundedjson"
	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// Files of a Hugging Face folder.
const (
	configFile  = "config.json"
	weightsFile = "model.safetensors"
	indexFile   = "model.safetensors.index.json"
)

// textFiles are the small files that can change what a model computes or how text becomes
// tokens. They are downloaded from the hub where they exist, and [Checkpoint.Digest]
// covers them.
var textFiles = []string{
	configFile,
	"added_tokens.json",
	"chat_template.jinja",
	"generation_config.json",
	"merges.txt",
	"qwen.tiktoken",
	"special_tokens_map.json",
	"tokenizer.json",
	"tokenizer.model",
	"tokenizer_config.json",
	"vocab.json",
}

// openFolder opens the Hugging Face folder at the root of fsys. With metadataOnly, missing
// shards are noted instead of refused.
func openFolder(fsys fs.FS, name string, metadataOnly bool) (*Checkpoint, error) {
	c, err := newFolder(fsys, name, metadataOnly)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return c, nil
}

func newFolder(fsys fs.FS, name string, metadataOnly bool) (_ *Checkpoint, err error) {
	c := &Checkpoint{name: name, folder: fsys, tensors: make(map[string]*tensor)}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.config, err = readConfig(fsys); err != nil {
		return nil, err
	}
	shards, err := findShards(fsys)
	if err != nil {
		return nil, err
	}
	var absent []string
	for _, s := range shards {
		a, err := c.addShard(fsys, s, metadataOnly)
		if err != nil {
			return nil, err
		}
		absent = append(absent, a...)
	}
	if len(absent) > 0 {
		return nil, fmt.Errorf("%d tensors that %s promises are not in their files: %s: %w", len(absent), indexFile, some(absent), ErrFormat)
	}
	if len(c.missing) > 0 && !metadataOnly {
		return nil, fmt.Errorf("missing %d of %d weight files: %s: %w", len(c.missing), len(shards), some(c.missing), ErrNotFound)
	}
	sortInfos(c.infos)
	return c, c.addTextParts(fsys)
}

// readConfig returns config.json, which must be a JSON object.
func readConfig(fsys fs.FS) ([]byte, error) {
	config, err := readPlain(fsys, configFile)
	if errors.Is(err, fs.ErrNotExist) {
		if names, _ := fs.Glob(fsys, "*.gguf"); len(names) > 0 {
			return nil, fmt.Errorf("%s: %w; to open %s, name the file", configFile, ErrNotFound, names[0])
		}
		return nil, fmt.Errorf("%s: %w", configFile, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if !json.Valid(config) || !bytes.HasPrefix(bytes.TrimSpace(config), []byte("{")) {
		return nil, fmt.Errorf("%s: not a JSON object: %w", configFile, ErrFormat)
	}
	return config, nil
}

// A shard is a weight file and the tensors that an index says it holds.
type shard struct {
	file  string
	names []string // sorted; nil without an index
}

// findShards lists the weight files that the folder has or, by its index, should have.
func findShards(fsys fs.FS) ([]shard, error) {
	if exists(fsys, weightsFile) {
		return []shard{{file: weightsFile}}, nil
	}
	raw, err := readPlain(fsys, indexFile)
	if err == nil {
		shards, err := parseIndex(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", indexFile, err, ErrFormat)
		}
		return shards, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, old := range []string{"pytorch_model.bin", "pytorch_model.bin.index.json"} {
		if exists(fsys, old) {
			return nil, fmt.Errorf("%s: PyTorch's pickle files are not read: convert the model to safetensors, "+
				"for example with transformers' save_pretrained: %w", old, ErrFormat)
		}
	}
	return []shard{{file: weightsFile}}, nil
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

const (
	maxShards    = 1 << 12 // more files than any model has; the largest have about 200
	maxIndexKeys = 1 << 14 // of the index itself; there are two
)

// parseIndex reads model.safetensors.index.json: the shards sorted by name.
func parseIndex(raw []byte) ([]shard, error) {
	r := boundedjson.NewReader(raw)
	names := make(map[string][]string)
	err := r.Object(maxIndexKeys, func(key string) error {
		if key != "weight_map" {
			return r.Skip()
		}
		return r.Object(safetensors.MaxTensors, func(tensor string) error {
			file, err := r.String()
			if err == nil && !shardName(file) {
				err = fmt.Errorf("tensor %.100q: %.100q is no shard's name", tensor, file)
			}
			if names[file] = append(names[file], tensor); len(names) > maxShards {
				return fmt.Errorf("weight_map names more than %d files", maxShards)
			}
			return err
		})
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("weight_map names no tensor")
	}
	var shards []shard
	for file, tensors := range names {
		slices.Sort(tensors)
		shards = append(shards, shard{file, tensors})
	}
	slices.SortFunc(shards, func(a, b shard) int { return strings.Compare(a.file, b.file) })
	return shards, nil
}

// shardName tells a file of the folder itself from a way out of it.
func shardName(file string) bool {
	return fs.ValidPath(file) && path.Base(file) == file && path.Ext(file) == ".safetensors" && !strings.ContainsAny(file, `\:`)
}

// addShard opens one weight file and includes its tensors. It returns those that the index
// promises and the file lacks, as "file: tensor". With metadataOnly, a link to nothing is a missing file
// like any other; else it is an error that says where it leads.
func (c *Checkpoint) addShard(fsys fs.FS, s shard, metadataOnly bool) (absent []string, err error) {
	b, err := openBlob(fsys, s.file)
	if errors.Is(err, fs.ErrNotExist) || metadataOnly && errors.Is(err, ErrNotFound) {
		c.missing = append(c.missing, s.file)
		for _, name := range s.names {
			if err := c.add(&tensor{TensorInfo: TensorInfo{Name: name}}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.blobs = append(c.blobs, b)
	tensors, err := readSafetensors(b)
	if err != nil {
		return nil, err
	}
	for _, t := range tensors {
		if err := c.add(t); err != nil {
			return nil, err
		}
	}
	for _, name := range s.names {
		if t := c.tensors[name]; t == nil || t.blob != b {
			absent = append(absent, s.file+": "+name)
		}
	}
	c.parts = append(c.parts, part{name: s.file, blob: b})
	return absent, nil
}

// addTextParts makes the small files part of the digest.
func (c *Checkpoint) addTextParts(fsys fs.FS) error {
	for _, name := range textFiles {
		data, err := readText(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && len(data) == 0 && path.Ext(name) != ".txt" && path.Ext(name) != ".jinja" {
			err = fmt.Errorf("%s: no bytes in it: %w", name, ErrFormat)
		}
		if err != nil {
			return err
		}
		c.parts = append(c.parts, textPart(name, data))
	}
	slices.SortFunc(c.parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return nil
}
