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

// run writes what items became to results and, of texts that go on, their keys and values to grown.
func (p *pass) run(results []engine.Result, grown []*tensors.Tensor) error {
	p.rows = p.m.sizes.bucket(len(p.which))
	p.plan(results)
	kind := passKind{last: p.last, read: fmt.Sprint(p.reads.layers), head: len(p.head.lines) > 0, brings: p.past > 0, keep: p.keep}
	params, values := p.m.body(p.last)
	program, err := p.m.program(kind, func(in *inputs) []*node { return p.m.build(in, params, kind, p.reads.layers) })
	if err != nil {
		return err
	}
	c := &call{dev: p.m.dev}
	p.addTexts(c)
	tables, places, err := p.m.tables(p.prompts(), p.all)
	if err != nil {
		return err
	}
	c.intRows(places)
	if err := p.m.addEdits(c, &p.edits); err != nil {
		return err
	}
	p.reads.add(c, p.m.sizes)
	if kind.head {
		c.ints(func(x []int32) { copy(x, p.head.lines) }, p.m.sizes.bucket(len(p.head.lines)))
	}
	if p.keep {
		p.addPast(c)
	}
	c.keep(tables.tensors...)
	c.keep(values...)
	out, err := c.run(program)
	if err != nil {
		return err
	}
	if p.keep {
		first := len(out) - p.rows
		for b, i := range p.which {
			grown[i] = out[first+b]
		}
		free(out[first+len(p.which):])
		out = out[:first]
	}
	defer free(out)
	if len(p.reads.layers) > 0 {
		if err := p.collect(out[0], results); err != nil {
			return err
		}
	}
	if kind.head {
		return p.head.run(out[len(out)-1])
	}
	return nil
}

// plan lists what is added and what is read, and makes room for it.
func (p *pass) plan(results []engine.Result) {
	lines := p.rows * p.new
	p.edits = newEdits(p.last+1, lines)
	p.head = head{m: p.m}
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

// addPast adds where each position of a text is among the P earlier and the S new ones, as lines of all
// rows' keys [B·K·T, 1], and the keys and values that texts bring.
func (p *pass) addPast(c *call) {
	heads, together := p.m.config.KVHeads, p.past+p.new
	c.ints(func(x []int32) {
		for row := range p.rows * heads {
			past, _ := p.before(row / heads)
			for j := range p.all {
				at := j
				if j >= past {
					at = p.past + j - past // a new one
				}
				if at >= together {
					at = 0 // not a position of the text: it is masked
				}
				x[row*p.all+j] = int32(row*together + at)
			}
		}
	}, p.rows*heads*p.all, 1)
	if p.past == 0 {
		return
	}
	for b := range p.rows {
		it := p.item(b)
		if it == nil {
			it = p.item(0)
		}
		c.keep(it.Sequence.(*sequence).kept.tensor)
	}
}

// collect gives items the lines that were read for them, [len(layers)·W, d].
func (p *pass) collect(lines *tensors.Tensor, results []engine.Result) error {
	d := p.m.config.Hidden
	return read(lines, func(x []float32) {
		for b, i := range p.which {
			for _, w := range p.item(b).Residuals {
				at := p.reads.find(w.Layer, b*p.new+w.Token, p.m.sizes)
				results[i].Residuals = append(results[i].Residuals, slices.Clone(x[at*d:(at+1)*d]))
			}
		}
	})
}
