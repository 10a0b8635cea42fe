package main

import (
	"cmp"
	"maps"
	"slices"
)

// A word is a piece of text that no merge may cross, as a list of token ids, with the
// number of times the corpus holds it.
type word struct {
	ids   []int
	count int
}

// A pair is two tokens that stand side by side.
type pair struct{ left, right int }

// A bpe is a byte-pair encoding: tokens by id, and the merges in the order of their rank.
type bpe struct {
	tokens []string
	ids    map[string]int
	merges []pair
}

// newBPE returns an encoding without merges whose tokens are the base.
func newBPE(base []string) *bpe {
	b := &bpe{ids: map[string]int{}}
	for _, token := range base {
		b.add(token)
	}
	return b
}

// add returns the id of a token, which is a new one if the token is.
func (b *bpe) add(token string) int {
	if id, ok := b.ids[token]; ok {
		return id
	}
	b.ids[token] = len(b.tokens)
	b.tokens = append(b.tokens, token)
	return len(b.tokens) - 1
}

// learn adds merges until there are size tokens, or no pair occurs twice: always the most
// frequent pair, and of equally frequent ones the pair of the smallest ids. See Sennrich,
// Haddow & Birch (2016). counts maps each piece of text to its frequency; split gives the
// base tokens of a piece.
func (b *bpe) learn(size int, counts map[string]int, split func(string) []string) {
	var words []word
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		w := word{count: counts[text]}
		for _, token := range split(text) {
			w.ids = append(w.ids, b.ids[token])
		}
		words = append(words, w)
	}
	pairs := map[pair]int{}
	for _, w := range words {
		w.tally(pairs, +1)
	}
	for len(b.tokens) < size {
		best, frequency := mostFrequent(pairs)
		if frequency < 2 {
			return
		}
		id := b.add(b.tokens[best.left] + b.tokens[best.right])
		b.merges = append(b.merges, best)
		for i := range words {
			if words[i].has(best) {
				words[i].tally(pairs, -1)
				words[i].merge(best, id)
				words[i].tally(pairs, +1)
			}
		}
	}
}

// mostFrequent returns the first pair in the order of learn, and its count; 0 if there is
// none.
func mostFrequent(pairs map[pair]int) (pair, int) {
	var best pair
	most := 0
	for p, n := range pairs {
		if n > most || n == most && n > 0 && comparePairs(p, best) < 0 {
			best, most = p, n
		}
	}
	return best, most
}

func comparePairs(a, b pair) int {
	return cmp.Or(cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right))
}

// tally adds sign times the word's pairs to the counts.
func (w word) tally(pairs map[pair]int, sign int) {
	for i := 1; i < len(w.ids); i++ {
		p := pair{w.ids[i-1], w.ids[i]}
		if pairs[p] += sign * w.count; pairs[p] == 0 {
			delete(pairs, p)
		}
	}
}

// has reports whether p stands in the word.
func (w word) has(p pair) bool {
	for i := 1; i < len(w.ids); i++ {
		if w.ids[i-1] == p.left && w.ids[i] == p.right {
			return true
		}
	}
	return false
}

// merge replaces p by id, from left to right.
func (w *word) merge(p pair, id int) {
	var ids []int
	for i := 0; i < len(w.ids); i++ {
		if i+1 < len(w.ids) && w.ids[i] == p.left && w.ids[i+1] == p.right {
			ids = append(ids, id)
			i++
		} else {
			ids = append(ids, w.ids[i])
		}
	}
	w.ids = ids
}
