package enginetest

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// games is how many sequences of bytes are played without a fuzzer, of 100 bytes each.
const games = 4

// game is one of them.
func game(i int) []byte {
	rng := rand.New(rand.NewPCG(uint64(i), 99))
	out := make([]byte, 100)
	for j := range out {
		out[j] = byte(rng.Uint32())
	}
	return out
}

func (s *suite) played(t *testing.T, m *model) {
	for i := range games {
		if (&player{s: s, m: m, data: game(i)}).play(t); t.Failed() {
			t.Fatalf("game %d", i)
		}
	}
}

// Fuzz plays any sequence of batches, forks and failures with models of several families, and compares
// everything that is asked for with the reference.
func Fuzz(f *testing.F, open Opener, o Options) {
	for i := range games {
		f.Add(byte(i), game(100+i))
	}
	list := []string{"gemma3", "llama_dynamic", "mistral", "phi3", "qwen"}
	s := &suite{open: open, Options: o, models: map[string]*model{}}
	f.Fuzz(func(t *testing.T, family byte, data []byte) {
		m := s.model(t, list[int(family)%len(list)])
		(&player{s: s, m: m, data: data[:min(len(data), 400)]}).play(t)
	})
}

// A player does what bytes say.
type player struct {
	s    *suite
	m    *model
	data []byte
	live []*text
}

// A text is a sequence and what it must hold.
type text struct {
	seq    engine.Sequence // nil: only read as a whole
	prompt int
	tokens []int32
	edits  []engine.Edit // by the text's tokens
}

// longest is the length of a text that is not continued.
const longest = 80

func (p *player) byte() int {
	if len(p.data) == 0 {
		return 0
	}
	b := p.data[0]
	p.data = p.data[1:]
	return int(b)
}

func (p *player) play(t testing.TB) {
	t.Helper()
	for len(p.data) > 0 && !t.Failed() {
		switch op := p.byte() % 8; {
		case op == 0 && len(p.live) > 0:
			old := p.live[p.byte()%len(p.live)]
			p.live = append(p.live, &text{old.seq.Fork(), old.prompt, slices.Clone(old.tokens), slices.Clone(old.edits)})
		case op == 1 && len(p.live) > 0:
			i := p.byte() % len(p.live)
			p.live[i].seq.Free()
			p.live = slices.Delete(p.live, i, i+1)
		case op == 2:
			p.batch(t, lapsing(p.byte()%3))
		default:
			p.batch(t, context.Background())
		}
	}
	for _, x := range p.live {
		x.seq.Free()
	}
}

// batch runs one; a context that ends may spoil it.
func (p *player) batch(t testing.TB, ctx context.Context) {
	t.Helper()
	var items []engine.Item
	var texts []*text
	for range 1 + p.byte()%4 {
		x := p.choose(texts)
		items, texts = append(items, p.extend(x)), append(texts, x)
	}
	results, err := p.m.Forward(ctx, items)
	if ended := err != nil && ctx.Err() != nil; err != nil && !ended {
		t.Fatal(err)
	}
	for i, x := range texts {
		n := len(items[i].Tokens)
		if err != nil {
			x.tokens = x.tokens[:len(x.tokens)-n]
			x.edits = slices.DeleteFunc(x.edits, func(e engine.Edit) bool { return e.From >= len(x.tokens) })
		}
		if x.seq != nil && x.seq.Len() != len(x.tokens) {
			t.Fatalf("a sequence has %d tokens, want %d", x.seq.Len(), len(x.tokens))
		}
		if err != nil {
			continue
		}
		if err := asReference(items[i], len(x.tokens)-n, results[i], x.pass(p.m.r)); err != nil {
			t.Fatalf("item %d of %d, %d tokens after %d, prompt of %d: %v", i, len(items), n, len(x.tokens)-n, x.prompt, err)
		}
	}
}

// choose takes a text that is not in the batch yet, or begins one.
func (p *player) choose(taken []*text) *text {
	b := p.byte()
	if b%3 > 0 && len(p.live) > 0 {
		x := p.live[b/3%len(p.live)]
		if !slices.Contains(taken, x) && len(x.tokens) < longest {
			return x
		}
	}
	x := &text{prompt: 1 + b%50}
	if b%5 > 0 && len(p.live) < 12 {
		x.seq = p.m.NewSequence(x.prompt)
		p.live = append(p.live, x)
	}
	return x
}

// extend gives a text more tokens, edits some, and asks for things.
func (p *player) extend(x *text) engine.Item {
	at, n := len(x.tokens), 1+p.byte()%24
	more := p.m.r.Text(n, uint64(p.byte()))
	x.tokens = append(x.tokens, more...)
	it := engine.Item{Sequence: x.seq, Tokens: more}
	if x.seq == nil {
		it.Prompt = x.prompt
	}
	for b := p.byte(); b%4 < 2 && len(it.Edits) < 3; b = p.byte() {
		from := b % n
		e := engine.Edit{Layer: b % p.m.c.Layers, From: from, To: from + 1 + p.byte()%(n-from), Vector: p.m.r.Vector(float64(b%3), uint64(b))}
		it.Edits = append(it.Edits, e)
		e.From, e.To = e.From+at, e.To+at
		x.edits = append(x.edits, e)
	}
	for b := p.byte(); b%4 > 0 && len(it.Residuals) < 3; b = p.byte() {
		it.Residuals = append(it.Residuals, engine.Place{Token: b % n, Layer: p.byte() % p.m.c.Layers})
	}
	if b := p.byte(); b%2 == 0 {
		it.Logits = append(it.Logits, n-1, b%n)
	}
	if b := p.byte(); b%3 == 0 {
		for range n {
			it.Next = append(it.Next, int32(p.byte()%(p.m.c.Vocab+1))-1)
		}
	}
	return it
}

// pass is the reference's of a text as it is.
func (x *text) pass(r *gputest.Reference) gputest.Pass {
	var pushes []gputest.Push
	for _, e := range x.edits {
		pushes = append(pushes, gputest.Push{Layer: e.Layer, Vector: e.Vector, At: func(i int) bool { return i >= e.From && i < e.To }})
	}
	return r.Forward(x.tokens, x.prompt, pushes...)
}
