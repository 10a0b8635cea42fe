package export

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// looksLikeSafetensors also tells it from JSON: a JSON text's first eight bytes, taken as a
// length, are far more than the text is long.
func looksLikeSafetensors(content []byte) bool {
	return len(content) > 8 && binary.LittleEndian.Uint64(content) <= uint64(len(content)-8) && content[8] == '{'
}

// openSafetensors reads the header, and the manifest if there is one: other writers put there what
// they like.
func openSafetensors(content []byte) (*safetensors.File, manifest, error) {
	f, err := safetensors.Read(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, nil, err
	}
	if m := manifest(f.Metadata); m.ours() {
		return f, m, nil
	}
	return f, nil, nil
}

func readSafetensors(content []byte) ([]Vector, error) {
	f, m, err := openSafetensors(content)
	if err != nil {
		return nil, err
	}
	if len(m) > 0 && len(f.Entries) > 1 {
		return nil, fmt.Errorf("its manifest describes one vector, it holds %d", len(f.Entries))
	}
	var vectors []Vector
	for _, e := range f.Entries {
		layer, err := parseDirection(e.Name)
		if err != nil {
			return nil, err
		}
		if e.DType != "F32" || len(e.Shape) != 1 || e.Shape[0] < 1 || e.Shape[0] > maxWidth {
			return nil, fmt.Errorf("%s is %.20s %v, want F32 of one dimension", e.Name, e.DType, e.Shape)
		}
		values, err := f.Float32(e.Name)
		if err != nil {
			return nil, err
		}
		v, err := known(layer, values, m)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}
