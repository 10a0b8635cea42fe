package xla

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

var _ engine.Engine = (*Model)(nil)

// A Model is a decoder's weights on the device and the programs that were compiled for it. Any number of
// goroutines may use it; one forward pass runs at a time.
type Model struct {
	config *arch.Config
	dev    *device
	params []arch.Param      // the blocks' first, in their order
	values []*tensors.Tensor // of params
	turns  *arch.Turns

	mu       sync.Mutex // guards programs
	programs map[variant]*program
}

// Load reads a model's weights onto the device. Configuration and tensors must fit ([arch.Config.CheckTensors]).
func Load(c *arch.Config, src arch.Source) (*Model, error) {
	dev, err := openDevice()
	if err != nil {
		return nil, err
	}
	m := &Model{config: c, dev: dev, params: c.Params(), turns: arch.NewTurns(c), programs: map[variant]*program{}}
	if m.values, err = loadWeights(dev, src, m.params); err != nil {
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
		errs = append(errs, t.FinalizeAll())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.programs {
		p.exec.Finalize()
	}
	m.values, m.programs = nil, nil
	return errors.Join(errs...)
}

// A variant is what distinguishes a program beside the shapes of its inputs.
type variant struct {
	name string
	last int    // the last block that runs
	read string // the blocks after which the residual stream is read
	past bool   // texts have keys and values of earlier tokens
	keep bool   // texts' keys and values are kept
}

// program compiles what build builds for a variant when it is first needed.
func (m *Model) program(v variant, build func(in *inputs) []*node) (*program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.programs[v]; p != nil {
		return p, nil
	}
	p, err := m.dev.newProgram(v.name, func(in []*node) []*node { return build(&inputs{in}) })
	if err == nil {
		m.programs[v] = p
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
		return p.Name != arch.Norm && p.Name != arch.Head && !slices.ContainsFunc(after, func(block string) bool {
			return len(p.Name) > len(block) && p.Name[:len(block)] == block
		})
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
