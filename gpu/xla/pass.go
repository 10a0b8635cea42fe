package xla

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// A pass is one run of items of one shape, a row each: row b's tokens are lines [b·S, (b+1)·S). Rows and
// tokens beyond the items' are padding: nothing looks at them.
type pass struct {
	m *Model
	shape
	items []engine.Item
	which []int // the item of each row

	rows  int // with padding, B
	edits edits
	reads reads
	head  head
	call  *call

	blocks []*kept // that texts bring
	kept   kept    // what it leaves
}

// item is what row b is for; rows that are padding have none.
func (p *pass) item(b int) *engine.Item {
	if b >= len(p.which) {
		return nil
	}
	return &p.items[p.which[b]]
}

// before is the number of tokens before row b's, and the length of the prompt by which it turns.
func (p *pass) before(b int) (past, prompt int) {
	it := p.item(b)
	switch {
	case it == nil:
		return 0, 0
	case it.Sequence != nil:
		s := it.Sequence.(*sequence)
		return s.length, s.prompt
	case it.Prompt != 0:
		return 0, it.Prompt
	}
	return 0, len(it.Tokens)
}

// prepare gathers what the pass and its head take. It computes nothing yet.
func (p *pass) prepare(results []engine.Result) (err error) {
	p.rows = p.m.sizes.bucket(len(p.which))
	p.plan(results)
	kind := passKind{last: p.last, read: fmt.Sprint(p.reads.layers), head: len(p.head.lines) > 0, keep: p.keep, blocks: len(p.blocks)}
	params, values := p.m.body(p.last)
	c := &call{dev: p.m.dev}
	p.call = c
	c.program, err = p.m.program(kind, func(in *inputs) []*node { return p.m.build(in, params, kind, p.reads.layers) })
	if err != nil {
		return err
	}
	p.addTexts(c)
	tables, places, err := p.m.tables(p.prompts(), p.all)
	if err != nil {
		return err
	}
	c.intRows(places)
	if err := p.m.addEdits(c, &p.edits); err != nil {
		return err
	}
	p.reads.add(c)
	if kind.head {
		c.ints(func(x []int32) { copy(x, p.head.lines) }, p.head.width())
	}
	if p.keep {
		p.addPast(c)
	}
	c.keep(tables...)
	c.keep(values...)
	return firstError(c.err, p.head.prepare())
}

// run writes what items became to results and, of texts that go on, their keys and values to p.kept.
func (p *pass) run(results []engine.Result) error {
	out, err := p.call.run()
	if err != nil {
		return err
	}
	if p.keep {
		first := len(out) - 2*p.m.config.Layers
		p.kept.rows, p.kept.slots, p.kept.tensors = p.rows, p.all, out[first:]
		out = out[:first]
	}
	defer free(out)
	if len(p.reads.layers) > 0 {
		if err := p.collect(out[0], results); err != nil {
			return err
		}
	}
	if len(p.head.lines) > 0 {
		return p.head.run(out[len(out)-1])
	}
	return nil
}

// calls are those of the pass and of its head.
func (p *pass) calls() []*call {
	out := []*call{p.call}
	for _, part := range p.head.parts {
		out = append(out, part.call)
	}
	return out
}

// plan lists what is added and what is read, and makes room for it.
func (p *pass) plan(results []engine.Result) {
	lines := p.rows * p.new
	p.edits = newEdits(p.last+1, lines)
	p.head, p.reads = head{m: p.m}, reads{sizes: p.m.sizes}
	for b, i := range p.which {
		it, first, out := p.item(b), b*p.new, &results[i]
		for _, e := range it.Edits {
			if e.Layer <= p.last && !e.Zero() {
				p.edits.put(e.Layer, first+e.From, first+e.To, e.Vector)
			}
		}
		for _, w := range it.Residuals {
			p.reads.want(w.Layer, first+w.Token)
		}
		if out.Logits = it.Into; it.Into == nil {
			for range it.Logits {
				out.Logits = append(out.Logits, make([]float32, p.m.config.Vocab))
			}
		}
		for j, token := range it.Logits {
			p.head.want(first+token, wish{logits: out.Logits[j]})
		}
		if it.Next != nil {
			out.NLL = make([]float32, len(it.Next))
		}
		for token, next := range it.Next {
			if next >= 0 {
				p.head.want(first+token, wish{next: next, nll: &out.NLL[token]})
			}
		}
	}
	slices.Sort(p.reads.layers)
	for b := range p.which {
		if s, ok := p.item(b).Sequence.(*sequence); ok && s.kept != nil && !slices.Contains(p.blocks, s.kept) {
			p.blocks = append(p.blocks, s.kept)
		}
	}
}

// addTexts adds the new tokens [B, S] and how many are before them [B].
func (p *pass) addTexts(c *call) {
	c.ints(func(x []int32) {
		for b := range p.which {
			copy(x[b*p.new:], p.item(b).Tokens)
		}
	}, p.rows, p.new)
	c.ints(func(x []int32) {
		for b := range x {
			past, _ := p.before(b)
			x[b] = int32(past)
		}
	}, p.rows)
}

// prompts are the lengths of the prompts by which rows turn.
func (p *pass) prompts() []int {
	out := make([]int, p.rows)
	for b := range out {
		_, out[b] = p.before(b)
	}
	return out
}

// addPast adds where each position of a text is among the lines of all keys [B·K·T, 1], and the keys and values
// that texts bring. Lines are those of the blocks, one after the other, then the new tokens'.
func (p *pass) addPast(c *call) {
	heads, begin := p.m.config.KVHeads, map[*kept]int{}
	lines := 0
	for _, k := range p.blocks {
		begin[k] = lines
		lines += k.rows * heads * k.slots
	}
	c.ints(func(x []int32) {
		for row := range p.rows * heads {
			b, head := row/heads, row%heads
			past, old := 0, 0
			if it := p.item(b); it != nil {
				s := it.Sequence.(*sequence)
				if past = s.length; s.kept != nil {
					old = begin[s.kept] + (s.row*heads+head)*s.kept.slots
				}
			}
			for j := range p.all {
				at := old + j
				if j >= past {
					// A new one; what is beyond them is masked.
					at = lines + row*p.new + min(j-past, p.new-1)
				}
				x[row*p.all+j] = int32(at)
			}
		}
	}, p.rows*heads*p.all, 1)
	for _, k := range p.blocks {
		c.keep(k.tensors...)
	}
}

// collect gives items the lines that were read for them, [len(layers)·W, d].
func (p *pass) collect(lines *tensors.Tensor, results []engine.Result) error {
	d := p.m.config.Hidden
	return read(lines, func(x []float32) {
		for b, i := range p.which {
			for _, w := range p.item(b).Residuals {
				at := p.reads.find(w.Layer, b*p.new+w.Token)
				results[i].Residuals = append(results[i].Residuals, slices.Clone(x[at*d:(at+1)*d]))
			}
		}
	})
}
