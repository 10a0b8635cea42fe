package xla

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// loadWeights moves every param to the device, one at a time: the host holds one in its final type, and what
// its threads read of it.
func (m *Model) loadWeights(src arch.Source) ([]*tensors.Tensor, error) {
	out := make([]*tensors.Tensor, len(m.params))
	var room []byte
	for i, p := range m.params {
		bytes := 4
		if p.Kind != arch.Vector {
			bytes = m.forms.matrix.Size()
		}
		if n := p.Size() * bytes; n > cap(room) {
			room = make([]byte, n)
		}
		data := room[:p.Size()*bytes]
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
	in := p.Dims[1]
	if p.Kind == arch.Matrix {
		in = p.Dims[0]
	}
	type block struct {
		part      arch.Part
		from, n   int // rows of the part
		at        int // of all parts
		transpose bool
	}
	var blocks []block
	at := 0
	for _, part := range p.Parts {
		for r := 0; r < part.N; r += rowBlock {
			n := min(rowBlock, part.N-r)
			blocks = append(blocks, block{part, part.From + r, n, at + r, p.Kind == arch.Matrix && !m.forms.stored()})
		}
		at += part.N
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed firstFailure
	for range min(len(blocks), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			buf := make([]float32, rowBlock*in)
			for i := int(next.Add(1)) - 1; i < len(blocks) && failed.get() == nil; i = int(next.Add(1)) - 1 {
				b := blocks[i]
				rows := buf[:b.n*in]
				if err := src.ReadRows(b.part.Tensor, b.from, b.n, rows); err != nil {
					failed.set(err)
					return
				}
				switch {
				case b.transpose:
					writeColumns(floatsOf(data), rows, in, p.Dims[1], b.at)
				case m.forms.matrix == bf16:
					narrowInto(data[2*b.at*in:], rows)
				default:
					copy(floatsOf(data)[b.at*in:], rows)
				}
			}
		})
	}
	wg.Wait()
	return failed.get()
}

// A firstFailure keeps the first error of several goroutines.
type firstFailure struct {
	mu  sync.Mutex
	err error
}

func (f *firstFailure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstFailure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
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

// narrowInto writes values in bfloat16, rounded to the nearest, to even where two are as near.
func narrowInto(dst []byte, values []float32) {
	for i, v := range values {
		b := math.Float32bits(v)
		if v != v {
			b |= 1 << 22 // stays no number when its low half goes
		} else {
			b += 0x7fff + b>>16&1
		}
		dst[2*i], dst[2*i+1] = byte(b>>16), byte(b>>24)
	}
}
