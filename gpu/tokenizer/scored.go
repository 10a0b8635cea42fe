package tokenizer

import (
	"cmp"
	"slices"
)

// scored is a vocabulary whose tokens have scores in place of merges: the pair that makes the best
// token is joined first.
type scored struct {
	tokens       []string
	scores       []float64
	types        []int32
	unk          int64
	byteFallback bool
	longLeft     bool     // of two ways to make the same token, the one with the longer left part first
	users        *matcher // users' tokens, taken whole where the model meets them; nil: found in text like control tokens
}

// scoredBPE sets a BPE model, and makes control tokens found in text.
func (b *builder) scoredBPE(v scored) {
	if len(v.tokens) == 0 || len(v.tokens) > 1<<(32-leftBits)-1 {
		b.refuse("%d tokens", len(v.tokens))
		return
	}
	b.expect(len(v.tokens))
	m := &bpe{vocab: make(map[string]int32, len(v.tokens)), byteFallback: v.byteFallback, fuseUnk: true, unk: none, longLeft: v.longLeft, users: v.users}
	if v.unk >= 0 && v.unk < int64(len(v.tokens)) {
		m.unk = int32(v.unk)
	}
	for i, token := range v.tokens {
		b.setToken(int32(i), token)
		if _, ok := m.vocab[token]; ok && token != "" && !v.longLeft {
			b.refuse("token %.40q appears twice", token)
		}
		m.vocab[token] = int32(i)
		if v.types[i] == unusedToken && !v.longLeft {
			b.refuse("unused piece %.40q in a BPE model", token)
		}
		if v.types[i] == controlToken || v.types[i] == unknownToken || v.types[i] == userToken && v.users == nil {
			b.addTokens([]addedToken{{ID: int32(i), Content: token, Special: v.types[i] != userToken}})
		}
	}
	m.rank = v.ranks()
	m.ready()
	b.tokenizer.model = m
}

// ranks returns the order in which tokens are made, by id. Users' tokens come before all others:
// nothing takes their parts away from them.
func (v scored) ranks() []uint32 {
	ranks := make([]uint32, len(v.tokens))
	var order []int32
	for i, kind := range v.types {
		ranks[i] = never
		if kind == normalToken || kind == userToken {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(i, j int32) int {
		switch {
		case v.types[i] != v.types[j] && v.types[i] == userToken:
			return -1
		case v.types[i] != v.types[j]:
			return 1
		case v.types[i] == userToken:
			return 0
		}
		return cmp.Compare(v.scores[j], v.scores[i])
	})
	for at, id := range order {
		ranks[id] = uint32(at)
		if at == 0 || v.longLeft {
			continue
		}
		// Tokens of equal score are made from left to right.
		if last := order[at-1]; v.scores[id] == v.scores[last] && v.types[id] == v.types[last] {
			ranks[id] = ranks[last]
		}
	}
	return ranks
}
