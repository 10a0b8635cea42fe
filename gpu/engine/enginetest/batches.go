package enginetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// reference compares residuals after every block, logits and likelihoods with float64, plain and edited, of
// one token, within a page of keys and beyond several, and beyond windows.
func (s *suite) reference(t *testing.T, m *model) {
	v := m.r.Vector(2, 4)
	for _, n := range []int{1, 12, 33, 70} {
		for _, edited := range []bool{false, true} {
			tokens := m.r.Text(n, uint64(n))
			it := Everything(m.c, tokens)
			var pushes []gputest.Push
			if edited {
				it.Edits = []engine.Edit{{Layer: m.c.Layers - 2, From: n / 2, To: n, Vector: v}, {Layer: m.c.Layers - 1, From: 0, To: 1, Vector: v}}
				pushes = append(pushes, gputest.Push{Layer: m.c.Layers - 2, Vector: v, At: func(i int) bool { return i >= n/2 }},
					gputest.Push{Layer: m.c.Layers - 1, Vector: v, At: func(i int) bool { return i == 0 }})
			}
			if err := asReference(it, 0, Forward(t, m, it)[0], m.r.Forward(tokens, 0, pushes...)); err != nil {
				t.Fatalf("%d tokens, edited %t: %v", n, edited, err)
			}
		}
	}
}

// asReference compares what an item became whose first token is token at of the reference's text.
func asReference(it engine.Item, at int, got engine.Result, want gputest.Pass) error {
	for i, p := range it.Residuals {
		if e := Relative(got.Residuals[i], want.Residual[p.Layer][at+p.Token]); !(e < tolerance) {
			return fmt.Errorf("token %d after block %d: relative difference %.1e", at+p.Token, p.Layer, e)
		}
	}
	for i, token := range it.Logits {
		if e := Relative(got.Logits[i], want.Logits(at+token)); !(e < tolerance) {
			return fmt.Errorf("logits after token %d: relative difference %.1e", at+token, e)
		}
	}
	if len(got.NLL) != len(it.Next) {
		return fmt.Errorf("%d likelihoods of %d tokens", len(got.NLL), len(it.Next))
	}
	for i, next := range it.Next {
		nll := 0.0
		if next >= 0 {
			logits := want.Logits(at + i)
			nll = LogSum(logits) - logits[next]
		}
		if e := math.Abs(float64(got.NLL[i]) - nll); !(e < tolerance*max(1, nll)) {
			return fmt.Errorf("−log p after token %d is %g, want %g", at+i, got.NLL[i], nll)
		}
	}
	return nil
}

// texts are some texts of which everything is wanted, every other one edited.
func (m *model) texts(rng *rand.Rand) (items []engine.Item) {
	for i, n := range []int{1, 3, 31, 40, 65} {
		it := Everything(m.c, m.r.Text(n, uint64(i)))
		if i%2 == 1 {
			it.Edits = []engine.Edit{{Layer: rng.IntN(m.c.Layers), From: rng.IntN(n), To: n, Vector: m.r.Vector(3, uint64(i))}}
		}
		items = append(items, it)
	}
	return items
}

// alone is what each item becomes in a batch of its own.
func (m *model) alone(t testing.TB, items []engine.Item) (out []engine.Result) {
	for _, it := range items {
		out = append(out, Forward(t, m.twin, it)[0])
	}
	return out
}

// batches computes texts alone and in batches of any composition and order.
func (s *suite) batches(t *testing.T, m *model) {
	rng := rand.New(rand.NewPCG(11, 12))
	items := m.texts(rng)
	want := m.alone(t, items)
	for range 3 {
		order := rng.Perm(len(items))
		order = order[:2+rng.IntN(len(items)-1)]
		var batch []engine.Item
		for _, i := range order {
			batch = append(batch, items[i])
		}
		first := Forward(t, m, batch...)
		for i, got := range first {
			if err := s.same(got, want[order[i]]); err != nil {
				t.Fatalf("item %d among %v: %v", order[i], order, err)
			}
		}
		for i, got := range Forward(t, m, batch...) {
			if err := Same(got, first[i]); err != nil {
				t.Fatalf("item %d among %v, the second time: %v", order[i], order, err)
			}
		}
	}
	if len(Forward(t, m)) != 0 {
		t.Error("a batch of nothing has results")
	}
}

// pieces continues sequences a few tokens at a time, all in one batch, and forks them on the way.
func (s *suite) pieces(t *testing.T, m *model) {
	rng := rand.New(rand.NewPCG(13, 14))
	items := m.texts(rng)
	want := m.alone(t, items)
	sequences := make([]engine.Sequence, len(items))
	for i, it := range items {
		sequences[i] = m.NewSequence(len(it.Tokens))
	}
	for done := false; !done; {
		done = true
		var batch []engine.Item
		var which, at []int
		for i, it := range items {
			from := sequences[i].Len()
			n := min(1+rng.IntN(20), len(it.Tokens)-from)
			if done = done && n == 0; n == 0 || rng.IntN(4) == 0 {
				continue
			}
			if rng.IntN(2) == 0 { // the original goes another way and ends
				fork := sequences[i].Fork()
				Forward(t, m, engine.Item{Sequence: sequences[i], Tokens: []int32{1, 2, 3}})
				sequences[i].Free()
				sequences[i] = fork
			}
			piece := Everything(m.c, it.Tokens[from:from+n], shifted(it.Edits, from, n)...)
			piece.Sequence, piece.Next = sequences[i], it.Next[from:from+n]
			batch, which, at = append(batch, piece), append(which, i), append(at, from)
		}
		for b, got := range Forward(t, m, batch...) {
			n := len(batch[b].Tokens)
			if err := s.same(got, part(m.c, want[which[b]], at[b], at[b]+n)); err != nil {
				t.Fatalf("item %d, tokens %d to %d: %v", which[b], at[b], at[b]+n, err)
			}
			if l := batch[b].Sequence.Len(); l != at[b]+n {
				t.Fatalf("a sequence of %d tokens has %d after %d more", at[b], l, n)
			}
		}
	}
	for _, s := range sequences {
		if s.Free(); s.Len() != 0 {
			t.Errorf("a freed sequence has %d tokens", s.Len())
		}
	}
}

// shifted are a text's edits as those of its tokens [from, from+n).
func shifted(edits []engine.Edit, from, n int) (out []engine.Edit) {
	for _, e := range edits {
		out = append(out, engine.Edit{Layer: e.Layer, From: max(0, e.From-from), To: min(n, max(0, e.To-from)), Vector: e.Vector})
	}
	return out
}

// wanted asks for less than everything, of several items in one batch: what is left is the same.
func (s *suite) wanted(t *testing.T, m *model) {
	top := m.c.Layers - 1
	short, long := m.r.Text(9, 1), m.r.Text(45, 2)
	next := slices.Repeat([]int32{-1}, 45)
	next[3], next[44] = 5, 6
	all, far := Forward(t, m.twin, Everything(m.c, short))[0], Everything(m.c, long)
	far.Next = next
	whole := Forward(t, m.twin, far)[0]
	into := [][]float32{slices.Repeat([]float32{7}, m.c.Vocab), make([]float32, m.c.Vocab)}
	at := func(r engine.Result, token, layer int) []float32 { return r.Residuals[token*m.c.Layers+layer] }
	got := Forward(t, m,
		engine.Item{Tokens: short, Residuals: []engine.Place{{Token: 8, Layer: 0}, {Token: 2, Layer: 1}, {Token: 8, Layer: 1}, {Token: 8, Layer: 0}}},
		engine.Item{Tokens: long, Residuals: []engine.Place{{Token: 44, Layer: top}}, Logits: []int{7}},
		engine.Item{Tokens: short}, // nothing
		engine.Item{Tokens: long, Residuals: []engine.Place{{Token: 40, Layer: 0}}},
		engine.Item{Tokens: long, Next: next, Logits: []int{44, 7, 44}},
		engine.Item{Sequence: m.NewSequence(9), Tokens: short},
		engine.Item{Tokens: long, Logits: []int{44, 7}, Into: into})
	for i, want := range []engine.Result{
		{Residuals: [][]float32{at(all, 8, 0), at(all, 2, 1), at(all, 8, 1), at(all, 8, 0)}},
		{Residuals: [][]float32{at(whole, 44, top)}, Logits: [][]float32{whole.Logits[7]}},
		{},
		{Residuals: [][]float32{at(whole, 40, 0)}},
		{NLL: whole.NLL, Logits: [][]float32{whole.Logits[44], whole.Logits[7], whole.Logits[44]}},
		{},
		{Logits: [][]float32{whole.Logits[44], whole.Logits[7]}},
	} {
		if err := s.same(got[i], want); err != nil {
			t.Errorf("item %d: %v", i, err)
		}
	}
	if err := Same(engine.Result{Logits: into}, engine.Result{Logits: got[6].Logits}); err != nil {
		t.Errorf("logits in the caller's memory: %v", err)
	}
	if whole.NLL[2] != 0 || whole.NLL[3] == 0 {
		t.Errorf("likelihoods of tokens that were not asked for and that were: %g, %g", whole.NLL[2], whole.NLL[3])
	}
}
