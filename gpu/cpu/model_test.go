package cpu

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// reference is a random model of a family; "gelu" is a family whose gate is the exact GELU.
func reference(t testing.TB, family string) *gputest.Reference {
	t.Helper()
	text, ok := gputest.Configs[family]
	if family == "llama_gelu" {
		text = strings.Replace(gputest.Configs["llama1"], `"llama",`, `"llama", "hidden_act": "gelu",`, 1)
	} else if !ok {
		t.Fatalf("no family %s", family)
	}
	c, err := arch.ParseConfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return gputest.Model(c, 1)
}

func families() []string {
	out := []string{"llama_gelu"}
	for name := range gputest.Configs {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func loaded(t testing.TB, r *gputest.Reference, k *kernels, threads int) *Model {
	t.Helper()
	m, err := load(r.Config, r, Options{Threads: threads}, k)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func forward(t testing.TB, m *Model, items ...engine.Item) []engine.Result {
	t.Helper()
	out, err := m.Forward(context.Background(), items)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// everything asks for all that can be wanted of a text.
func everything(c *arch.Config, tokens []int32, edits ...engine.Edit) engine.Item {
	it := engine.Item{Tokens: tokens, Edits: edits}
	for i := range tokens {
		it.Logits = append(it.Logits, i)
		it.Next = append(it.Next, tokens[(i+1)%len(tokens)])
		for l := range c.Layers {
			it.Residuals = append(it.Residuals, engine.Place{Token: i, Layer: l})
		}
	}
	return it
}

func relative(got []float32, want []float64) float64 {
	var diff, size float64
	for i, w := range want {
		diff += (float64(got[i]) - w) * (float64(got[i]) - w)
		size += w * w
	}
	return math.Sqrt(diff / size)
}

// TestForwardIsTheReferences is the promise for every family: residuals after every block, logits and
// likelihoods of float64, plain and edited, on one page and across pages and windows.
func TestForwardIsTheReferences(t *testing.T) {
	const tolerance = 1e-5
	for _, family := range families() {
		t.Run(family, func(t *testing.T) {
			r := reference(t, family)
			m := loaded(t, r, best(), 2)
			c := r.Config
			v := r.Vector(2, 4)
			for _, n := range []int{1, 12, 33, 70} {
				for _, edited := range []bool{false, true} {
					tokens := r.Text(n, uint64(n))
					it := everything(c, tokens)
					var pushes []gputest.Push
					if edited {
						it.Edits = []engine.Edit{{Layer: c.Layers - 2, From: n / 2, To: n, Vector: v}, {Layer: c.Layers - 1, From: 0, To: 1, Vector: v}}
						pushes = append(pushes, gputest.Push{Layer: c.Layers - 2, Vector: v, At: func(i int) bool { return i >= n/2 }},
							gputest.Push{Layer: c.Layers - 1, Vector: v, At: func(i int) bool { return i == 0 }})
					}
					got, want := forward(t, m, it)[0], r.Forward(tokens, 0, pushes...)
					for i, place := range it.Residuals {
						if e := relative(got.Residuals[i], want.Residual[place.Layer][place.Token]); !(e < tolerance) {
							t.Fatalf("%d tokens, edited %t: token %d after block %d: relative difference %.1e", n, edited, place.Token, place.Layer, e)
						}
					}
					for i := range tokens {
						logits := want.Logits(i)
						if e := relative(got.Logits[i], logits); !(e < tolerance) {
							t.Fatalf("%d tokens, edited %t: logits after token %d: relative difference %.1e", n, edited, i, e)
						}
						nll := logSum(logits) - logits[it.Next[i]]
						if e := math.Abs(float64(got.NLL[i]) - nll); !(e < tolerance) {
							t.Fatalf("%d tokens, edited %t: −log p after token %d is %g, want %g", n, edited, i, got.NLL[i], nll)
						}
					}
				}
			}
		})
	}
}

func logSum(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += math.Exp(v)
	}
	return math.Log(sum)
}

// same reports the first difference of bits between results.
func same(a, b engine.Result) error {
	for _, pair := range [][2][][]float32{{a.Residuals, b.Residuals}, {a.Logits, b.Logits}, {{a.NLL}, {b.NLL}}} {
		for i := range pair[0] {
			if len(pair[0][i]) != len(pair[1][i]) {
				return fmt.Errorf("lengths %d and %d", len(pair[0][i]), len(pair[1][i]))
			}
			if j := differ(pair[0][i], pair[1][i]); j >= 0 {
				return fmt.Errorf("element %d of %d is %x and %x", j, i, pair[0][i][j], pair[1][i][j])
			}
		}
	}
	return nil
}

// TestABatchChangesNothing computes texts alone on one thread, then in batches of any composition and
// order on several threads, in pieces that continue sequences and forks of them, and with every set of
// kernels: all have the same bits.
func TestABatchChangesNothing(t *testing.T) {
	for _, family := range families() {
		t.Run(family, func(t *testing.T) {
			r := reference(t, family)
			c := r.Config
			rng := rand.New(rand.NewPCG(11, 12))
			var items []engine.Item
			for i := range 5 {
				n := []int{1, 3, 31, 40, 65}[i]
				it := everything(c, r.Text(n, uint64(i)))
				if i%2 == 1 {
					it.Edits = []engine.Edit{{Layer: rng.IntN(c.Layers), From: rng.IntN(n), To: n, Vector: r.Vector(3, uint64(i))}}
				}
				items = append(items, it)
			}
			plain := loaded(t, r, best(), 1)
			var want []engine.Result
			for _, it := range items {
				want = append(want, forward(t, plain, it)[0])
			}
			for _, k := range available {
				if testing.Short() && k == &genericKernels && len(available) > 1 && family != "gemma3" {
					continue
				}
				m := loaded(t, r, k, 3)
				order := rng.Perm(len(items))
				var batch []engine.Item
				for _, i := range order {
					batch = append(batch, items[i])
				}
				for i, got := range forward(t, m, batch...) {
					if err := same(got, want[order[i]]); err != nil {
						t.Fatalf("%s: item %d in a batch: %v", k.name, order[i], err)
					}
				}
				if k == &genericKernels {
					continue
				}
				inPieces(t, m, rng, items, want)
			}
		})
	}
}

// inPieces continues sequences a few tokens at a time, all in one batch, and forks them on the way.
func inPieces(t *testing.T, m *Model, rng *rand.Rand, items []engine.Item, want []engine.Result) {
	t.Helper()
	sequences := make([]engine.Sequence, len(items))
	for i, it := range items {
		sequences[i] = m.NewSequence(len(it.Tokens))
	}
	layers := m.config.Layers
	for {
		var batch []engine.Item
		var which []int
		left := 0
		for i, it := range items {
			at := sequences[i].Len()
			left += len(it.Tokens) - at
			n := min(1+rng.IntN(20), len(it.Tokens)-at)
			if n == 0 || rng.IntN(4) == 0 {
				continue
			}
			if rng.IntN(2) == 0 { // the original goes another way or ends
				fork := sequences[i].Fork()
				forward(t, m, engine.Item{Sequence: sequences[i], Tokens: []int32{1, 2, 3}})
				sequences[i].Free()
				sequences[i] = fork
			}
			piece := engine.Item{Sequence: sequences[i], Tokens: it.Tokens[at : at+n], Next: it.Next[at : at+n]}
			for j := range n {
				piece.Logits = append(piece.Logits, j)
				for l := range layers {
					piece.Residuals = append(piece.Residuals, engine.Place{Token: j, Layer: l})
				}
			}
			for _, e := range it.Edits {
				piece.Edits = append(piece.Edits, engine.Edit{Layer: e.Layer, From: max(0, e.From-at), To: min(n, max(0, e.To-at)), Vector: e.Vector})
			}
			batch, which = append(batch, piece), append(which, i)
		}
		if left == 0 {
			break
		}
		at := make([]int, len(batch))
		for b, piece := range batch {
			at[b] = piece.Sequence.Len()
		}
		for b, got := range forward(t, m, batch...) {
			w, n := want[which[b]], len(batch[b].Tokens)
			part := engine.Result{Residuals: w.Residuals[at[b]*layers : (at[b]+n)*layers], Logits: w.Logits[at[b] : at[b]+n], NLL: w.NLL[at[b] : at[b]+n]}
			if err := same(got, part); err != nil {
				t.Fatalf("%s: item %d from token %d: %v", m.kernels.name, which[b], at[b], err)
			}
		}
	}
	for _, s := range sequences {
		s.Free()
	}
	for _, pg := range m.pool.free {
		if pg.uses != 0 {
			t.Fatalf("a free page has %d uses", pg.uses)
		}
	}
}

// TestOnlyWhatIsWanted asks for less than everything: what is left has the same bits, and blocks after the
// last that is wanted do not run.
func TestOnlyWhatIsWanted(t *testing.T) {
	for _, family := range []string{"llama", "gemma2", "mistral"} {
		r := reference(t, family)
		c := r.Config
		m := loaded(t, r, best(), 2)
		short, long := r.Text(9, 1), r.Text(45, 2)
		all := []engine.Result{forward(t, m, everything(c, short))[0], forward(t, m, everything(c, long))[0]}
		got := forward(t, m,
			engine.Item{Tokens: short, Residuals: []engine.Place{{Token: 8, Layer: 0}, {Token: 2, Layer: 1}, {Token: 8, Layer: 1}}},
			engine.Item{Tokens: long, Residuals: []engine.Place{{Token: 44, Layer: c.Layers - 1}}, Logits: []int{7}},
			engine.Item{Tokens: short}, // nothing
			engine.Item{Tokens: long, Residuals: []engine.Place{{Token: 40, Layer: 0}}})
		for i, part := range []engine.Result{
			{Residuals: [][]float32{all[0].Residuals[8*c.Layers], all[0].Residuals[2*c.Layers+1], all[0].Residuals[8*c.Layers+1]}},
			{Residuals: [][]float32{all[1].Residuals[44*c.Layers+c.Layers-1]}, Logits: [][]float32{all[1].Logits[7]}},
			{},
			{Residuals: [][]float32{all[1].Residuals[40*c.Layers]}},
		} {
			if err := same(part, got[i]); err != nil {
				t.Errorf("%s: item %d: %v", family, i, err)
			}
		}
		for l := 1; l < c.Layers; l++ { // would crash if they ran
			m.blocks[l] = block{}
		}
		if err := same(engine.Result{Residuals: [][]float32{all[0].Residuals[8*c.Layers]}}, forward(t, m, engine.Item{Tokens: short, Residuals: []engine.Place{{Token: 8, Layer: 0}}})[0]); err != nil {
			t.Errorf("%s: with the first block only: %v", family, err)
		}
	}
}

// TestZeroEditIsNoEdit is the promise that alpha 0 is bit-identical to no steering.
func TestZeroEditIsNoEdit(t *testing.T) {
	r := reference(t, "gemma3")
	m := loaded(t, r, best(), 2)
	tokens := r.Text(20, 1)
	nothing := make([]float32, r.Config.Hidden)
	nothing[3] = float32(math.Copysign(0, -1))
	want := forward(t, m, everything(r.Config, tokens))[0]
	got := forward(t, m, everything(r.Config, tokens, engine.Edit{Layer: 1, From: 0, To: 20, Vector: nothing}))[0]
	if err := same(got, want); err != nil {
		t.Error(err)
	}
}

// TestExtractInject reads h at a site, adds −h there, and reads back exactly zero.
func TestExtractInject(t *testing.T) {
	r := reference(t, "qwen2")
	m := loaded(t, r, best(), 2)
	tokens := r.Text(13, 1)
	for l := range r.Config.Layers {
		at := []engine.Place{{Token: 12, Layer: l}, {Token: 11, Layer: l}}
		h := forward(t, m, engine.Item{Tokens: tokens, Residuals: at})[0].Residuals
		minus := clone(h[0])
		for i := range minus {
			minus[i] = -minus[i]
		}
		got := forward(t, m, engine.Item{Tokens: tokens, Residuals: at, Edits: []engine.Edit{{Layer: l, From: 12, To: 13, Vector: minus}}})[0].Residuals
		if !zero(got[0]) {
			t.Errorf("block %d: %v is left after −h was added", l, got[0])
		}
		if i := differ(got[1], h[1]); i >= 0 {
			t.Errorf("block %d: the edit changed the token before", l)
		}
	}
}

func TestItemsThatDoNotFit(t *testing.T) {
	r := reference(t, "llama")
	m := loaded(t, r, best(), 1)
	other := loaded(t, r, best(), 1).NewSequence(1)
	one, v := []int32{1}, r.Vector(1, 1)
	s := m.NewSequence(1)
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
		"next":             {[]engine.Item{{Tokens: one, Next: []int32{1, 2}}}, "1 tokens with 2 that follow"},
		"next's token":     {[]engine.Item{{Tokens: one, Next: []int32{-2}}}, "the token after token 0 is -2"},
		"foreign sequence": {[]engine.Item{{Tokens: one, Sequence: other}}, "another model's"},
		"sequence twice":   {[]engine.Item{{Tokens: one, Sequence: s}, {Tokens: one, Sequence: s}}, "item 1: its sequence is another item's too"},
	} {
		_, err := m.Forward(context.Background(), c.items)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Forward(ctx, []engine.Item{{Tokens: one, Sequence: s, Logits: []int{0}}}); err == nil || s.Len() != 0 {
		t.Errorf("a cancelled pass: error %v, %d tokens", err, s.Len())
	}
}
