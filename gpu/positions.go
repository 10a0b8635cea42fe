package gpu

import (
	"sync"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// positionsOf writes the cosines and sines of positions for every position encoding.
type positionsOf struct {
	c *arch.Config

	mu     sync.Mutex
	tables map[tableKey]*arch.RopeTable
}

// A tableKey tells tables apart: prompt is the class of the prompt's length.
type tableKey struct{ rope, prompt int }

// fill writes the rows of positions at cos and sin [len(at), Dim/2] for encoding i; at[m] is
// token m's position and prompt[m] the length of the prompt that it belongs to.
func (p *positionsOf) fill(i int, cos, sin []float32, at, prompt []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	half := p.c.Ropes[i].Dim / 2
	for m, pos := range at {
		co, si := p.table(i, prompt[m]).At(pos)
		copy(cos[m*half:], co)
		copy(sin[m*half:], si)
	}
}

func (p *positionsOf) table(i, prompt int) *arch.RopeTable {
	r := p.c.Ropes[i]
	key := tableKey{rope: i, prompt: r.Class(prompt, p.c.MaxPositions)}
	t := p.tables[key]
	if t == nil {
		t = r.Table(key.prompt, p.c.MaxPositions)
		if p.tables == nil {
			p.tables = map[tableKey]*arch.RopeTable{}
		}
		p.tables[key] = t
	}
	return t
}

// addPositions adds the inputs that follow from the new tokens' positions: cosines and sines
// for every encoding, [M, Dim/2], and the queries' factor [M, 1] where the model has one.
func (d *Decoder) addPositions(c *call, at, prompt []int) {
	for i, r := range d.config.Ropes {
		half := r.Dim / 2
		var cos []float32
		c.floats(func(x []float32) { cos = x }, len(at), half)
		c.floats(func(sin []float32) {
			if c.err == nil {
				d.positions.fill(i, cos, sin, at, prompt)
			}
		}, len(at), half)
	}
	if d.config.LognBase > 0 {
		c.floats(func(x []float32) {
			for m, pos := range at {
				x[m] = d.config.LogN(pos)
			}
		}, len(at), 1)
	}
}
