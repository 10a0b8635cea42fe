package arch

import "sync"

// Turns holds cosines and sines by position, for each encoding of a model and each class of prompts. Any
// number of goroutines may use it.
type Turns struct {
	c *Config

	mu     sync.Mutex
	tables map[[2]int]*RopeTable
}

// NewTurns makes an empty one; angles are computed as they are asked for.
func NewTurns(c *Config) *Turns { return &Turns{c: c, tables: map[[2]int]*RopeTable{}} }

// At returns the cosines and sines of a position under encoding i, in a text whose prompt has so many tokens.
func (t *Turns) At(i, prompt, position int) (cos, sin []float32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rope := t.c.Ropes[i]
	key := [2]int{i, rope.Class(prompt, t.c.MaxPositions)}
	table := t.tables[key]
	if table == nil {
		table = rope.Table(key[1], t.c.MaxPositions)
		t.tables[key] = table
	}
	return table.At(position)
}
