package gpu

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// inputs hands a graph its inputs in the order in which a call adds them.
type inputs struct {
	nodes []*graph.Node
}

func (in *inputs) next() *node {
	n := in.nodes[0]
	in.nodes = in.nodes[1:]
	return n
}

func (in *inputs) take(n int) []*node {
	out := in.nodes[:n]
	in.nodes = in.nodes[n:]
	return out
}

// forward makes a forward from the inputs that every program has in common: what
// addPositions adds, then masks for windows (if hostMasks), then steering (if pushed).
// The rest of the inputs up to the weights stay for the program.
func (in *inputs) forward(c *arch.Config, b, s int, hostMasks, pushed bool) *forward {
	f := &forward{c: c, b: b, s: s, masks: map[int]*node{}}
	for range c.Ropes {
		cos, sin := in.next(), in.next()
		f.ropes = append(f.ropes, newAngles(c, cos, sin))
	}
	if c.LognBase > 0 {
		f.logn = in.next()
	}
	for _, w := range c.WindowSizes() {
		if hostMasks {
			f.masks[w] = in.next()
		} else {
			f.masks[w] = causalMask(f.ropes[0].cos.Graph(), c, b, s, w)
		}
	}
	if pushed {
		f.push = &pushes{vectors: in.next(), layers: in.next(), selects: in.next()}
	}
	return f
}
