package gpu

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// source is what weights are read from; *checkpoint.Checkpoint is one.
type source interface {
	Tensors() []checkpoint.TensorInfo
	// ReadRows reads rows [from, from+n) of a tensor seen as a matrix [first dimension, rest].
	ReadRows(name string, from, n int, dst []float32) error
}

// checkTensors compares the tensors that are there with those that the configuration needs.
// Missing and misshapen tensors are an error that lists them. Tensors that transformers would ignore as
// well are returned as unused, sorted.
func (c *Config) checkTensors(have []checkpoint.TensorInfo) (unused []string, err error) {
	want := c.Tensors()
	var missing, misshapen []string
	seen := map[string]bool{}
	for _, t := range have {
		seen[t.Name] = true
		shape, ok := want[t.Name]
		switch {
		case !ok && !c.unread(t.Name):
			unused = append(unused, t.Name)
		case ok && t.Shape != nil && !slices.Equal(shape, t.Shape):
			misshapen = append(misshapen, fmt.Sprintf("%s %v, want %v", t.Name, t.Shape, shape))
		}
	}
	for name := range want {
		if !seen[name] {
			missing = append(missing, name)
		}
	}
	var problems []string
	for _, l := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"misshapen", misshapen}, {"unused", unused}} {
		if len(l.names) > 0 {
			slices.Sort(l.names)
			problems = append(problems, fmt.Sprintf("%d %s: %s", len(l.names), l.what, some(l.names)))
		}
	}
	if len(missing)+len(misshapen) > 0 {
		return nil, fmt.Errorf("tensors do not fit the configuration: %s", strings.Join(problems, "; "))
	}
	slices.Sort(unused)
	return unused, nil
}

// some lists the first names, and how many more there are.
func some(names []string) string {
	const most = 20
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// unread reports whether a stored tensor is known not to be a weight of the decoder: old checkpoints store
// the rotary frequencies and the causal mask, which follow from the configuration, and a larger model
// has other parts.
func (c *Config) unread(name string) bool {
	return strings.HasSuffix(name, "rotary_emb.inv_freq") || strings.HasSuffix(name, "attn.masked_bias") ||
		strings.HasSuffix(name, "attn.bias") && strings.HasPrefix(name, "transformer.h.") ||
		slices.ContainsFunc(c.names.unread, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// loadWeights reads every param, several at a time, directly into the device's memory where
// the device shares it. A tied head of a configuration is read from the embedding's tensor.
func loadWeights(dev *device, src source, params []param) ([]*tensors.Tensor, error) {
	out := make([]*tensors.Tensor, len(params))
	errs := make([]error, len(params))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(4, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				out[i], errs[i] = loadParam(dev, src, params[i])
			}
		})
	}
	for i := range params {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func loadParam(dev *device, src source, s param) (t *tensors.Tensor, err error) {
	t, err = tensors.FromShapeForBackend(dev.backend, 0, shapes.Make(f32, s.dims...))
	if err != nil {
		return nil, fmt.Errorf("make room for weight %s: %w", s.name, err)
	}
	var readErr error
	err = t.MutableFlatData(func(flat any) { readErr = fillParam(flat.([]float32), src, s) })
	if readErr != nil {
		err = readErr
	}
	return t, err
}

// fillParam reads the param's parts into dst.
func fillParam(dst []float32, src source, s param) error {
	at := 0
	for _, p := range s.parts {
		var err error
		if s.kind == matrix {
			err = readColumns(dst, src, p, s.dims[0], s.dims[1], at)
			at += p.n
		} else {
			var n int
			n, err = readVector(dst[at:], src, p)
			at += n
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readVector reads the part's rows to the start of dst, repeats them, and returns how many
// values that makes.
func readVector(dst []float32, src source, p part) (int, error) {
	width := 1
	for _, d := range p.shape[1:] {
		width *= d
	}
	n := p.n * width
	if err := src.ReadRows(p.tensor, p.from, p.n, dst[:n]); err != nil {
		return 0, err
	}
	if p.add != 0 {
		for i := range dst[:n] {
			dst[i] += p.add
		}
	}
	for i := 1; i < p.repeat; i++ {
		copy(dst[i*n:], dst[:n])
	}
	return n * max(p.repeat, 1), nil
}

// rowBlock is how many stored rows are transposed at a time: 64 of a few thousand values
// stay within a core's cache.
const rowBlock = 64

// readColumns reads the part's rows [n, in] and writes them as columns [at, at+n) of the
// matrix dst [in, out].
func readColumns(dst []float32, src source, p part, in, out, at int) error {
	buf := make([]float32, rowBlock*in)
	for r := 0; r < p.n; r += rowBlock {
		n := min(rowBlock, p.n-r)
		rows := buf[:n*in]
		if err := src.ReadRows(p.tensor, p.from+r, n, rows); err != nil {
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
