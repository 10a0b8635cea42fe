package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// readSafetensors reads the header of b and returns its tensors, sorted by name.
func readSafetensors(b *blob) (_ []*tensor, err error) {
	defer recoverFault(b.name, &err)()
	f, err := safetensors.Read(b, b.size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", b.name, err, ErrFormat)
	}
	tensors := make([]*tensor, len(f.Entries))
	for i, e := range f.Entries {
		info := TensorInfo{Name: e.Name, DType: e.DType, Shape: e.Shape}
		tensors[i] = &tensor{TensorInfo: info, codec: plainCodec(e.DType), blob: b, offset: e.Offset}
	}
	return tensors, nil
}

func sortInfos(infos []TensorInfo) {
	slices.SortFunc(infos, func(a, b TensorInfo) int { return strings.Compare(a.Name, b.Name) })
}

// copyInfos returns infos with shapes of their own.
func copyInfos(infos []TensorInfo) []TensorInfo {
	out := slices.Clone(infos)
	for i := range out {
		out[i].Shape = slices.Clone(out[i].Shape)
	}
	return out
}
