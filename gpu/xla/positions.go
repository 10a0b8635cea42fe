package xla

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A text's place among the tables of angles: the length of its prompt decides by which of them it turns.

// mostTables bounds the tables that rest on the device. Only encodings that look at the length of the prompt
// have more than a few.
const mostTables = 32

// tables are cosines and sines [R·P, Dim/2] for every encoding of a model and R classes of prompts each, then, where
// the family has it, the factor of queries [P, 1]: those for texts with prompts of some lengths, and where each text's
// begin in them, [encodings, B].
func (m *Model) tables(prompts []int, positions int) ([]*tensors.Tensor, [][]int32, error) {
	c := m.config
	classes, places := make([][]int, len(c.Ropes)), make([][]int32, len(c.Ropes))
	for e, rope := range c.Ropes {
		for _, n := range prompts {
			class := rope.Class(n, c.MaxPositions)
			at := slices.Index(classes[e], class)
			if at < 0 {
				at = len(classes[e])
				classes[e] = append(classes[e], class)
			}
			places[e] = append(places[e], int32(at*positions))
		}
	}
	key := fmt.Sprint(positions, classes)
	if t := m.angles[key]; t != nil {
		return t, places, nil
	}
	t, err := m.makeTables(classes, positions)
	if err != nil {
		free(t)
		return nil, nil, err
	}
	m.angles[key] = t
	return t, places, nil
}

func (m *Model) makeTables(classes [][]int, positions int) (out []*tensors.Tensor, err error) {
	add := func(values []float32, dims ...int) {
		if err == nil {
			var t *tensors.Tensor
			t, err = m.dev.upload(f32, bytesOf(values), dims...)
			out = append(out, t)
		}
	}
	for e, rope := range m.config.Ropes {
		half, rows := rope.Dim/2, bucket(len(classes[e]), 2)*positions
		cos, sin := make([]float32, rows*half), make([]float32, rows*half)
		for i, class := range classes[e] {
			table := rope.Table(class, m.config.MaxPositions)
			for p := range positions {
				co, si := table.At(p)
				copy(cos[(i*positions+p)*half:], co)
				copy(sin[(i*positions+p)*half:], si)
			}
		}
		add(cos, rows, half)
		add(sin, rows, half)
	}
	if m.config.LognBase > 0 {
		factor := make([]float32, positions)
		for p := range factor {
			factor[p] = m.config.LogN(p)
		}
		add(factor, positions, 1)
	}
	return out, err
}

// tidy frees tables that rest on the device, if there are many. It is called before there are calls that take them.
func (m *Model) tidy() {
	if len(m.angles) > mostTables {
		m.freeTables()
	}
}

func (m *Model) freeTables() {
	for _, t := range m.angles {
		free(t)
	}
	clear(m.angles)
}

// turn gives the pass the angles of tokens at positions [B, S], from places [encodings, B] and the tables.
func (f *forward) turn(in *inputs, positions, places *node) {
	m := f.b * f.s
	for e := range f.c.Ropes {
		cos, sin := in.next(), in.next()
		place := graph.Reshape(graph.Slice(places, graph.AxisRange(e, e+1)), f.b, 1)
		at := graph.Reshape(graph.Add(positions, place), m, 1)
		f.ropes = append(f.ropes, f.newAngles(graph.Gather(cos, at), graph.Gather(sin, at)))
	}
	if f.c.LognBase > 0 {
		f.logn = graph.Gather(in.next(), graph.Reshape(positions, m, 1))
	}
}

// counted is 0, 1, 2, … in every row, [b, n].
func counted(like *node, b, n int) *node { return graph.Iota(like.Graph(), shapes.Make(i32, b, n), 1) }

// setMasks makes the masks of all windows for tokens at positions own [B, S] that look at positions at [B, T].
func (f *forward) setMasks(own, at *node) {
	f.masks = map[int]*node{}
	for _, window := range f.c.WindowSizes() {
		f.masks[window] = f.spreadMask(mask(own, at, window), f.c.Heads, f.c.KVHeads)
	}
}
