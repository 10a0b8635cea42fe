package gpu

import "github.com/gomlx/gomlx/core/graph"

// A kvCache gives attention the keys and values of earlier tokens and takes the new ones.
//
// Keys and values of the M new tokens come as k, v [B·K, S, h]. extend returns what the new
// tokens look at: keys [B·K, T, h], or [B·K, h, T] if transposed, and values [B·K, T, h].
type kvCache interface {
	extend(l int, k, v *node) (keys, values *node, transposed bool)
}

// noPast is the cache of a pass over whole texts; it keeps the keys and values if keep is set.
type noPast struct {
	keep bool
	kv   []*node // k₀, v₀, k₁, …, each [B·K, S, h]
}

func (n *noPast) extend(_ int, k, v *node) (*node, *node, bool) {
	if n.keep {
		n.kv = append(n.kv, k, v)
	}
	return k, v, false
}

// pastThenNew continues texts whose first tokens' keys and values are k₀, v₀, … [B·K, P, h].
type pastThenNew struct{ kv []*node }

func (p pastThenNew) extend(l int, k, v *node) (*node, *node, bool) {
	return concat(1, p.kv[2*l], k), concat(1, p.kv[2*l+1], v), false
}

// slotCache is the cache of generation: room for T tokens, of which the new one fills a slot. Keys are kept
// transposed, [B·K, h, T], which makes the product with one query twice as fast; values are [B·K, T, h].
type slotCache struct {
	kv    []*node
	slot  *node // [1, 1] int64: where the new token goes; still zero there
	after []*node
}

func (s *slotCache) extend(l int, k, v *node) (*node, *node, bool) {
	d := k.Shape().Dimensions
	rows, h := d[0], d[2]
	// A sum into zeros is the only write that the backend does in place.
	put := func(cache, x *node, axis int) *node {
		return graph.BackendScatterSum(cache, s.slot, graph.Reshape(x, 1, rows, h), 1,
			[]int{1, 2}, []int{axis}, []int{axis}, true, true)
	}
	keys, values := put(s.kv[2*l], k, 2), put(s.kv[2*l+1], v, 1)
	s.after = append(s.after, keys, values)
	return keys, values, true
}
