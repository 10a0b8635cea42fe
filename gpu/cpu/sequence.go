package cpu

import (
	"slices"
	"sync"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// pageTokens is the number of tokens whose keys and values share a page: as many as a panel has
// columns, because attention takes pages for panels.
const pageTokens = panel

// A page holds keys and values of one block for 32 tokens, for each key head keys [HeadDim][32 tokens]
// and values [HeadDim/32][32 tokens][32]. What is not yet written is zero.
type page struct {
	data []float32
	uses int // sequences that have it, guarded by the pool
}

// pageSize is the number of values of a page.
func (m *Model) pageSize() int {
	c := m.config
	return c.KVHeads * (c.HeadDim + padded(c.HeadDim)) * pageTokens
}

// keys is a head's part of a page: keys, then values.
func (m *Model) keys(p *page, head int) (keys, values []float32) {
	h := m.config.HeadDim
	size := (h + padded(h)) * pageTokens
	part := p.data[head*size : (head+1)*size]
	return part[:h*pageTokens], part[h*pageTokens:]
}

// keptFloats bounds the pages that wait for their next use: 256 MiB.
const keptFloats = 1 << 26

// A pool keeps pages for reuse.
type pool struct {
	size int

	mu   sync.Mutex
	free []*page
}

// get returns an empty page that one sequence uses.
func (p *pool) get() *page {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		out := p.free[n-1]
		p.free = p.free[:n-1]
		clear(out.data)
		out.uses = 1
		return out
	}
	return &page{data: make([]float32, p.size), uses: 1}
}

// own returns a page with the content of pg that only the caller uses: pg itself if nobody else does.
func (p *pool) own(pg *page) *page {
	p.mu.Lock()
	shared := pg.uses > 1
	p.mu.Unlock()
	if !shared {
		return pg
	}
	out := p.get()
	copy(out.data, pg.data)
	p.put(pg)
	return out
}

// put ends a use.
func (p *pool) put(pg *page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pg.uses--; pg.uses == 0 && (len(p.free)+1)*p.size <= keptFloats {
		p.free = append(p.free, pg)
	}
}

func (p *pool) share(pg *page) {
	p.mu.Lock()
	pg.uses++
	p.mu.Unlock()
}

// A sequence is a text under way: the keys and values of its tokens so far. Forks share pages until they
// write to them.
type sequence struct {
	m      *Model
	prompt int
	length int
	pages  [][]*page // of each block
}

// NewSequence begins a text. prompt is the length of its prompt, which decides the position encodings
// of some models for all of its tokens: where [arch.Config.EncodedAlike] ends, a new sequence must begin
// with the whole text.
func (m *Model) NewSequence(prompt int) engine.Sequence {
	return &sequence{m: m, prompt: prompt, pages: make([][]*page, m.config.Layers)}
}

// Len is the number of tokens so far.
func (s *sequence) Len() int { return s.length }

// Fork is a text that begins with the same tokens. Pages that a pass reserved and did not fill, because it
// was interrupted, are not shared: both would write to them.
func (s *sequence) Fork() engine.Sequence {
	out := &sequence{m: s.m, prompt: s.prompt, length: s.length, pages: make([][]*page, len(s.pages))}
	filled := (s.length + pageTokens - 1) / pageTokens
	for l, pages := range s.pages {
		out.pages[l] = slices.Clone(pages[:filled])
		for _, pg := range out.pages[l] {
			s.m.pool.share(pg)
		}
	}
	return out
}

// Free gives the pages back. The sequence is empty afterwards.
func (s *sequence) Free() {
	for l, pages := range s.pages {
		for _, pg := range pages {
			s.m.pool.put(pg)
		}
		s.pages[l] = nil
	}
	s.length = 0
}

// reserve makes room for n more tokens in blocks [0, layers), in pages of its own.
func (s *sequence) reserve(n, layers int) {
	last := (s.length + n + pageTokens - 1) / pageTokens
	for l := range layers {
		pages := s.pages[l]
		if at := s.length / pageTokens; at < len(pages) {
			pages[at] = s.m.pool.own(pages[at])
		}
		for len(pages) < last {
			pages = append(pages, s.m.pool.get())
		}
		s.pages[l] = pages
	}
}
