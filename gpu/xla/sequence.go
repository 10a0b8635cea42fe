package xla

import (
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// kept are the keys and values that a pass left of its texts: k₀, v₀, k₁, … [B·K, T, h] each, of which the first
// positions of a row are those of its text. No program writes to them: a text that goes on gets others, so forks
// share them as they are. They are freed with the last text that has a row.
type kept struct {
	tensors []*tensors.Tensor
	rows    int          // B
	slots   int          // T
	uses    atomic.Int32 // sequences that have a row
}

func (k *kept) release() {
	if k != nil && k.uses.Add(-1) == 0 {
		free(k.tensors)
	}
}

// A sequence is a text under way.
type sequence struct {
	m      *Model
	prompt int
	length int
	kept   *kept // nil: no tokens yet
	row    int   // its own
}

// slots is the number of positions for which it has room, 0 if it has no tokens.
func (s *sequence) slots() int {
	if s.kept == nil {
		return 0
	}
	return s.kept.slots
}

// NewSequence begins a text. prompt is the length of its prompt, which decides the position encodings
// of some models for all of its tokens: where [arch.Config.EncodedAlike] ends, a new sequence must begin
// with the whole text.
func (m *Model) NewSequence(prompt int) engine.Sequence { return &sequence{m: m, prompt: prompt} }

// owns reports whether a sequence is one of the model's.
func (m *Model) owns(s engine.Sequence) bool {
	own, ok := s.(*sequence)
	return ok && own.m == m
}

// Len is the number of tokens so far.
func (s *sequence) Len() int { return s.length }

// Fork is a text that begins with the same tokens.
func (s *sequence) Fork() engine.Sequence {
	out := *s
	if s.kept != nil {
		s.kept.uses.Add(1)
	}
	return &out
}

// Free gives the memory back. The sequence is empty afterwards.
func (s *sequence) Free() {
	s.kept.release()
	s.kept, s.length = nil, 0
}

// grow makes a row of what a pass left the sequence's, which has n more tokens.
func (s *sequence) grow(n int, k *kept, row int) {
	k.uses.Add(1)
	s.kept.release()
	s.kept, s.row = k, row
	s.length += n
}
