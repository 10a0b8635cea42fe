package xla

import "slices"

// edits are a table of vectors and which of them is added to each line after each block. Vector 0 is zero.
// All are inputs: another vector, block or token needs no other program.
type edits struct {
	vectors [][]float32 // [R, d]; the first one is nil
	index   [][]int32   // [blocks, M]
	sums    map[[2]int32]int32
}

func newEdits(blocks, lines int) edits {
	e := edits{vectors: [][]float32{nil}, index: make([][]int32, blocks), sums: map[[2]int32]int32{}}
	all := make([]int32, blocks*lines)
	for l := range e.index {
		e.index[l] = all[l*lines : (l+1)*lines]
	}
	return e
}

// put adds a vector to lines [from, to) after a block; where another one is, both.
func (e *edits) put(layer, from, to int, vector []float32) {
	mine := int32(len(e.vectors))
	e.vectors = append(e.vectors, vector)
	for i := from; i < to; i++ {
		old := e.index[layer][i]
		if old == 0 {
			e.index[layer][i] = mine
			continue
		}
		both, ok := e.sums[[2]int32{old, mine}]
		if !ok {
			both = int32(len(e.vectors))
			e.sums[[2]int32{old, mine}] = both
			sum := slices.Clone(e.vectors[old])
			for j, v := range vector {
				sum[j] += v
			}
			e.vectors = append(e.vectors, sum)
		}
		e.index[layer][i] = both
	}
}

// addEdits adds vectors [R, d] and index [blocks, M]. Without edits these are zeros that rest on the device:
// the program is the same.
func (m *Model) addEdits(c *call, e *edits) error {
	blocks, lines, width := len(e.index), len(e.index[0]), m.config.Hidden
	if len(e.vectors) == 1 {
		vectors, err := m.zeros(f32, leastRow, width)
		if err != nil {
			return err
		}
		index, err := m.zeros(i32, blocks, lines)
		c.keep(vectors, index)
		return err
	}
	e.addVectors(c, width)
	c.intRows(e.index)
	return nil
}

// addVectors adds vectors [R, d].
func (e *edits) addVectors(c *call, width int) {
	c.floats(func(x []float32) {
		for i, v := range e.vectors {
			copy(x[i*width:], v)
		}
	}, max(leastRow, bucket(len(e.vectors), leastRow)), width)
}

// reads are the lines of the residual stream that are read after some blocks.
type reads struct {
	sizes  sizes
	layers []int
	lines  map[int][]int  // by block
	places map[[2]int]int // of a block and a line in lines
}

// want reads a line after a block.
func (r *reads) want(layer, line int) {
	if r.places == nil {
		r.lines, r.places = map[int][]int{}, map[[2]int]int{}
	}
	if _, ok := r.places[[2]int{layer, line}]; ok {
		return
	}
	if r.lines[layer] == nil {
		r.layers = append(r.layers, layer)
	}
	r.places[[2]int{layer, line}] = len(r.lines[layer])
	r.lines[layer] = append(r.lines[layer], line)
}

// width is the number of lines that are read after each block, W.
func (r *reads) width() int {
	most := 0
	for _, lines := range r.lines {
		most = max(most, len(lines))
	}
	return r.sizes.bucket(most)
}

// add adds the lines [blocks, W], if any.
func (r *reads) add(c *call) {
	if len(r.layers) == 0 {
		return
	}
	c.ints(func(x []int32) {
		for i, l := range r.layers {
			for j, line := range r.lines[l] {
				x[i*r.width()+j] = int32(line)
			}
		}
	}, len(r.layers), r.width())
}

// find is where a line is among all that are read.
func (r *reads) find(layer, line int) int {
	return slices.Index(r.layers, layer)*r.width() + r.places[[2]int{layer, line}]
}
