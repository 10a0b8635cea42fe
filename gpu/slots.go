package gpu

import "fmt"

// A slot is one weight as the decoder keeps it: a matrix [in, out], a vector [1, n], or the
// embedding [Vocab, Hidden]. A slot may be put together from several stored tensors
// (q, k and v become one matrix) and a stored tensor may feed several slots (Phi-3's
// gate_up_proj).
type slot struct {
	name  string
	dims  []int
	parts []part
	kind  slotKind
}

// A part is the rows [from, from+n) of a stored tensor of the given shape. In a matrix slot
// they become columns, next to those of the parts before.
type part struct {
	tensor  string
	shape   []int
	from, n int
	repeat  int     // vectors only: how many copies follow each other, at least 1
	add     float32 // added to each value
}

type slotKind int

const (
	matrix slotKind = iota // stored [out, in], kept [in, out]
	table                  // kept as stored
	vector
)

// Names of slots outside the blocks, and of a block's slots behind its prefix.
const (
	slotEmbed = "embed"
	slotNorm  = "norm"
	slotHead  = "head"
)

// headBlock is how many columns of the output matrix are kept together. The backend packs a
// wide matrix at every product; blocks of this size are 1.2 to 3 times faster from 50,000
// columns on, and no tensor of logits gets large.
const headBlock = 2048

func blockSlot(l int, name string) string { return fmt.Sprintf("%d.%s", l, name) }

func (s slot) size() int {
	n := 1
	for _, d := range s.dims {
		n *= d
	}
	return n
}

// names are a family's tensor names; those of a block follow its prefix and end in
// ".weight" or ".bias".
type names struct {
	embed, norm, head, block        string // block has one %d
	q, k, v, o, gate, up, down      string
	qkv, gateUp                     string // fused tensors, "" where the family has none
	attnNorm, mlpNorm               string // before attention, before the feed-forward part
	postAttn, postMLP, qNorm, kNorm string
	unread                          []string // beginnings of the names of tensors that are not the decoder's
}

// under is n for a decoder that is part of a larger model: its tensors' names begin with prefix.
func (n names) under(prefix string) names {
	n.embed, n.norm, n.head, n.block = prefix+n.embed, prefix+n.norm, prefix+n.head, prefix+n.block
	return n
}

var llamaNames = names{
	embed: "model.embed_tokens", norm: "model.norm", head: "lm_head", block: "model.layers.%d.",
	q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj", o: "self_attn.o_proj",
	gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj",
	attnNorm: "input_layernorm", mlpNorm: "post_attention_layernorm",
	qNorm: "self_attn.q_norm", kNorm: "self_attn.k_norm",
}

var qwenNames = names{
	embed: "transformer.wte", norm: "transformer.ln_f", head: "lm_head", block: "transformer.h.%d.",
	qkv: "attn.c_attn", o: "attn.c_proj",
	gate: "mlp.w2", up: "mlp.w1", down: "mlp.c_proj", // w1(x)·silu(w2(x))
	attnNorm: "ln_1", mlpNorm: "ln_2",
}

var gemmaNames = func() names {
	n := llamaNames
	n.mlpNorm, n.postAttn, n.postMLP = "pre_feedforward_layernorm", "post_attention_layernorm", "post_feedforward_layernorm"
	return n
}()

// slots lists every weight of the decoder, in the order in which graphs take them: those
// that graphs take, then the embedding unless the output matrix is the embedding.
func (c *Config) slots() []slot {
	d := c.Hidden
	var out []slot
	for l := range c.Layers {
		out = append(out, c.blockSlots(l)...)
	}
	out = append(out, c.gain(slotNorm, c.names.norm, d, 1))
	head := c.names.head
	if c.Tied {
		head = c.names.embed
	}
	shape := []int{c.Vocab, d}
	for from := 0; from < c.Vocab; from += headBlock {
		n := min(headBlock, c.Vocab-from)
		out = append(out, slot{name: headSlot(from / headBlock), dims: []int{d, n},
			parts: []part{{tensor: head + ".weight", shape: shape, from: from, n: n}}})
	}
	if c.Tied {
		return out
	}
	return append(out, slot{name: slotEmbed, dims: shape, kind: table,
		parts: []part{{tensor: c.names.embed + ".weight", shape: shape, n: c.Vocab}}})
}

func headSlot(i int) string { return fmt.Sprintf("%s.%d", slotHead, i) }

// headBlocks is the number of blocks of the output matrix.
func (c *Config) headBlocks() int { return (c.Vocab + headBlock - 1) / headBlock }

// gain is a norm's vector of n values, repeated.
func (c *Config) gain(name, tensor string, n, repeat int) slot {
	return slot{name: name, dims: []int{1, n * repeat}, kind: vector,
		parts: []part{{tensor: tensor + ".weight", shape: []int{n}, n: n, repeat: repeat, add: c.NormOffset}}}
}

func (c *Config) blockSlots(l int) []slot {
	n, d := c.names, c.Hidden
	prefix := fmt.Sprintf(n.block, l)
	of := func(name string) string { return blockSlot(l, name) }
	out := []slot{c.gain(of("attn_norm"), prefix+n.attnNorm, d, 1)}
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
func (c *Config) linear(name, prefix string, in int, bias bool, tensors []string, fused string, outs []int) []slot {
	if fused != "" {
		sum := 0
		for _, n := range outs {
			sum += n
		}
		return c.linear(name, prefix, in, bias, []string{fused}, "", []int{sum})
	}
	w := slot{name: name, dims: []int{in, 0}}
	b := slot{name: name + "_bias", dims: []int{1, 0}, kind: vector}
	for i, n := range outs {
		w.dims[1] += n
		b.dims[1] += n
		w.parts = append(w.parts, part{tensor: prefix + tensors[i] + ".weight", shape: []int{n, in}, n: n})
		b.parts = append(b.parts, part{tensor: prefix + tensors[i] + ".bias", shape: []int{n}, n: n, repeat: 1})
	}
	if !bias {
		return []slot{w}
	}
	return []slot{w, b}
}

// linearPart is linear for one matrix that may be rows [from, from+n) of a fused tensor of
// all rows.
func (c *Config) linearPart(name, prefix string, in int, bias bool, tensor, fused string, from, n, all int) []slot {
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
