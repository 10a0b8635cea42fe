package xla

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

var _ engine.Engine = (*Model)(nil)

// A Model is a decoder's weights on the device and the programs that were compiled for it. Any number of
// goroutines may use it; one forward pass runs at a time.
type Model struct {
	config *arch.Config
	dev    *Device
	forms  forms
	params []arch.Param      // the blocks' first, in their order
	values []*tensors.Tensor // of params

	sizes   sizes
	stretch int   // steps of a loop at most
	memory  int64 // that may be used, 0 if it is not known
	need    footprint

	mu       sync.Mutex // guards programs
	programs map[any]*program

	// Belong to the call that has the device.
	angles map[string][]*tensors.Tensor
	zero   map[string]*tensors.Tensor
}

// Options say how a model is computed.
type Options struct {
	// BFloat16 keeps weights, keys and values in bfloat16 and multiplies in it, adding up in float32. Otherwise
	// everything is float32.
	BFloat16 bool
}

// matrix is the type of matrices.
func (o Options) matrix() dtypes.DType {
	if o.BFloat16 {
		return bf16
	}
	return f32
}

// Load reads a model's weights onto the device. Configuration and tensors must fit ([arch.Config.CheckTensors]).
// A model that the device has no memory for gives [ErrMemory], before anything is read.
func Load(dev *Device, c *arch.Config, src arch.Source, o Options) (*Model, error) {
	m := &Model{config: c, dev: dev, forms: dev.forms(o.matrix()), sizes: dev.sizes(), params: c.Params(), programs: map[any]*program{},
		angles: map[string][]*tensors.Tensor{}, zero: map[string]*tensors.Tensor{}}
	if m.stretch = 1; m.forms.compiled {
		m.stretch = mostSteps
	}
	err := m.fit()
	if err != nil {
		return nil, err
	}
	if m.values, err = m.loadWeights(src); err != nil {
		m.Close()
		return nil, fmt.Errorf("load weights: %w", err)
	}
	return m, nil
}

// Config is the model's architecture; it must not be changed.
func (m *Model) Config() *arch.Config { return m.config }

// Close releases the weights. The model must not be used afterwards.
func (m *Model) Close() error {
	var errs []error
	for _, t := range m.values {
		if t != nil {
			errs = append(errs, t.FinalizeAll())
		}
	}
	m.freeTables()
	for _, t := range m.zero {
		free([]*tensors.Tensor{t})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.programs {
		p.exec.Finalize()
	}
	m.values, m.programs, m.zero = nil, nil, nil
	return errors.Join(errs...)
}

// program compiles what build builds for a kind of program when it is first needed.
func (m *Model) program(kind any, build func(in *inputs) []*node) (*program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.programs[kind]; p != nil {
		return p, nil
	}
	p, err := m.dev.newProgram(fmt.Sprintf("%T", kind), func(in []*node) []*node { return build(&inputs{in}) })
	if err == nil {
		m.programs[kind] = p
	}
	return p, err
}

// inputs hands a graph its inputs in the order in which a call adds them.
type inputs struct{ nodes []*node }

func (in *inputs) next() *node { return in.take(1)[0] }

func (in *inputs) take(n int) []*node {
	out := in.nodes[:n]
	in.nodes = in.nodes[n:]
	return out
}

// zeros are a tensor of zeros that rests on the device.
func (m *Model) zeros(dtype dtypes.DType, dims ...int) (*tensors.Tensor, error) {
	key := fmt.Sprint(dtype, dims)
	if t := m.zero[key]; t != nil {
		return t, nil
	}
	t, err := m.dev.upload(dtype, make([]byte, shapes.Make(dtype, dims...).ByteSize()), dims...)
	if err == nil {
		m.zero[key] = t
	}
	return t, err
}

// some are the params that f chooses and their values.
func (m *Model) some(f func(p arch.Param) bool) (params []arch.Param, values []*tensors.Tensor) {
	for i, p := range m.params {
		if f(p) {
			params, values = append(params, p), append(values, m.values[i])
		}
	}
	return params, values
}

// body is the embedding and the params of blocks [0, last].
func (m *Model) body(last int) ([]arch.Param, []*tensors.Tensor) {
	var after []string
	for l := last + 1; l < m.config.Layers; l++ {
		after = append(after, arch.BlockParam(l, ""))
	}
	return m.some(func(p arch.Param) bool {
		return p.Name != arch.Norm && p.Name != arch.Head &&
			!slices.ContainsFunc(after, func(block string) bool { return strings.HasPrefix(p.Name, block) })
	})
}

// top is the last norm and the output matrix.
func (m *Model) top() ([]arch.Param, []*tensors.Tensor) {
	return m.some(func(p arch.Param) bool { return p.Name == arch.Norm || p.Name == outputOf(m.config) })
}

// outputOf is the name of the output matrix [V, d].
func outputOf(c *arch.Config) string {
	if c.Tied {
		return arch.Embed
	}
	return arch.Head
}
