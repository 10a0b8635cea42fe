package enginetest

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// forks lets a text and its forks go different ways, in one batch: each is what it is alone, and what one
// writes no other sees. The second time they are already apart; the third time the first two are gone.
func (s *suite) forks(t *testing.T, m *model) {
	prompt := m.r.Text(37, 1)
	first := m.NewSequence(len(prompt))
	Forward(t, m, engine.Item{Sequence: first, Tokens: prompt})
	sequences := []engine.Sequence{first, first.Fork(), first.Fork()}
	texts := make([][]int32, len(sequences))
	for round := range 3 {
		if round == 2 {
			sequences[0].Free()
			sequences[1].Free()
			sequences[1] = sequences[2].Fork()
			texts[1] = slices.Clone(texts[2])
		}
		var batch []engine.Item
		var of []int
		for i, q := range sequences {
			if round == 2 && i == 0 {
				continue
			}
			more := m.r.Text(3+2*i, uint64(len(texts[i])+10*i))
			texts[i] = append(texts[i], more...)
			batch, of = append(batch, engine.Item{Sequence: q, Tokens: more, Logits: []int{len(more) - 1}}), append(of, i)
		}
		for b, got := range Forward(t, m, batch...) {
			i := of[b]
			whole := slices.Concat(prompt, texts[i])
			want := Forward(t, m.twin, engine.Item{Tokens: whole, Prompt: len(prompt), Logits: []int{len(whole) - 1}})
			if err := s.same(got, want[0]); err != nil {
				t.Errorf("round %d, fork %d of %d tokens: %v", round, i, sequences[i].Len(), err)
			}
		}
	}
	// A freed sequence begins again.
	got := Forward(t, m, engine.Item{Sequence: first, Tokens: prompt, Logits: []int{36}})
	want := Forward(t, m.twin, engine.Item{Tokens: prompt, Logits: []int{36}})
	if err := s.same(got[0], want[0]); err != nil {
		t.Errorf("after it was freed: %v", err)
	}
	for _, q := range append(sequences, first) {
		q.Free()
	}
}

// prompts follows texts whose first tokens are the same and whose prompts are not: the length of the prompt
// decides how positions of some families turn, for all tokens and for forks.
func (s *suite) prompts(t *testing.T, m *model) {
	text := m.r.Text(44, 5)
	var batch []engine.Item
	lengths := []int{1, 10, 20, 44}
	for _, n := range lengths {
		it := Everything(m.c, text)
		it.Prompt = n
		batch = append(batch, it)
	}
	for i, got := range Forward(t, m, batch...) {
		if err := asReference(batch[i], 0, got, m.r.Forward(text, lengths[i])); err != nil {
			t.Errorf("a prompt of %d tokens: %v", lengths[i], err)
		}
	}
	for _, n := range lengths[:3] {
		q := m.NewSequence(n)
		Forward(t, m, engine.Item{Sequence: q, Tokens: text[:n]})
		fork := q.Fork()
		q.Free()
		rest := Everything(m.c, text[n:])
		rest.Sequence = fork
		if err := asReference(rest, n, Forward(t, m, rest)[0], m.r.Forward(text, n)); err != nil {
			t.Errorf("after a prompt of %d tokens and a fork: %v", n, err)
		}
		fork.Free()
	}
}

// A lapse is a context that ends when it has been asked some times.
type lapse struct {
	context.Context
	left atomic.Int32
}

func lapsing(asked int) *lapse {
	l := &lapse{Context: context.Background()}
	l.left.Store(int32(asked))
	return l
}

func (l *lapse) Err() error {
	if l.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// interrupted passes, wherever they are when their context ends, leave sequences as they were: they go on, and forks of them apart, as if nothing had
// been tried.
func (s *suite) interrupted(t *testing.T, m *model) {
	prompt, lost := m.r.Text(30, 1), m.r.Text(50, 2)
	for asked := 0; ; asked++ {
		q := m.NewSequence(len(prompt))
		Forward(t, m, engine.Item{Sequence: q, Tokens: prompt})
		edits := []engine.Edit{{Layer: 0, To: 50, Vector: m.r.Vector(3, 1)}}
		_, err := m.Forward(lapsing(asked), []engine.Item{
			{Tokens: prompt, Logits: []int{0}}, {Sequence: q, Tokens: lost, Edits: edits, Logits: []int{49}}, {Sequence: m.NewSequence(1), Tokens: lost[:1]}})
		if err == nil {
			if q.Free(); asked == 0 {
				t.Fatal("a pass whose context has ended: no error")
			}
			return
		}
		if q.Len() != len(prompt) {
			t.Fatalf("after an error a sequence of %d tokens has %d", len(prompt), q.Len())
		}
		if _, err := m.Forward(context.Background(), []engine.Item{{Sequence: q, Tokens: lost}, {Tokens: []int32{-1}}}); err == nil {
			t.Fatal("a token below 0: no error")
		}
		pair := []engine.Sequence{q, q.Fork()}
		var batch []engine.Item
		for i, q := range pair {
			more := m.r.Text(41+i, uint64(3+i))
			batch = append(batch, engine.Item{Sequence: q, Tokens: more, Logits: []int{len(more) - 1}})
		}
		for range 2 {
			for i, got := range Forward(t, m, batch...) {
				whole := slices.Concat(prompt, m.r.Text(41+i, uint64(3+i)))
				if n := pair[i].Len(); n > len(whole) {
					whole = append(whole, 1)
				}
				want := Forward(t, m.twin, engine.Item{Tokens: whole, Prompt: len(prompt), Logits: []int{len(whole) - 1}})
				if err := s.same(got, want[0]); err != nil {
					t.Errorf("fork %d, %d tokens, after a pass that ended when it was asked %d times: %v", i, pair[i].Len(), asked, err)
				}
				batch[i].Tokens, batch[i].Logits = []int32{1}, []int{0}
			}
		}
		pair[0].Free()
		pair[1].Free()
	}
}
