package xla

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/persona-transfer/runpipeline/format/half"
	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// loadWeights moves every param to the device, one at a time: the host holds one in its final type, and what
// its threads read of it.
func (m *Model) loadWeights(src arch.Source) ([]*tensors.Tensor, error) {
	out := make([]*tensors.Tensor, len(m.params))
	var room []byte
	for i, p := range m.params {
		n := p.Bytes(m.forms.matrix.Size())
		if n > cap(room) {
			room = make([]byte, n)
		}
		data := room[:n]
		dtype, err := f32, error(nil)
		if p.Kind == arch.Vector {
			err = p.ReadVector(src, floatsOf(data))
		} else {
			dtype, err = m.forms.matrix, m.readMatrix(src, p, data)
		}
		if err != nil {
			return out, err
		}
		if out[i], err = m.dev.upload(dtype, data, m.dims(p)...); err != nil {
			return out, fmt.Errorf("weight %s: %w", p.Name, err)
		}
	}
	return out, nil
}

// dims are those with which a param rests on the device.
func (m *Model) dims(p arch.Param) []int {
	if p.Kind == arch.Matrix && m.forms.stored() {
		return []int{p.Dims[1], p.Dims[0]}
	}
	return p.Dims
}

// rowBlock is how many stored rows a thread reads at a time: 64 of a few thousand values stay within a core's
// cache while they are transposed.
const rowBlock = 64

// readMatrix reads a matrix or table into data, in the model's type, on all processors.
func (m *Model) readMatrix(src arch.Source, p arch.Param, data []byte) error {
	in, turned := p.Dims[1], false
	if p.Kind == arch.Matrix {
		in, turned = p.Dims[0], !m.forms.stored()
	}
	type block struct {
		part    arch.Part
		from, n int // rows of the part
		at      int // of all parts
	}
	var blocks []block
	at := 0
	for _, part := range p.Parts {
		for r := 0; r < part.N; r += rowBlock {
			blocks = append(blocks, block{part, part.From + r, min(rowBlock, part.N-r), at + r})
		}
		at += part.N
	}
	var next atomic.Int64
	group, going := errgroup.WithContext(context.Background())
	for range min(len(blocks), runtime.GOMAXPROCS(0)) {
		group.Go(func() error {
			buf := make([]float32, rowBlock*in)
			for i := int(next.Add(1)) - 1; i < len(blocks) && going.Err() == nil; i = int(next.Add(1)) - 1 {
				b := blocks[i]
				rows := buf[:b.n*in]
				if err := src.ReadRows(b.part.Tensor, b.from, b.n, rows); err != nil {
					return err
				}
				switch {
				case turned:
					writeColumns(floatsOf(data), rows, in, p.Dims[1], b.at)
				case m.forms.matrix == bf16:
					writeNarrow(data[2*b.at*in:], rows)
				default:
					copy(floatsOf(data)[b.at*in:], rows)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// writeColumns writes rows [n, in] as columns [at, at+n) of the matrix dst [in, out].
func writeColumns(dst, rows []float32, in, out, at int) {
	n := len(rows) / in
	for i := range in {
		line := dst[i*out+at : i*out+at+n]
		for j := range line {
			line[j] = rows[j*in+i]
		}
	}
}

// writeNarrow writes values in bfloat16.
func writeNarrow(dst []byte, values []float32) {
	for i, v := range values {
		binary.LittleEndian.PutUint16(dst[2*i:], half.BRound(v))
	}
}
