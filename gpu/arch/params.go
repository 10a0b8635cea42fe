package arch

import "fmt"

// A Param is one parameter as a decoder uses it: a matrix [in, out], a vector [1, n], or a table
// [Vocab, Hidden]. It may be put together from several stored tensors (q, k and v become one
// matrix) and a stored tensor may feed several params (Phi-3's gate_up_proj).
type Param struct {
	Name  string
	Dims  []int
	Parts []Part
	Kind  Kind
}

// A Part is the rows [From, From+N) of a stored tensor of the given shape. In a matrix
// they become columns, next to those of the parts before.
type Part struct {
	Tensor  string
	Shape   []int
	From, N int
	Repeat  int     // vectors only: how many copies follow each other, at least 1
	Add     float32 // added to each value
}

// A Kind says how a Param's values follow from the stored ones.
type Kind int

// The kinds of params.
const (
	Matrix Kind = iota // stored [out, in]; its dimensions are [in, out]
	Table              // as stored: the embedding and the output matrix, a row for each token
	Vector
)

// Names of the params that belong to no block.
const (
	Embed = "embed"
	Norm  = "norm"
	Head  = "head"
)

// BlockParam is the name of a param of block l.
func BlockParam(l int, name string) string { return fmt.Sprintf("%d.%s", l, name) }

// Size is the number of the param's values.
func (s Param) Size() int {
	n := 1
	for _, d := range s.Dims {
		n *= d
	}
	return n
}

// Bytes is what the param takes where the values of matrices and tables have so many bytes each; those of vectors have
// four.
func (s Param) Bytes(matrix int) int {
	if s.Kind == Vector {
		return 4 * s.Size()
	}
	return matrix * s.Size()
}

// Params lists all parameters of the decoder: the blocks', the last norm's, the embedding, and the
// output matrix unless it is the embedding.
func (c *Config) Params() []Param {
	var out []Param
	for l := range c.Layers {
		out = append(out, c.blockParams(l)...)
	}
	out = append(out, c.gain(Norm, c.names.norm, c.Hidden, 1), c.table(Embed, c.names.embed))
	if !c.Tied {
		out = append(out, c.table(Head, c.names.head))
	}
	return out
}

func (c *Config) table(name, tensor string) Param {
	shape := []int{c.Vocab, c.Hidden}
	return Param{Name: name, Dims: shape, Kind: Table, Parts: []Part{{Tensor: tensor + ".weight", Shape: shape, N: c.Vocab}}}
}

// gain is a norm's vector of n values, repeated.
func (c *Config) gain(name, tensor string, n, repeat int) Param {
	return Param{Name: name, Dims: []int{1, n * repeat}, Kind: Vector,
		Parts: []Part{{Tensor: tensor + ".weight", Shape: []int{n}, N: n, Repeat: repeat, Add: c.NormOffset}}}
}

func (c *Config) blockParams(l int) []Param {
	n, d := c.names, c.Hidden
	prefix := fmt.Sprintf(n.block, l)
	of := func(name string) string { return BlockParam(l, name) }
	out := []Param{c.gain(of("attn_norm"), prefix+n.attnNorm, d, 1)}
	out = append(out, c.linear(of("qkv"), prefix, d, c.QKVBias,
		[]string{n.q, n.k, n.v}, n.qkv, []int{c.QueryDim(), c.KVDim(), c.KVDim()})...)
	if c.QKNorm {
		q, k := c.gain(of("qk_norm"), prefix+n.qNorm, c.HeadDim, c.Heads), c.gain("", prefix+n.kNorm, c.HeadDim, c.KVHeads)
		q.Dims[1] += k.Dims[1]
		q.Parts = append(q.Parts, k.Parts...)
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
func (c *Config) linear(name, prefix string, in int, bias bool, tensors []string, fused string, outs []int) []Param {
	if fused != "" {
		sum := 0
		for _, n := range outs {
			sum += n
		}
		return c.linear(name, prefix, in, bias, []string{fused}, "", []int{sum})
	}
	w := Param{Name: name, Dims: []int{in, 0}}
	b := Param{Name: name + "_bias", Dims: []int{1, 0}, Kind: Vector}
	for i, n := range outs {
		w.Dims[1] += n
		b.Dims[1] += n
		w.Parts = append(w.Parts, Part{Tensor: prefix + tensors[i] + ".weight", Shape: []int{n, in}, N: n})
		b.Parts = append(b.Parts, Part{Tensor: prefix + tensors[i] + ".bias", Shape: []int{n}, N: n, Repeat: 1})
	}
	if !bias {
		return []Param{w}
	}
	return []Param{w, b}
}

// linearPart is linear for one matrix that may be rows [from, from+n) of a fused tensor of
// all rows.
func (c *Config) linearPart(name, prefix string, in int, bias bool, tensor, fused string, from, n, all int) []Param {
	out := c.linear(name, prefix, in, bias, []string{tensor}, "", []int{n})
	if fused == "" {
		return out
	}
	for i := range out {
		p := &out[i].Parts[0]
		p.From, p.Shape[0] = from, all
		p.Tensor = prefix + fused + map[bool]string{true: ".weight", false: ".bias"}[out[i].Kind == Matrix]
	}
	return out
}
