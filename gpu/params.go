package gpu

import "fmt"

// A param is one parameter as the decoder keeps it: a matrix [in, out], a vector [1, n], or the
// embedding [Vocab, Hidden]. It may be put together from several stored tensors
// (q, k and v become one matrix) and a stored tensor may feed several params (Phi-3's
// gate_up_proj).
type param struct {
	name  string
	dims  []int
	parts []part
	kind  paramKind
}

// A part is the rows [from, from+n) of a stored tensor of the given shape. In a matrix
// they become columns, next to those of the parts before.
type part struct {
	tensor  string
	shape   []int
	from, n int
	repeat  int     // vectors only: how many copies follow each other, at least 1
	add     float32 // added to each value
}

type paramKind int

const (
	matrix paramKind = iota // stored [out, in], kept [in, out]
	table                   // kept as stored
	vector
)

// Names of the params that belong to no block.
const (
	paramEmbed = "embed"
	paramNorm  = "norm"
	paramHead  = "head"
)

// headBlock is how many columns of the output matrix are kept together. The backend packs a
// wide matrix at every product; blocks of this size are 1.2 to 3 times faster from 50,000
// columns on, and no tensor of logits gets large.
const headBlock = 2048

func blockParam(l int, name string) string { return fmt.Sprintf("%d.%s", l, name) }

func (s param) size() int {
	n := 1
	for _, d := range s.dims {
		n *= d
	}
	return n
}

// params lists all parameters of the decoder: those that graphs take, in their order, then the embedding
// unless the output matrix is the embedding.
func (c *Config) params() []param {
	d := c.Hidden
	var out []param
	for l := range c.Layers {
		out = append(out, c.blockParams(l)...)
	}
	out = append(out, c.gain(paramNorm, c.names.norm, d, 1))
	head := c.names.head
	if c.Tied {
		head = c.names.embed
	}
	shape := []int{c.Vocab, d}
	for from := 0; from < c.Vocab; from += headBlock {
		n := min(headBlock, c.Vocab-from)
		out = append(out, param{name: headParam(from / headBlock), dims: []int{d, n},
			parts: []part{{tensor: head + ".weight", shape: shape, from: from, n: n}}})
	}
	if c.Tied {
		return out
	}
	return append(out, param{name: paramEmbed, dims: shape, kind: table,
		parts: []part{{tensor: c.names.embed + ".weight", shape: shape, n: c.Vocab}}})
}

func headParam(i int) string { return fmt.Sprintf("%s.%d", paramHead, i) }

// headBlocks is the number of blocks of the output matrix.
func (c *Config) headBlocks() int { return (c.Vocab + headBlock - 1) / headBlock }

// gain is a norm's vector of n values, repeated.
func (c *Config) gain(name, tensor string, n, repeat int) param {
	return param{name: name, dims: []int{1, n * repeat}, kind: vector,
		parts: []part{{tensor: tensor + ".weight", shape: []int{n}, n: n, repeat: repeat, add: c.NormOffset}}}
}

func (c *Config) blockParams(l int) []param {
	n, d := c.names, c.Hidden
	prefix := fmt.Sprintf(n.block, l)
	of := func(name string) string { return blockParam(l, name) }
	out := []param{c.gain(of("attn_norm"), prefix+n.attnNorm, d, 1)}
	out = append(out, c.linear(of("qkv"), prefix, d, c.QKVBias,
		[]string{n.q, n.k, n.v}, n.qkv, []int{c.QueryDim(), c.KVDim(), c.KVDim()})...)
	if c.QKNorm {
		q, k := c.gain(of("qk_norm"), prefix+n.qNorm, c.HeadDim, c.Heads), c.gain("", prefix+n.kNorm, c.HeadDim, c.KVHeads)
		q.dims[1] += k.dims[1]
		q.parts = append(q.parts, k.parts...)
		out = append(out, q)
	}
	out = append(out, c.linear(of("o"), prefix, c.QueryDim(), c.OutBias, []string{n.o}, "", []int{d})...)
	if c.PostNorms {
		out = append(out, c.gain(of("post_attn"), prefix+n.postAttn, d, 1))
	}
	out = append(out, c.gain(of("mlp_norm"), prefix+n.mlpNorm, d, 1))
	out = append(out, c.linearPart(of("gate"), prefix, d, c.MLPBias, n.gate, n.gateUp, 0, c.Inner, 2*c.Inner)...)
	out = append(out, c.linearPart(of("up"), prefix, d, c.MLPBias, n.up, n.gateUp, c.Inner, c.Inner, 2*c.Inner)...)
	out = append(out, c.linear(of("down"), prefix, c.Inner, c.MLPBias, []string{n.down}, "", []int{d})...)
	if c.PostNorms {
		out = append(out, c.gain(of("post_mlp"), prefix+n.postMLP, d, 1))
	}
	return out
}

// linear is a matrix [in, sum of outs] and its bias. Its parts are stored one by one, or all
// in one tensor if fused is not empty.
func (c *Config) linear(name, prefix string, in int, bias bool, tensors []string, fused string, outs []int) []param {
	if fused != "" {
		sum := 0
		for _, n := range outs {
			sum += n
		}
		return c.linear(name, prefix, in, bias, []string{fused}, "", []int{sum})
	}
	w := param{name: name, dims: []int{in, 0}}
	b := param{name: name + "_bias", dims: []int{1, 0}, kind: vector}
	for i, n := range outs {
		w.dims[1] += n
		b.dims[1] += n
		w.parts = append(w.parts, part{tensor: prefix + tensors[i] + ".weight", shape: []int{n, in}, n: n})
		b.parts = append(b.parts, part{tensor: prefix + tensors[i] + ".bias", shape: []int{n}, n: n, repeat: 1})
	}
	if !bias {
		return []param{w}
	}
	return []param{w, b}
}

// linearPart is linear for one matrix that may be rows [from, from+n) of a fused tensor of
// all rows.
func (c *Config) linearPart(name, prefix string, in int, bias bool, tensor, fused string, from, n, all int) []param {
	out := c.linear(name, prefix, in, bias, []string{tensor}, "", []int{n})
	if fused == "" {
		return out
	}
	for i := range out {
		p := &out[i].parts[0]
		p.from, p.shape[0] = from, all
		p.tensor = prefix + fused + map[bool]string{true: ".weight", false: ".bias"}[out[i].kind == matrix]
	}
	return out
}
