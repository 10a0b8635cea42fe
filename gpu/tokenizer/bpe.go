package tokenizer

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// A model cuts words into tokens.
type model interface {
	// tokens appends the tokens of a word that is not empty: their ids, and for each the
	// byte of the word after which it ends. What it does is taken from w.
	tokens(w *work, word string, ids, ends []int32) ([]int32, []int32)
}

// A bpe is a byte-pair encoding (Sennrich, Haddow & Birch 2016): the word's characters or bytes
// are joined pair by pair, always the pair of lowest rank and of those the leftmost.
type bpe struct {
	vocab map[string]int32 // tokens that text can become; raw bytes if byteLevel
	bytes [256]int32       // a byte's token: its own if byteLevel, else <0xNN>; -1 if none

	// Either joins has every pair that may be joined, or, where it is nil, two tokens may be
	// joined if the vocabulary has their concatenation, at the rank of that token. Pairs of
	// the same concatenation are equal, unless longLeft puts those first whose left token
	// is longer.
	joins    *pairTable
	rank     []uint32 // by id; never for tokens that nothing is joined to
	longLeft bool

	byteLevel    bool
	byteFallback bool
	fuseUnk      bool
	ignoreMerges bool     // a word that is a token is that token
	unk          int32    // -1: characters that have no token are dropped
	prefix       string   // in front of all characters of a word but the first
	suffix       string   // behind the last character of a word
	users        *matcher // tokens that are taken whole and joined to nothing; nil: none

	// A word may be cut before a cutAt without changing its tokens, if no token has the two
	// characters there side by side: beforeCut has those that some token has before a cutAt.
	// cutAt is 0 if that is of no use.
	cutAt     rune
	beforeCut map[rune]bool

	seed  maphash.Seed
	cache []atomic.Pointer[cachedWord]
	pool  sync.Pool // *workspace
}

// never is the rank of two tokens that must not be joined.
const never = math.MaxUint32

// cacheSlots bounds the cache: 2¹⁵ words of at most maxCachedWord bytes are about 6 MB, and a text
// corpus of a language repeats about that many.
const (
	cacheSlots    = 1 << 15
	maxCachedWord = 64
)

type cachedWord struct {
	word      string
	ids, ends []int32
}

// ready completes a bpe whose vocabulary and pairs are set.
func (m *bpe) ready() {
	m.seed = maphash.MakeSeed()
	m.cache = make([]atomic.Pointer[cachedWord], cacheSlots)
	m.pool.New = func() any { return new(workspace) }
	for b := range m.bytes {
		name := fmt.Sprintf("<0x%02X>", b)
		if m.byteLevel {
			name = string([]byte{byte(b)})
		}
		m.bytes[b] = -1
		if id, ok := m.vocab[name]; ok && (m.byteLevel || m.byteFallback) {
			m.bytes[b] = id
		}
	}
	// Where characters are dropped, those around them become neighbours.
	drops := m.unk < 0 && slices.Min(m.bytes[:]) < 0
	if !m.byteLevel && m.prefix == "" && m.suffix == "" && !m.ignoreMerges && !drops {
		m.findCuts('▁')
	}
}

// findCuts sets cutAt to r, which most vocabularies with that character have only at the start of
// a token, so that a whole text, which to them is one word, can be taken word by word.
func (m *bpe) findCuts(r rune) {
	if _, ok := m.vocab[string(r)]; !ok { // it might become part of a longer unknown token
		return
	}
	m.cutAt, m.beforeCut = r, map[rune]bool{}
	for token := range m.vocab {
		if !strings.ContainsRune(token, r) {
			continue
		}
		before := rune(-1)
		for _, c := range token {
			if c == r && before >= 0 {
				m.beforeCut[before] = true
			}
			before = c
		}
	}
}

func (m *bpe) tokens(todo *work, word string, ids, ends []int32) ([]int32, []int32) {
	if m.cutAt == 0 {
		return m.wordTokens(todo, word, 0, ids, ends)
	}
	start, last := 0, rune(0)
	for i, r := range word {
		if r == m.cutAt && i > start && !m.beforeCut[last] {
			ids, ends = m.wordTokens(todo, word[start:i], start, ids, ends)
			start = i
		}
		last = r
	}
	return m.wordTokens(todo, word[start:], start, ids, ends)
}

// wordTokens appends the tokens of a word that starts at byte base of a longer one.
func (m *bpe) wordTokens(todo *work, word string, base int, ids, ends []int32) ([]int32, []int32) {
	if m.ignoreMerges {
		if id, ok := m.vocab[word]; ok {
			return append(ids, id), append(ends, int32(base+len(word)))
		}
	}
	var slot *atomic.Pointer[cachedWord]
	if len(word) <= maxCachedWord {
		slot = &m.cache[maphash.String(m.seed, word)%cacheSlots]
		if hit := slot.Load(); hit != nil && hit.word == word {
			return append(ids, hit.ids...), appendShifted(ends, hit.ends, base)
		}
	}
	w := m.pool.Get().(*workspace)
	defer m.pool.Put(w)
	w.start(m, todo, word)
	if len(w.symbols) <= shortWord {
		w.joinShort(m, word)
	} else {
		w.joinLong(m, word)
	}
	from, fromEnd := len(ids), len(ends)
	for _, s := range w.symbols {
		if s.end > s.start {
			ids, ends = append(ids, s.id), append(ends, s.end)
		}
	}
	if slot != nil {
		slot.Store(&cachedWord{strings.Clone(word), clone(ids[from:]), clone(ends[fromEnd:])})
	}
	for i := range ends[fromEnd:] {
		ends[fromEnd+i] += int32(base)
	}
	return ids, ends
}

func clone(s []int32) []int32 { return append([]int32(nil), s...) }

func appendShifted(dst, src []int32, by int) []int32 {
	for _, v := range src {
		dst = append(dst, v+int32(by))
	}
	return dst
}

// leftBits is the room for the length of the left token in a rank; ranks by token stay below
// 2³² / 2¹¹, two million tokens.
const leftBits = 11

// pair returns the rank of joining neighbours a and b of word, and the token they become.
func (m *bpe) pair(word string, a, b symbol) (uint32, int32) {
	if m.joins != nil {
		return m.joins.get(a.id, b.id)
	}
	if a.fixed || b.fixed {
		return never, 0
	}
	id, ok := m.vocab[word[a.start:b.end]]
	if !ok || m.rank[id] == never {
		return never, 0
	}
	rank := m.rank[id]
	if m.longLeft {
		rank = rank<<leftBits | (1<<leftBits - 1 - uint32(min(a.end-a.start, 1<<leftBits-1)))
	}
	return rank, id
}

// start sets the symbols to the characters or bytes of word.
func (w *workspace) start(m *bpe, todo *work, word string) {
	w.symbols = w.symbols[:0]
	if m.byteLevel && m.prefix == "" && m.suffix == "" {
		for i := 0; i < len(word); i++ {
			if id := m.bytes[word[i]]; id >= 0 {
				w.symbols = append(w.symbols, symbol{id: id, start: int32(i), end: int32(i + 1)})
			} else {
				w.unknown(m, i, i+1)
			}
		}
		return
	}
	for i := 0; i < len(word); {
		if m.users != nil {
			if _, j, ok := m.users.longest(todo, word, i); ok {
				w.symbols = append(w.symbols, symbol{id: m.vocab[word[i:j]], start: int32(i), end: int32(j), fixed: true})
				i = j
				continue
			}
		}
		n := 1
		if !m.byteLevel {
			_, n = utf8.DecodeRuneInString(word[i:])
		}
		char := word[i : i+n]
		if i > 0 && m.prefix != "" {
			char = m.prefix + char
		}
		if i+n == len(word) && m.suffix != "" {
			char += m.suffix
		}
		if id, ok := m.vocab[char]; ok {
			w.symbols = append(w.symbols, symbol{id: id, start: int32(i), end: int32(i + n)})
		} else if !w.fallback(m, word, i, i+n) {
			w.unknown(m, i, i+n)
		}
		i += n
	}
}

// fallback writes bytes i to j of word as byte tokens, if the vocabulary has them all.
func (w *workspace) fallback(m *bpe, word string, i, j int) bool {
	if !m.byteFallback {
		return false
	}
	for k := i; k < j; k++ {
		if m.bytes[word[k]] < 0 {
			return false
		}
	}
	for k := i; k < j; k++ {
		w.symbols = append(w.symbols, symbol{id: m.bytes[word[k]], start: int32(k), end: int32(k + 1), fixed: true})
	}
	return true
}

// unknown writes bytes i to j as the unknown token, if there is one.
func (w *workspace) unknown(m *bpe, i, j int) {
	if m.unk < 0 {
		return
	}
	if n := len(w.symbols); m.fuseUnk && n > 0 && w.symbols[n-1].id == m.unk && w.symbols[n-1].fixed && int(w.symbols[n-1].end) == i {
		w.symbols[n-1].end = int32(j)
		return
	}
	w.symbols = append(w.symbols, symbol{id: m.unk, start: int32(i), end: int32(j), fixed: true})
}
