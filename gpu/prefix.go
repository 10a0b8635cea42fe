package gpu

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
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

// runPrefixes computes the keys and values of prompts without their last tokens. Rows with
// the same tokens share a prefix unless a row has a push that reaches the prompt.
//
// Calls often have the prompts of the call before, with other pushes: then nothing is
// computed. The store is only used again for exactly the same list of prefixes, whose batches
// would be the same, so that results do not depend on what was called before.
func (d *Decoder) runPrefixes(ctx context.Context, prompts [][]int32, pushes func(row int) []Push) (*prefixes, error) {
	p := &prefixes{kept: true}
	var texts [][]int32
	var owner []int // a row of each prefix
	var all strings.Builder
	seen := map[string]int{}
	for i, prompt := range prompts {
		key := tokenKey(prompt[:len(prompt)-1])
		if reachesPrompt(pushes(i)) {
			key += fmt.Sprint(" pushed ", i)
			p.kept = false
		}
		at, ok := seen[key]
		if !ok {
			at = len(texts)
			seen[key] = at
			texts = append(texts, prompt[:len(prompt)-1])
			owner = append(owner, i)
			fmt.Fprintf(&all, "%d:%s", len(key), key)
		}
		p.of = append(p.of, at)
	}
	if p.kept && d.lastPrefixes != nil && d.lastPrefixes.key == all.String() {
		p.prefixStore = d.lastPrefixes
		return p, nil
	}
	store, err := d.newPrefixStore(ctx, texts, owner, pushes)
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

func (d *Decoder) newPrefixStore(ctx context.Context, texts [][]int32, owner []int, pushes func(row int) []Push) (*prefixStore, error) {
	p := &prefixStore{}
	for _, t := range texts {
		p.length = append(p.length, len(t))
	}
	plan := planBatches(p.length, bucket, prefixTokens)
	p.batch, p.row = make([]int, len(texts)), make([]int, len(texts))
	p.kv = make([][]*tensors.Tensor, len(plan))
	for i, b := range plan {
		p.s = append(p.s, b.s)
		for row, text := range b.members {
			p.batch[text], p.row[text] = i, row
		}
	}
	err := each(ctx, len(plan), func(i int) (err error) {
		p.kv[i], err = d.runPrefix(plan[i], texts, owner, pushes)
		return err
	})
	if err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

// runPrefix runs one batch; it returns k₀, v₀, k₁, … [B·K, S, h].
func (d *Decoder) runPrefix(plan batch, texts [][]int32, owner []int, pushes func(row int) []Push) ([]*tensors.Tensor, error) {
	table := newPushTable(d.config.Hidden, plan.b, func(row int) []Push {
		if row >= len(plan.members) {
			return nil
		}
		var all []Push
		for _, p := range pushes(owner[plan.members[row]]) {
			if p.Positions == All {
				all = append(all, p)
			}
		}
		return all
	})
	push := table.at(plan.b, plan.s, func(Positions, int, int) bool { return true })
	program, err := d.prefix.get(d.dev, variant{pushed: push != nil})
	if err != nil {
		return nil, err
	}
	c := &call{dev: d.dev}
	d.addTexts(c, plan, texts, 1)
	push.add(c)
	c.keep(d.params...)
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
		f.w, f.cache = bind(d.slots, in.nodes), cache
		x = graph.Reshape(x, dims[0]*dims[1], dims[2])
		for l := range d.config.Layers - 1 {
			x = f.block(l, x)
		}
		k, values := f.keysAndValues(d.config.Layers-1, x)
		return append(cache.kv, k, values)
	}
}

func reachesPrompt(pushes []Push) bool {
	for _, p := range pushes {
		if p.Positions == All {
			return true
		}
	}
	return false
}

// tokenKey is a text's tokens as a map key.
func tokenKey(tokens []int32) string {
	out := make([]byte, 0, 4*len(tokens))
	for _, t := range tokens {
		out = append(out, byte(t), byte(t>>8), byte(t>>16), byte(t>>24))
	}
	return string(out)
}

// copyKeys writes the turned keys of a row's prefix in layer l to dst [K, h, T] and the
// values to values [K, T, h]; T ≥ the prefix's length.
func (p *prefixes) copyTurned(c *Config, l, row int, dst, values []float32, t int) error {
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
func (p *prefixes) copyPlain(c *Config, l, row int, dst, values []float32, width int) error {
	return p.visit(c, l, row, func(head int, k, v []float32) {
		n := p.length[p.of[row]] * c.HeadDim
		copy(dst[head*width*c.HeadDim:], k[:n])
		copy(values[head*width*c.HeadDim:], v[:n])
	})
}

// visit shows f the keys and values [S, h] of each head of a row's prefix in layer l.
func (p *prefixes) visit(c *Config, l, row int, f func(head int, k, v []float32)) error {
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
