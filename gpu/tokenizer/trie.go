package tokenizer

import (
	"fmt"
	"math/rand/v2"
)

// A trie holds texts to be found at the start of a text. It is a hash table from a node and a byte to the
// next node: 20 to 36 bytes for each byte of the texts, whatever they have in common. The hash has a seed,
// so that no vocabulary can be made to collide.
type trie struct {
	root   [256]int32 // node after the first byte, 0 if none
	values []int32    // by node: what ends there, -1 if nothing
	keys   []uint32   // node<<8 | byte, plus one; 0 is free
	next   []int32
	seed   uint64
}

// maxNodes bounds a trie: four times the tokens of the largest vocabularies in use, if they had
// nothing in common.
const maxNodes = 1 << 23

func newTrie() *trie {
	return &trie{values: []int32{none}, keys: make([]uint32, 16), next: make([]int32, 16), seed: rand.Uint64()}
}

// insert adds a text, which is not empty. A text that is there already has its value replaced if
// replace is set.
func (t *trie) insert(text string, value int32, replace bool) error {
	if len(t.values)+len(text) > maxNodes {
		return fmt.Errorf("tokens of more than %d bytes", maxNodes)
	}
	node := t.root[text[0]]
	if node == 0 {
		node = t.grow()
		t.root[text[0]] = node
	}
	for i := 1; i < len(text); i++ {
		slot, key := t.slot(node, text[i])
		if t.keys[slot] == 0 {
			if 2*len(t.values) >= len(t.keys) {
				t.widen()
				slot, key = t.slot(node, text[i])
			}
			t.keys[slot], t.next[slot] = key, t.grow()
		}
		node = t.next[slot]
	}
	if t.values[node] == none || replace {
		t.values[node] = value
	}
	return nil
}

func (t *trie) grow() int32 {
	t.values = append(t.values, none)
	return int32(len(t.values) - 1)
}

func (t *trie) empty() bool { return len(t.values) == 1 }

// widen doubles the table.
func (t *trie) widen() {
	keys, next := t.keys, t.next
	t.keys, t.next = make([]uint32, 2*len(keys)), make([]int32, 2*len(keys))
	for i, key := range keys {
		if key != 0 {
			slot, _ := t.slot(int32((key-1)>>8), byte(key-1))
			t.keys[slot], t.next[slot] = key, next[i]
		}
	}
}

func (t *trie) slot(node int32, b byte) (slot, key uint32) {
	key = (uint32(node)<<8 | uint32(b)) + 1
	mask := uint32(len(t.keys) - 1)
	slot = uint32(mix(uint64(key)^t.seed)) & mask
	for t.keys[slot] != key && t.keys[slot] != 0 {
		slot = (slot + 1) & mask
	}
	return slot, key
}

// child returns the node that b leads to from node, 0 if there is none.
func (t *trie) child(node int32, b byte) int32 {
	slot, key := t.slot(node, b)
	if t.keys[slot] != key {
		return 0
	}
	return t.next[slot]
}

// mix spreads a number over all its bits (the finaliser of MurmurHash3).
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xFF51AFD7ED558CCD
	x = (x ^ x>>33) * 0xC4CEB9FE1A85EC53
	return x ^ x>>33
}
