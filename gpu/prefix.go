package gpu

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// prefixTokens bounds a batch of prefixes. They are few and short: small batches run side by
// side.
const prefixTokens = 256

// keptFloats bounds the keys and values that stay with the decoder for the next call: 256 MiB.
const keptFloats = 1 << 26

// A prefixStore holds the keys and values of the beginnings of texts.
type prefixStore struct {
	key    string
	length []int // of each prefix, may be 0
	kv     [][]*tensors.Tensor
	batch  []int // which batch each prefix is in
	row    []int // and at which row
	s      []int // padded length of each batch
}

func (p *prefixStore) free() {
	if p != nil {
		for _, kv := range p.kv {
			free(kv)
		}
	}
}

// prefixes are the beginnings of a call's rows, each computed once for all the rows that
// share it: row i begins with prefix of[i] of the store.
type prefixes struct {
	*prefixStore
	of   []int
	kept bool // the store stays with the decoder
}

// free releases the device's memory unless the store is kept.
func (p *prefixes) free() {
	if !p.kept {
		p.prefixStore.free()
	}
}

// longest is the largest padded length of a prefix.
func (p *prefixes) longest() int {
	n := 0
	for _, s := range p.s {
		n = max(n, s)
	}
	return n
}

// runPrefixes computes the keys and values of tasks' texts without their last tokens. Tasks with
// the same tokens share a prefix unless one has a push that reaches it.
//
// Calls often have the prompts of the call before, with other pushes: then nothing is
// computed. The store is only used again for exactly the same list of prefixes, whose batches
// would be the same, so that results do not depend on what was called before.
func (d *Decoder) runPrefixes(ctx context.Context, tasks []task) (*prefixes, error) {
	p := &prefixes{kept: true}
	var owners []*task // one of each prefix
	var all strings.Builder
	seen := map[string]int{}
	for i := range tasks {
		t := &tasks[i]
		key := tokenKey(t.prefix())
		if len(t.prefixPushes()) > 0 {
			key += fmt.Sprint(" pushed ", i)
			p.kept = false
		}
		at, ok := seen[key]
		if !ok {
			at = len(owners)
			seen[key] = at
			owners = append(owners, t)
			fmt.Fprintf(&all, "%d:%s", len(key), key)
		}
		p.of = append(p.of, at)
	}
	if p.kept && d.lastPrefixes != nil && d.lastPrefixes.key == all.String() {
		p.prefixStore = d.lastPrefixes
		return p, nil
	}
	store, err := d.newPrefixStore(ctx, owners)
	if err != nil {
		return nil, err
	}
	store.key = all.String()
	p.prefixStore = store
	if p.kept = p.kept && store.size() <= keptFloats; p.kept {
		d.lastPrefixes.free()
		d.lastPrefixes = store
	}
	return p, nil
}

// size is the number of values that the store holds.
func (p *prefixStore) size() int {
	n := 0
	for _, kv := range p.kv {
		for _, t := range kv {
			n += t.Size()
		}
	}
	return n
}

// prefix is the text without its last token.
func (t *task) prefix() []int32 { return t.text[:len(t.text)-1] }

// prefixPushes are the pushes that reach the prefix.
func (t *task) prefixPushes() []Push {
	var out []Push
	for _, p := range t.Push {
		if p.Positions == All || len(t.text) > len(t.Prompt) {
			out = append(out, p)
		}
	}
	return out
}

func (d *Decoder) newPrefixStore(ctx context.Context, owners []*task) (*prefixStore, error) {
	p := &prefixStore{}
	for _, t := range owners {
		p.length = append(p.length, len(t.prefix()))
	}
	plan := planBatches(p.length, bucket, prefixTokens)
	p.batch, p.row = make([]int, len(owners)), make([]int, len(owners))
	p.kv = make([][]*tensors.Tensor, len(plan))
	for i, b := range plan {
		p.s = append(p.s, b.s)
		for row, text := range b.members {
			p.batch[text], p.row[text] = i, row
		}
	}
	err := each(ctx, len(plan), func(i int) (err error) {
		p.kv[i], err = d.runPrefix(plan[i], owners)
		return err
	})
	if err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

// runPrefix runs one batch; it returns k₀, v₀, k₁, … [B·K, S, h].
func (d *Decoder) runPrefix(plan batch, owners []*task) ([]*tensors.Tensor, error) {
	texts := make([][]int32, len(owners))
	for i, t := range owners {
		texts[i] = t.prefix()
	}
	table := newPushTable(d.config.Hidden, plan.b, func(row int) []Push {
		if row >= len(plan.members) {
			return nil
		}
		return owners[plan.members[row]].prefixPushes()
	})
	push := table.at(plan.b, plan.s, func(p Positions, row, j int) bool {
		return p.reach(j, len(owners[plan.members[row]].Prompt)-1)
	})
	program, err := d.prefix.get(d.dev, variant{pushed: push != nil})
	if err != nil {
		return nil, err
	}
	c := &call{dev: d.dev}
	d.addTexts(c, plan, texts, 1)
	push.add(c)
	c.keep(d.values...)
	return c.run(program)
}

// buildPrefix is the graph of runPrefix. Of the last block only keys and values are needed.
func (d *Decoder) buildPrefix(v variant) (string, func([]*graph.Node) []*graph.Node) {
	return "prefix", func(nodes []*graph.Node) []*graph.Node {
		in := &inputs{nodes}
		x := in.next()
		dims := x.Shape().Dimensions
		f := in.forward(d.config, dims[0], dims[1], false, v.pushed)
		cache := &noPast{keep: true}
		f.w, f.cache = bind(d.params, in.nodes), cache
		x = graph.Reshape(x, dims[0]*dims[1], dims[2])
		for l := range d.config.Layers - 1 {
			x = f.block(l, x)
		}
		k, values := f.keysAndValues(d.config.Layers-1, x)
		return append(cache.kv, k, values)
	}
}

// tokenKey is a text's tokens as a map key.
func tokenKey(tokens []int32) string {
	out := make([]byte, 0, 4*len(tokens))
	for _, t := range tokens {
		out = append(out, byte(t), byte(t>>8), byte(t>>16), byte(t>>24))
	}
	return string(out)
}

// copyTransposed writes the transposed keys of a row's prefix in layer l to dst [K, h, T] and the
// values to values [K, T, h]; T ≥ the prefix's length.
func (p *prefixes) copyTransposed(c *arch.Config, l, row int, dst, values []float32, t int) error {
	return p.visit(c, l, row, func(head int, k, v []float32) {
		h := c.HeadDim
		for j := range p.length[p.of[row]] {
			for x := range h {
				dst[(head*h+x)*t+j] = k[j*h+x]
			}
		}
		copy(values[head*t*h:], v[:p.length[p.of[row]]*h])
	})
}

// copyPlain writes keys and values of a row's prefix to dst and values [K, P, h].
func (p *prefixes) copyPlain(c *arch.Config, l, row int, dst, values []float32, width int) error {
	return p.visit(c, l, row, func(head int, k, v []float32) {
		n := p.length[p.of[row]] * c.HeadDim
		copy(dst[head*width*c.HeadDim:], k[:n])
		copy(values[head*width*c.HeadDim:], v[:n])
	})
}

// visit shows f the keys and values [S, h] of each head of a row's prefix in layer l.
func (p *prefixes) visit(c *arch.Config, l, row int, f func(head int, k, v []float32)) error {
	i := p.of[row]
	kv, size := p.kv[p.batch[i]], p.s[p.batch[i]]*c.HeadDim
	return read(kv[2*l], func(k []float32) {
		_ = read(kv[2*l+1], func(v []float32) {
			for head := range c.KVHeads {
				at := (p.row[i]*c.KVHeads + head) * size
				f(head, k[at:at+size], v[at:at+size])
			}
		})
	})
}
