package xla

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// loadWeights reads every param.
func loadWeights(dev *device, src arch.Source, params []arch.Param) ([]*tensors.Tensor, error) {
	out := make([]*tensors.Tensor, len(params))
	for i := range params {
		var err error
		if out[i], err = loadParam(dev, src, params[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func loadParam(dev *device, src arch.Source, s arch.Param) (t *tensors.Tensor, err error) {
	t, err = tensors.FromShapeForBackend(dev.backend, 0, shapes.Make(f32, s.Dims...))
	if err != nil {
		return nil, fmt.Errorf("make room for weight %s: %w", s.Name, err)
	}
	var readErr error
	err = t.MutableFlatData(func(flat any) { readErr = fillParam(flat.([]float32), src, s) })
	if readErr != nil {
		err = readErr
	}
	return t, err
}

// fillParam reads the param's parts into dst.
func fillParam(dst []float32, src arch.Source, s arch.Param) error {
	switch s.Kind {
	case arch.Vector:
		return s.ReadVector(src, dst)
	case arch.Table:
		return src.ReadRows(s.Parts[0].Tensor, 0, s.Dims[0], dst)
	}
	at := 0
	for _, p := range s.Parts {
		if err := readColumns(dst, src, p, s.Dims[0], s.Dims[1], at); err != nil {
			return err
		}
		at += p.N
	}
	return nil
}

// rowBlock is how many stored rows are transposed at a time: 64 of a few thousand values
// stay within a core's cache.
const rowBlock = 64

// readColumns reads the part's rows [n, in] and writes them as columns [at, at+n) of the
// matrix dst [in, out].
func readColumns(dst []float32, src arch.Source, p arch.Part, in, out, at int) error {
	buf := make([]float32, rowBlock*in)
	for r := 0; r < p.N; r += rowBlock {
		n := min(rowBlock, p.N-r)
		rows := buf[:n*in]
		if err := src.ReadRows(p.Tensor, p.From+r, n, rows); err != nil {
			return err
		}
		for i := range in {
			line := dst[i*out+at+r : i*out+at+r+n]
			for j := range line {
				line[j] = rows[j*in+i]
			}
		}
	}
	return nil
}
