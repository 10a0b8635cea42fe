package xla

import (
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// kept are the keys and values of a text in all blocks, k₀, v₀, k₁, …: [2·Layers, K, T, h], of which the
// first positions are the text's. No program writes to them: a text that goes on gets others, so forks share
// them as they are.
type kept struct {
	tensor *tensors.Tensor
	uses   atomic.Int32 // sequences that have them
}

// slots is T, 0 if there are none.
func (k *kept) slots() int {
	if k == nil {
		return 0
	}
	return k.tensor.Shape().Dimensions[2]
}

func (k *kept) release() {
	if k != nil && k.uses.Add(-1) == 0 {
		free([]*tensors.Tensor{k.tensor})
	}
}

// A sequence is a text under way.
type sequence struct {
	m      *Model
	prompt int
	length int
	kept   *kept // nil: no tokens yet
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

// grow makes keys and values of n more tokens the sequence's.
func (s *sequence) grow(n int, t *tensors.Tensor) {
	s.kept.release()
	s.kept = &kept{tensor: t}
	s.kept.uses.Store(1)
	s.length += n
}
