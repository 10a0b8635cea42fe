package cpu

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

var _ engine.Engine = (*Model)(nil)

// A Model is a decoder's weights, ready for the kernels. Any number of goroutines may use it; one
// forward pass runs at a time.
type Model struct {
	config  *arch.Config
	kernels *kernels
	threads int

	blocks []block
	norm   []float32
	embed  *matrix // a token's row is a column
	head   *matrix // embed if the two are tied

	pool  pool // of pages
	turns *arch.Turns

	small  bool       // every core can go through all weights
	mu     sync.Mutex // held by the forward pass that runs
	rooms  []scratch  // of each thread
	spaces []space
}

// A block is one transformer block.
type block struct {
	attnNorm, mlpNorm []float32
	postAttn, postMLP []float32 // nil: none
	qNorm, kNorm      []float32 // [HeadDim]; nil: none
	q, k, v, o        *matrix
	gate, up, down    *matrix
	activate          func(gate, up []float32)
	window, rope      int
}

// isSmall reports whether a model has so few weights that every core can go through all of them for itself.
func isSmall(c *arch.Config) bool { return c.Parameters() <= 1<<22 }

// Options say how a model is computed, not what: results are the same.
type Options struct {
	Threads int // 0: as many as there are processors
}

// Load reads a model's weights. Configuration and tensors must fit ([arch.Config.CheckTensors]).
func Load(c *arch.Config, src arch.Source, o Options) (*Model, error) {
	return load(c, kept(c, src), o, best())
}

func load(c *arch.Config, src arch.Source, o Options, k *kernels) (*Model, error) {
	m := &Model{config: c, kernels: k, threads: o.Threads, blocks: make([]block, c.Layers)}
	if m.threads < 1 {
		m.threads = runtime.GOMAXPROCS(0)
	}
	m.rooms, m.spaces = make([]scratch, m.threads), make([]space, m.threads)
	m.small = isSmall(c)
	m.pool.size = m.pageSize()
	m.turns = arch.NewTurns(c)
	crew := newCrew(m.threads, m.rooms)
	defer crew.dismiss()
	r := &reader{crew: crew, src: src, params: map[string]arch.Param{}}
	for _, p := range c.Params() {
		r.params[p.Name] = p
	}
	for l := range m.blocks {
		m.blocks[l] = r.block(c, k, l)
	}
	m.norm = r.vector(arch.Norm)
	m.embed = r.matrix(arch.Embed, c.Hidden, 0, c.Vocab)
	m.head = m.embed
	if !c.Tied {
		m.head = r.matrix(arch.Head, c.Hidden, 0, c.Vocab)
	}
	if r.err != nil {
		return nil, fmt.Errorf("load weights: %w", r.err)
	}
	return m, nil
}

// WeightBytes is the memory that a model's weights will take, known before they are read: as much as in their
// file, but for types that are widened and for panels that are filled up.
func WeightBytes(c *arch.Config, src arch.Source) int { return weightBytes(c, kept(c, src)) }

func weightBytes(c *arch.Config, src arch.Source) (bytes int) {
	for _, p := range c.Params() {
		bytes += paramBytes(p, src)
	}
	return bytes
}

// TokenBytes is how much of it a pass of one token reads: all but the table of embeddings, of which it needs
// a row, unless that is the output matrix too.
func TokenBytes(c *arch.Config, src arch.Source) (bytes int) {
	src = kept(c, src)
	for _, p := range c.Params() {
		if p.Name != arch.Embed || c.Tied {
			bytes += paramBytes(p, src)
		}
	}
	return bytes
}

func paramBytes(p arch.Param, src arch.Source) (bytes int) {
	if p.Kind == arch.Vector {
		return 4 * p.Size()
	}
	width := p.Dims[0]
	if p.Kind == arch.Table {
		width = p.Dims[1]
	}
	for _, r := range p.Parts {
		if f := formatOf(src, []rows{{r.Tensor, r.From, r.N}}); f != nil {
			bytes += padded(r.N) / panel * f.size(width)
		} else {
			bytes += 4 * padded(r.N) * width
		}
	}
	return bytes
}

// Config is the model's architecture; it must not be changed.
func (m *Model) Config() *arch.Config { return m.config }

// Close lets go of the weights.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks, m.norm, m.embed, m.head = nil, nil, nil, nil
	m.rooms, m.spaces, m.pool.free = nil, nil, nil
	return nil
}

// A reader makes weights of params; the first error sticks.
type reader struct {
	crew   *crew
	src    arch.Source
	params map[string]arch.Param
	err    error
}

func (r *reader) block(c *arch.Config, k *kernels, l int) block {
	of := func(name string) string { return arch.BlockParam(l, name) }
	nq, nk := c.QueryDim(), c.KVDim()
	b := block{
		attnNorm: r.vector(of("attn_norm")), mlpNorm: r.vector(of("mlp_norm")),
		postAttn: r.vector(of("post_attn")), postMLP: r.vector(of("post_mlp")),
		q: r.matrix(of("qkv"), c.Hidden, 0, nq), k: r.matrix(of("qkv"), c.Hidden, nq, nk), v: r.matrix(of("qkv"), c.Hidden, nq+nk, nk),
		o:    r.matrix(of("o"), nq, 0, c.Hidden),
		gate: r.matrix(of("gate"), c.Hidden, 0, c.Inner), up: r.matrix(of("up"), c.Hidden, 0, c.Inner),
		down:   r.matrix(of("down"), c.Inner, 0, c.Hidden),
		window: c.Window(l), rope: c.RopeOf(l),
	}
	if g := r.vector(of("qk_norm")); g != nil { // a copy of the gains for each head
		b.qNorm, b.kNorm = g[:c.HeadDim], g[nq:nq+c.HeadDim]
	}
	switch c.Activation {
	case arch.GELUTanh:
		b.activate = k.geluTanh
	case arch.GELU:
		b.activate = geluErf
	default:
		b.activate = k.silu
	}
	return b
}

// vector is the values of a param, nil if the model has none of this name.
func (r *reader) vector(name string) []float32 {
	p, ok := r.params[name]
	if !ok || r.err != nil {
		return nil
	}
	out := make([]float32, p.Size())
	r.err = p.ReadVector(r.src, out)
	return out
}

// matrix is outputs [from, from+n) of a param, with their biases.
func (r *reader) matrix(name string, in, from, n int) *matrix {
	if r.err != nil {
		return nil
	}
	var stored []rows
	for _, p := range r.params[name].Parts {
		stored = append(stored, rows{p.Tensor, p.From, p.N})
	}
	var w *matrix
	if w, r.err = newMatrix(r.crew, r.src, in, part(stored, from, n)); r.err != nil {
		return nil
	}
	if bias := r.vector(name + "_bias"); bias != nil {
		w.bias = make([]float32, padded(n))
		copy(w.bias, bias[from:from+n])
	}
	return w
}
