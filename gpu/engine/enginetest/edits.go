package enginetest

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// edits are added after their block, at their tokens and no others, all of them where several meet; nothing
// is added by zero, what is read at a site holds what was added there, and texts are edited apart.
func (s *suite) edits(t *testing.T, m *model) {
	tokens := m.r.Text(20, 1)
	s.zeroEdit(t, m, tokens)
	s.extractInject(t, m, tokens)
	s.apart(t, m, tokens)
	top := m.c.Layers - 1
	v, w := m.r.Vector(2, 5), m.r.Vector(1, 6)
	it := Everything(m.c, tokens,
		engine.Edit{Layer: 0, From: 3, To: 11, Vector: v}, engine.Edit{Layer: 0, From: 7, To: 20, Vector: w}, engine.Edit{Layer: 0, From: 7, To: 8, Vector: w},
		engine.Edit{Layer: top, From: 19, To: 20, Vector: v}, engine.Edit{Layer: top, From: 4, To: 4, Vector: v})
	between := func(from, to int) func(int) bool { return func(i int) bool { return i >= from && i < to } }
	want := m.r.Forward(tokens, 0, gputest.Push{Vector: v, At: between(3, 11)}, gputest.Push{Vector: w, At: between(7, 20)},
		gputest.Push{Vector: w, At: between(7, 8)}, gputest.Push{Layer: top, Vector: v, At: between(19, 20)})
	plain := Everything(m.c, tokens) // beside it in the batch
	got := Forward(t, m, plain, it, plain)
	if err := asReference(it, 0, got[1], want); err != nil {
		t.Errorf("edits that overlap: %v", err)
	}
	for _, i := range []int{0, 2} {
		if err := asReference(plain, 0, got[i], m.r.Forward(tokens, 0)); err != nil {
			t.Errorf("beside an edited text: %v", err)
		}
	}
}

// apart adds what is not finite to one text: those beside it are what they are without it.
func (s *suite) apart(t *testing.T, m *model, tokens []int32) {
	v := m.r.Vector(1, 7)
	v[0], v[1] = float32(math.NaN()), float32(math.Inf(1))
	plain := Everything(m.c, tokens)
	want := Forward(t, m.twin, plain)[0]
	got := Forward(t, m, plain, Everything(m.c, tokens, engine.Edit{Layer: 0, From: 0, To: len(tokens), Vector: v}), plain)
	for _, i := range []int{0, 2} {
		if err := s.same(got[i], want); err != nil {
			t.Errorf("beside a text to which infinity was added: %v", err)
		}
	}
	if x := got[1].Logits[0][0]; x == x {
		t.Errorf("infinity was added, and a logit is %g", x)
	}
}

// zeroEdit is the promise that alpha 0 is bit-identical to no steering, for every engine.
func (s *suite) zeroEdit(t *testing.T, m *model, tokens []int32) {
	nothing := make([]float32, m.c.Hidden)
	nothing[3] = float32(math.Copysign(0, -1))
	want := Forward(t, m, Everything(m.c, tokens))[0]
	got := Forward(t, m, Everything(m.c, tokens, engine.Edit{Layer: 1, From: 0, To: len(tokens), Vector: nothing}))[0]
	if err := Same(got, want); err != nil {
		t.Errorf("an edit of zero: %v", err)
	}
}

// extractInject reads h at a site, adds −h there, and reads back zero; the token before is as it was.
func (s *suite) extractInject(t *testing.T, m *model, tokens []int32) {
	for l := range m.c.Layers {
		at := []engine.Place{{Token: 12, Layer: l}, {Token: 11, Layer: l}}
		h := Forward(t, m, engine.Item{Tokens: tokens, Residuals: at})[0].Residuals
		minus := make([]float32, m.c.Hidden)
		size := 0.0
		for i, v := range h[0] {
			minus[i] = -v
			size += float64(v) * float64(v)
		}
		got := Forward(t, m, engine.Item{Tokens: tokens, Residuals: at, Edits: []engine.Edit{{Layer: l, From: 12, To: 13, Vector: minus}}})[0].Residuals
		left := 0.0
		for _, v := range got[0] {
			left += float64(v) * float64(v)
		}
		if most := tolerance * tolerance * size; left > 0 && (s.Exact || !(left < most)) {
			t.Errorf("block %d: %v is left after −h was added", l, got[0])
		}
		if err := s.same(engine.Result{Residuals: got[1:]}, engine.Result{Residuals: h[1:]}); err != nil {
			t.Errorf("block %d: the edit changed the token before: %v", l, err)
		}
	}
}

// refused are items that do not fit the model.
func (s *suite) refused(t *testing.T, m *model) {
	stranger := s.open(t, m.c, m.r)
	defer stranger.Close()
	other := stranger.NewSequence(1)
	one, v := []int32{1}, m.r.Vector(1, 1)
	q := m.NewSequence(1)
	for name, c := range map[string]struct {
		items []engine.Item
		want  string
	}{
		"no tokens":        {[]engine.Item{{}}, "item 0: no tokens"},
		"token":            {[]engine.Item{{Tokens: one}, {Tokens: []int32{0, 199}}}, "item 1: token 1 is 199, the vocabulary has 199"},
		"negative token":   {[]engine.Item{{Tokens: []int32{-1}}}, "token 0 is -1"},
		"edited block":     {[]engine.Item{{Tokens: one, Edits: []engine.Edit{{Layer: 3, To: 1, Vector: v}}}}, "after block 3"},
		"edited token":     {[]engine.Item{{Tokens: one, Edits: []engine.Edit{{To: 2, Vector: v}}}}, "at tokens [0, 2)"},
		"edit's vector":    {[]engine.Item{{Tokens: one, Edits: []engine.Edit{{To: 1, Vector: v[1:]}}}}, "an edit of 47 values"},
		"residual's block": {[]engine.Item{{Tokens: one, Residuals: []engine.Place{{Token: 0, Layer: 3}}}}, "of token 0 after block 3"},
		"residual's token": {[]engine.Item{{Tokens: one, Residuals: []engine.Place{{Token: 1, Layer: 0}}}}, "of token 1 after block 0"},
		"logits":           {[]engine.Item{{Tokens: one, Logits: []int{1}}}, "logits after token 1 of 1"},
		"too few places":   {[]engine.Item{{Tokens: one, Logits: []int{0, 0}, Into: [][]float32{make([]float32, 199)}}}, "logits after 2 tokens into 1 places"},
		"a short place":    {[]engine.Item{{Tokens: one, Logits: []int{0}, Into: [][]float32{make([]float32, 9)}}}, "a place of 9 values"},
		"next":             {[]engine.Item{{Tokens: one, Next: []int32{1, 2}}}, "1 tokens with 2 that follow"},
		"next's token":     {[]engine.Item{{Tokens: one, Next: []int32{-2}}}, "the token after token 0 is -2"},
		"foreign sequence": {[]engine.Item{{Tokens: one, Sequence: other}}, "another model's"},
		"sequence twice":   {[]engine.Item{{Tokens: one, Sequence: q}, {Tokens: one, Sequence: q}}, "item 1: its sequence is another item's too"},
	} {
		_, err := m.Forward(context.Background(), c.items)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	if q.Len() != 0 {
		t.Errorf("a sequence has %d tokens of passes that were refused", q.Len())
	}
}
