package export

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// As a control vector (llama.cpp common/common.cpp, repeng) a GGUF says general.architecture =
// "controlvector" and holds tensors direction.N of one dimension in float32. Loaders refuse
// any other tensor, and N = 0, and ignore keys that they do not know.

const (
	architectureKey = "general.architecture"
	architecture    = "controlvector"
	hintKey         = "controlvector.model_hint"

	// manifestPrefix begins the keys that carry the manifest.
	manifestPrefix = "controlvector.runpipeline."
)

func writeGGUF(w io.Writer, m manifest, v Vector) error {
	if v.Meta.Layer == 0 {
		return fmt.Errorf("a GGUF control vector cannot name block 0; write safetensors or json")
	}
	metadata := []gguf.Pair{
		{Key: architectureKey, Value: architecture},
		{Key: hintKey, Value: v.Meta.ModelType},
		{Key: "controlvector.layer_count", Value: uint32(1)}, // of this file, as repeng and llama.cpp count
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		metadata = append(metadata, gguf.Pair{Key: manifestPrefix + key, Value: m[key]})
	}
	direction := gguf.Tensor{Name: direction(v.Meta.Layer), Type: gguf.F32, Shape: []int{len(v.Row.Values)}, Data: v.Row.Values}
	return gguf.Write(w, metadata, []gguf.Tensor{direction})
}

// readGGUF reads a control vector of any writer.
func readGGUF(content []byte) ([]Vector, error) {
	f, err := gguf.Read(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	if got, _ := f.Metadata[architectureKey].(string); got != architecture {
		return nil, fmt.Errorf("its architecture is %.40q, want %s", got, architecture)
	}
	m := make(manifest)
	for key, value := range f.Metadata {
		name, ours := strings.CutPrefix(key, manifestPrefix)
		if text, ok := value.(string); ok && ours {
			m[name] = text
		}
	}
	if len(m) > 0 && len(f.Entries) > 1 {
		return nil, fmt.Errorf("its manifest describes one vector, it holds %d", len(f.Entries))
	}
	hint, _ := f.Metadata[hintKey].(string)
	var vectors []Vector
	for _, e := range f.Entries {
		layer, err := parseDirection(e.Name)
		switch {
		case err != nil:
			return nil, err
		case layer == 0:
			return nil, fmt.Errorf("%s: a control vector begins at direction.1", e.Name)
		case len(e.Shape) != 1:
			return nil, fmt.Errorf("%s has %d dimensions, want 1", e.Name, len(e.Shape))
		case e.Type != gguf.F32:
			return nil, fmt.Errorf("%s is of type %s, want F32", e.Name, e.Type)
		case e.Shape[0] > maxWidth:
			return nil, fmt.Errorf("%s has %d values", e.Name, e.Shape[0])
		}
		values, err := f.Float32(e.Name)
		if err != nil {
			return nil, err
		}
		v, err := known(layer, values, m)
		if err != nil {
			return nil, err
		}
		if v.Meta.ModelType == "" {
			v.Meta.ModelType = hint
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}
