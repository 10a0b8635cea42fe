package gpu

import (
	"math"
	"sync"
)

// positionsOf writes the cosines and sines of positions for every position encoding.
type positionsOf struct {
	c *Config

	mu     sync.Mutex
	tables map[tableKey]*ropeTable
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
		co, si := p.table(i, prompt[m]).at(pos)
		copy(cos[m*half:], co)
		copy(sin[m*half:], si)
	}
}

func (p *positionsOf) table(i, prompt int) *ropeTable {
	r := p.c.Ropes[i]
	key := tableKey{rope: i, prompt: r.class(prompt, p.c.MaxPositions)}
	t := p.tables[key]
	if t == nil {
		t = &ropeTable{freq: r.frequencies(key.prompt, p.c.MaxPositions), factor: r.AttnFactor}
		if p.tables == nil {
			p.tables = map[tableKey]*ropeTable{}
		}
		p.tables[key] = t
	}
	return t
}

// logn is the factor of the query at a position (Config.LognBase).
func (c *Config) logn(pos int) float32 {
	if c.LognBase == 0 || pos < c.LognBase {
		return 1
	}
	return float32(math.Log(float64(pos+1)) / math.Log(float64(c.LognBase)))
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
				x[m] = d.config.logn(pos)
			}
		}, len(at), 1)
	}
}
