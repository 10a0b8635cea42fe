package checkpoint

import (
	"errors"
	"fmt"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// A ggufHeader is what a GGUF says about itself, as far as models go.
type ggufHeader struct {
	meta    map[string]any
	tensors []*tensor // in file order, with GGUF's names
	notes   []string  // what is odd and does no harm
}

// readGGUF reads the header of b.
func readGGUF(b *blob) (_ *ggufHeader, err error) {
	defer recoverFault(b.name, &err)()
	f, err := gguf.Read(b, b.size)
	var unknown *gguf.UnknownTypes
	if errors.As(err, &unknown) { // with all others that are not decoded
		_, err = ggufTensors(b, unknown.Entries)
	}
	if err == nil {
		err = checkLists(f.Metadata)
	}
	h := &ggufHeader{}
	if err == nil {
		h.meta = f.Metadata
		h.tensors, err = ggufTensors(b, f.Entries)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", b.name, err, ErrFormat)
	}
	if f.Rest > 0 {
		h.notes = append(h.notes, fmt.Sprintf("%d bytes after the last tensor are not read", f.Rest))
	}
	return h, nil
}

// checkLists refuses lists of lists, which no model has and llama.cpp does not read.
func checkLists(meta map[string]any) error {
	for key, v := range meta {
		if a, ok := v.(gguf.Array); ok && a.Kind == gguf.KindArray {
			return fmt.Errorf("metadata %.100q: an array of type %d", key, a.Kind)
		}
	}
	return nil
}

// ggufTensors returns the tensors of b, all of which must be of types that are decoded.
func ggufTensors(b *blob, entries []gguf.Entry) ([]*tensor, error) {
	var refused []*tensor
	tensors := make([]*tensor, len(entries))
	for i, e := range entries {
		info := TensorInfo{Name: e.Name, DType: e.Type.String(), Shape: e.Shape}
		tensors[i] = &tensor{TensorInfo: info, codec: ggufCodec(e.Type), blob: b, offset: e.Offset}
		if tensors[i].foreign() {
			refused = append(refused, tensors[i])
		}
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("%s; %s", byType(refused), readTypes(true))
	}
	return tensors, nil
}
