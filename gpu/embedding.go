package gpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// An embedding gives tokens their first residual. It is looked up on the host: that is a
// copy of a few rows, and spares a tied model a second copy of its largest matrix.
type embedding struct {
	d      int
	scale  float32
	rows   []float32   // [V, d]; nil if tied
	blocks [][]float32 // the output matrix [d, ≤2048] in blocks; nil unless tied
}

// init finds the output matrix if the model is tied.
func (e *embedding) init(c *arch.Config, params []arch.Param, values []*tensors.Tensor) error {
	e.d, e.scale = c.Hidden, c.EmbedScale
	if e.rows != nil {
		return nil
	}
	first := slices.IndexFunc(params, func(s arch.Param) bool { return s.Name == headParam(0) })
	for i := range headBlocks(c) {
		t := values[first+i]
		err := t.ConstFlatData(func(flat any) {
			data := flat.([]float32)
			if !t.IsShared() {
				data = slices.Clone(data)
			}
			e.blocks = append(e.blocks, data)
		})
		if err != nil {
			return fmt.Errorf("read the embedding back: %w", err)
		}
	}
	return nil
}

// put writes the embedding of a token to dst [d].
func (e *embedding) put(dst []float32, token int32) {
	if e.rows != nil {
		copy(dst, e.rows[int(token)*e.d:])
	} else {
		block := e.blocks[token/headBlock]
		width := len(block) / e.d
		at := int(token % headBlock)
		for i := range dst[:e.d] {
			dst[i] = block[i*width+at]
		}
	}
	if e.scale != 0 {
		for i := range dst[:e.d] {
			dst[i] *= e.scale
		}
	}
}
