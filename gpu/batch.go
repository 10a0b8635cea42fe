package gpu

import (
	"math"
	"math/bits"
	"slices"
	"sync"
)

// bucket rounds a length up so that few shapes occur: to a multiple of 16, and of a quarter
// of the largest power of two below it for long texts (at most a quarter is padding).
//
// Multiples of 16 are the width of the widest vector register. A padded position then adds
// exact zeros in its own lane and does not change the order in which the others are summed.
func bucket(n int) int {
	step := max(16, (1<<bits.Len(uint(max(n, 1)))>>1)/4)
	return (max(n, 1) + step - 1) / step * step
}

// fineBucket is bucket with steps of 4 up to 64, for continuations, which are many and short.
func fineBucket(n int) int {
	if n <= 64 {
		return (max(n, 1) + 3) / 4 * 4
	}
	return bucket(n)
}

// A batch is texts that run together: rows of equal padded length.
type batch struct {
	s       int   // padded length
	b       int   // rows; those beyond len(members) are padding
	members []int // indices of the texts
}

// planBatches groups texts by their bucket and cuts the groups so that a batch has at most limit
// tokens, or one row. The last batch of a group has the smallest power of two of rows that
// holds it. The plan follows from the lengths alone.
func planBatches(lengths []int, bucket func(int) int, limit int) []batch {
	groups := map[int][]int{}
	for i, n := range lengths {
		groups[bucket(n)] = append(groups[bucket(n)], i)
	}
	var out []batch
	for _, s := range sortedKeys(groups) {
		full := max(1, limit/s)
		for members := range slices.Chunk(groups[s], full) {
			out = append(out, batch{s: s, b: min(full, powerOfTwo(len(members))), members: members})
		}
	}
	return out
}

func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

func sortedKeys[V any](m map[int]V) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

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
