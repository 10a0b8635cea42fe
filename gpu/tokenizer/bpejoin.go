package tokenizer

import "math/rand/v2"

// A symbol is a token in the making: bytes start to end of the word. A symbol that was joined to
// the one before it is empty.
type symbol struct {
	id         int32
	start, end int32
	prev, next int32 // neighbours, in joinLong only
	fixed      bool  // unknown, or a byte for want of a token: its text is not the token's
}

// A workspace is the memory for one word.
type workspace struct {
	symbols []symbol
	ranks   []uint32 // of each symbol with the next one
	ids     []int32  // what the two become
	heap    []candidate
}

// shortWord is the number of symbols up to which looking at all pairs for every join is faster
// than a heap (measured: the two meet at about 40).
const shortWord = 40

// joinShort joins the symbols of a short word in place.
func (w *workspace) joinShort(m *bpe, word string) {
	s := w.symbols
	w.ranks, w.ids = w.ranks[:0], w.ids[:0]
	for i := 0; i+1 < len(s); i++ {
		rank, id := m.pair(word, s[i], s[i+1])
		w.ranks, w.ids = append(w.ranks, rank), append(w.ids, id)
	}
	ranks, ids := w.ranks, w.ids
	for len(s) > 1 {
		best := 0
		for i, rank := range ranks {
			if rank < ranks[best] {
				best = i
			}
		}
		if ranks[best] == never {
			break
		}
		s[best].id, s[best].end, s[best].fixed = ids[best], s[best+1].end, false
		s = append(s[:best+1], s[best+2:]...)
		if best < len(ranks)-1 {
			ranks = append(ranks[:best], ranks[best+1:]...)
			ids = append(ids[:best], ids[best+1:]...)
			ranks[best], ids[best] = m.pair(word, s[best], s[best+1])
		} else {
			ranks, ids = ranks[:best], ids[:best]
		}
		if best > 0 {
			ranks[best-1], ids[best-1] = m.pair(word, s[best-1], s[best])
		}
	}
	w.symbols = s
}

// A candidate is a join that may be made: of the symbol at left with its neighbour.
type candidate struct {
	rank              uint32
	left              int32
	id                int32
	leftEnd, wholeEnd int32 // of the two symbols when the candidate was found
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.left < d.left
}

// joinLong joins the symbols of a word of any length in n·log n: symbols are a linked list and
// candidates wait in a heap. Candidates that earlier joins made untrue are skipped.
func (w *workspace) joinLong(m *bpe, word string) {
	s := w.symbols
	w.heap = w.heap[:0]
	for i := range s {
		s[i].prev, s[i].next = int32(i-1), int32(i+1)
	}
	s[len(s)-1].next = -1
	for i := range len(s) - 1 {
		w.consider(m, word, int32(i))
	}
	for len(w.heap) > 0 {
		c := w.pop()
		left := &s[c.left]
		if left.end != c.leftEnd || left.start == left.end || left.next < 0 || s[left.next].end != c.wholeEnd {
			continue
		}
		right := &s[left.next]
		left.id, left.end, left.fixed = c.id, right.end, false
		left.next = right.next
		right.start = right.end
		if left.next >= 0 {
			s[left.next].prev = c.left
			w.consider(m, word, c.left)
		}
		if left.prev >= 0 {
			w.consider(m, word, left.prev)
		}
	}
}

// consider puts the join of symbol left with its neighbour on the heap, if it is allowed.
func (w *workspace) consider(m *bpe, word string, left int32) {
	a := w.symbols[left]
	b := w.symbols[a.next]
	rank, id := m.pair(word, a, b)
	if rank == never {
		return
	}
	w.heap = append(w.heap, candidate{rank, left, id, a.end, b.end})
	h := w.heap
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// pop takes the first candidate off the heap.
func (w *workspace) pop() candidate {
	h := w.heap
	first := h[0]
	h[0] = h[len(h)-1]
	h = h[:len(h)-1]
	w.heap = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(h[i]) {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	return first
}

// A pairTable holds what each pair of tokens is joined to, and when. It is a hash table with open
// addressing, at most half full.
type pairTable struct {
	mask uint64
	seed uint64   // so that no list of merges can be made to collide
	keys []uint64 // left<<32 | right, plus one; 0 is free
	vals []join
}

type join struct {
	rank uint32
	id   int32
}

// newPairTable returns a table with room for n pairs.
func newPairTable(n int) *pairTable {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return &pairTable{mask: uint64(size - 1), seed: rand.Uint64(), keys: make([]uint64, size), vals: make([]join, size)}
}

func (t *pairTable) slot(left, right int32) (slot, key uint64) {
	key = (uint64(uint32(left))<<32 | uint64(uint32(right))) + 1
	slot = mix(key ^ t.seed)
	for {
		slot &= t.mask
		if t.keys[slot] == key || t.keys[slot] == 0 {
			return slot, key
		}
		slot++
	}
}

// set makes left and right join to id at rank; the last of two equal pairs holds.
func (t *pairTable) set(left, right int32, rank uint32, id int32) {
	slot, key := t.slot(left, right)
	t.keys[slot], t.vals[slot] = key, join{rank, id}
}

// get returns the rank of joining left and right, or never, and the token that they become.
func (t *pairTable) get(left, right int32) (uint32, int32) {
	slot, key := t.slot(left, right)
	if t.keys[slot] != key {
		return never, 0
	}
	return t.vals[slot].rank, t.vals[slot].id
}
