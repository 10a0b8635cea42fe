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
	p.rows = bucket(len(p.which), leastRow)
	p.plan()
	params, values := p.m.body(p.last)
	program, err := p.m.program(variant{name: "pass", last: p.last, read: fmt.Sprint(p.reads.layers), past: p.past > 0, keep: p.keep},
		func(in *inputs) []*node { return p.m.build(in, params, p.last, p.reads.layers, p.past > 0, p.keep) })
	if err != nil {
		return err
	}
	c := &call{dev: p.m.dev}
	p.addTokens(c)
	p.addPositions(c)
	p.addMasks(c)
	p.edits.add(c, p.m.config.Hidden)
	p.reads.add(c)
	if p.keep {
		p.addPast(c)
	}
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
	if len(out) == 0 {
		return nil
	}
	return p.collect(out[0], results)
}

// plan lists what is added and what is read.
func (p *pass) plan() {
	lines := p.rows * p.new
	p.edits = newEdits(p.last+1, lines)
	for b := range p.which {
		it, first := p.item(b), b*p.new
		for _, e := range it.Edits {
			if e.Layer <= p.last && !e.Zero() {
				p.edits.put(e.Layer, first+e.From, first+e.To, e.Vector)
			}
		}
		for _, w := range it.Residuals {
			p.reads.want(w.Layer, first+w.Token)
		}
		for _, token := range it.Logits {
			p.reads.want(p.last, first+token)
		}
		for token, next := range it.Next {
			if next >= 0 {
				p.reads.want(p.last, first+token)
			}
		}
	}
	slices.Sort(p.reads.layers)
}

func (p *pass) addTokens(c *call) {
	c.ints(func(x []int32) {
		for b := range p.which {
			copy(x[b*p.new:], p.item(b).Tokens)
		}
	}, p.rows, p.new)
}

// addPositions adds cosines and sines of every encoding [M, Dim/2] and, where the family has it, the factor
// of queries [M, 1].
func (p *pass) addPositions(c *call) {
	config := p.m.config
	for e, rope := range config.Ropes {
		half := rope.Dim / 2
		for part := range 2 {
			c.floats(func(x []float32) {
				for b := range p.rows {
					past, prompt := p.before(b)
					for j := range p.new {
						cos, sin := p.m.turns.At(e, prompt, past+j)
						copy(x[(b*p.new+j)*half:], [][]float32{cos, sin}[part])
					}
				}
			}, p.rows*p.new, half)
		}
	}
	if config.LognBase > 0 {
		c.floats(func(x []float32) {
			for i := range x {
				past, _ := p.before(i / p.new)
				x[i] = config.LogN(past + i%p.new)
			}
		}, p.rows*p.new, 1)
	}
}

// addMasks adds a mask [B, S, T] for every window.
func (p *pass) addMasks(c *call) {
	for _, window := range p.m.config.WindowSizes() {
		c.floats(func(x []float32) {
			for b := range p.rows {
				past, _ := p.before(b)
				fillMask(x[b*p.new*p.all:][:p.new*p.all], past, p.all, window)
			}
		}, p.rows, p.new, p.all)
	}
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

// collect gives items what was read for them, [len(layers)·W, d].
func (p *pass) collect(lines *tensors.Tensor, results []engine.Result) error {
	d := p.m.config.Hidden
	h := &head{m: p.m}
	err := read(lines, func(x []float32) {
		line := func(layer, at int) []float32 {
			i := p.reads.find(layer, at)
			return slices.Clone(x[i*d : (i+1)*d])
		}
		for b, i := range p.which {
			it, first, out := p.item(b), b*p.new, &results[i]
			for _, w := range it.Residuals {
				out.Residuals = append(out.Residuals, line(w.Layer, first+w.Token))
			}
			if out.Logits = it.Into; it.Into == nil {
				for range it.Logits {
					out.Logits = append(out.Logits, make([]float32, p.m.config.Vocab))
				}
			}
			for j, token := range it.Logits {
				h.logits = append(h.logits, wish{x: line(p.last, first+token), logits: out.Logits[j]})
			}
			if it.Next != nil {
				out.NLL = make([]float32, len(it.Next))
			}
			for token, next := range it.Next {
				if next >= 0 {
					h.likelihoods = append(h.likelihoods, wish{x: line(p.last, first+token), next: next, nll: &out.NLL[token]})
				}
			}
		}
	})
	if err != nil {
		return err
	}
	return h.run()
}
