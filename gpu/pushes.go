package gpu

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// pushes steer: vectors [R, d] are added to the residual stream after their layers [R], on
// the tokens that select [M, R] names with ones. All three are inputs, so another vector,
// layer or position needs no new graph.
type pushes struct {
	vectors, layers, selects *node
}

// apply adds the vectors that belong after block l. A token without one keeps its bits: zero is
// added to it.
func (p *pushes) apply(l int, x *node) *node {
	if p == nil {
		return x
	}
	on := graph.ConvertDType(graph.Equal(p.layers, graph.Const(x.Graph(), int32(l))), dtypes.Float32)
	r := p.vectors.Shape().Dimensions
	on = graph.Reshape(on, r[0], 1)
	ones := graph.Ones(x.Graph(), shapes.Make(f32, 1, r[1]))
	return graph.Add(x, matmul(p.selects, graph.Mul(p.vectors, matmul(on, ones))))
}

// pushInputs are the steering inputs of one batch; see [pushes].
type pushInputs struct {
	tokens  int // M
	width   int
	vectors [][]float32
	layers  []int
	selects func(x []float32) // writes [M, R], R = len(layers)
}

// add adds vectors [R, d], layers [R] and selects [M, R]. A nil receiver adds nothing.
func (p *pushInputs) add(c *call) {
	if p == nil {
		return
	}
	r := len(p.layers)
	c.floats(func(x []float32) {
		for i, v := range p.vectors {
			copy(x[i*p.width:], v)
		}
	}, r, p.width)
	c.ints(func(x []int32) {
		for i, l := range p.layers {
			x[i] = int32(l)
		}
	}, r)
	c.floats(p.selects, p.tokens, r)
}

// pushTable lists the pushes of a batch's rows, in row order: push of entry i belongs to row
// rows[i]. Rows without pushes have no entry; the table is padded to a multiple of the
// number of rows so that few shapes occur.
type pushTable struct {
	pushInputs
	rows      []int
	positions []Positions
}

// newPushTable returns nil if no row has a push.
func newPushTable(width, rows int, pushes func(row int) []Push) *pushTable {
	t := &pushTable{}
	t.width = width
	for row := range rows {
		for _, p := range pushes(row) {
			t.vectors = append(t.vectors, p.Vector)
			t.layers = append(t.layers, p.Site.Layer)
			t.rows = append(t.rows, row)
			t.positions = append(t.positions, p.Positions)
		}
	}
	if len(t.rows) == 0 {
		return nil
	}
	for len(t.layers)%rows != 0 {
		t.layers = append(t.layers, -1) // no block has this number
	}
	return t
}

// at makes the inputs for rows of s tokens each: on says whether a push with these positions
// goes to token j of its row.
func (t *pushTable) at(rows, s int, on func(p Positions, row, j int) bool) *pushInputs {
	if t == nil {
		return nil
	}
	p := t.pushInputs
	p.tokens = rows * s
	p.selects = func(x []float32) {
		for i, row := range t.rows {
			for j := range s {
				if on(t.positions[i], row, j) {
					x[(row*s+j)*len(t.layers)+i] = 1
				}
			}
		}
	}
	return &p
}

// textPushes are the steering inputs of a batch of whole texts, whose last tokens count as their
// last prompt tokens.
func (d *Decoder) textPushes(plan batch, tokens [][]int32, push [][]Push) *pushInputs {
	table := newPushTable(d.config.Hidden, plan.b, func(row int) []Push {
		if push == nil || row >= len(plan.members) {
			return nil
		}
		return push[plan.members[row]]
	})
	return table.at(plan.b, plan.s, func(p Positions, row, j int) bool {
		last := len(tokens[plan.members[row]]) - 1
		return j <= last && p.reach(j, last)
	})
}
