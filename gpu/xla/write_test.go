package xla

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// eachDevice runs a test on the backend in Go and on the compiler.
func eachDevice(t *testing.T, f func(t *testing.T, dev *Device)) {
	t.Run("go", func(t *testing.T) { f(t, goDevice(t)) })
	t.Run("compiled", func(t *testing.T) { f(t, compiledDevice(t)) })
}

// promptsOf are texts to continue: their tokens, and what is added to them. Two lengths are in one bucket, others in
// others; the first one has a prefix of nothing.
func promptsOf(m *Model, r *gputest.Reference) (prompts [][]int32, edits [][]engine.Constant) {
	for i, n := range []int{1, 7, 30, 36, 33} {
		prompts = append(prompts, r.Text(n, uint64(i+1)))
		edits = append(edits, []engine.Constant{
			{Layer: m.config.Layers - 1, Vector: r.Vector(2, uint64(i))},
			{Layer: 0, Vector: r.Vector(1, uint64(i+9)), Once: i%2 == 1},
		})
	}
	return prompts, edits
}

// begun are texts with sequences, whose prefixes are read in one batch.
func begun(t testing.TB, m *Model, prompts [][]int32, edits [][]engine.Constant, most int) (texts []engine.Text) {
	t.Helper()
	var prefixes []engine.Item
	for i, p := range prompts {
		n := len(p) - 1
		q := m.NewSequence(len(p))
		if n > 0 {
			prefixes = append(prefixes, engine.Item{Sequence: q, Tokens: p[:n]})
		}
		texts = append(texts, engine.Text{Sequence: q, Last: p[n], Most: most, Edits: edits[i],
			Noise: func(step int) (uint32, uint32) { return uint32(i)*77 + 1, uint32(step)*1234567 + 5 }})
	}
	enginetest.Forward(t, m, prefixes...)
	return texts
}

// written are the tokens and margins that Write tells.
func written(t testing.TB, m *Model, texts []engine.Text, how engine.Choice) (tokens [][]int32, margins [][]float32) {
	t.Helper()
	tokens, margins = make([][]int32, len(texts)), make([][]float32, len(texts))
	if err := m.Write(context.Background(), texts, how, func(i int, more []int32, by []float32) bool {
		tokens[i], margins[i] = append(tokens[i], more...), append(margins[i], by...)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	for i, x := range texts {
		if x.Sequence.Len() != 0 {
			t.Errorf("text %d: its sequence has %d tokens afterwards", i, x.Sequence.Len())
		}
	}
	return tokens, margins
}

// TestWrittenIsMostProbable follows greedy texts token by token with passes over whole texts. Families differ in
// windows, caps, norms of heads, and in how positions turn.
func TestWrittenIsMostProbable(t *testing.T) {
	eachDevice(t, func(t *testing.T, dev *Device) {
		for _, family := range []string{"llama", "gemma3", "qwen", "gemma2", "phi3"} {
			if testing.Short() && family != "llama" && dev.forms(f32).compiled {
				continue
			}
			t.Run(family, func(t *testing.T) {
				m, r := modelOn(t, dev, family, Options{})
				prompts, edits := promptsOf(m, r)
				const most = 9
				tokens, margins := written(t, m, begun(t, m, prompts, edits, most), engine.Choice{Barred: []int32{3, 5}})
				for i := range prompts {
					if len(tokens[i]) != most || len(margins[i]) != most {
						t.Fatalf("text %d: %d tokens, %d margins", i, len(tokens[i]), len(margins[i]))
					}
				}
				for i, p := range prompts {
					all := append(slices.Clone(p), tokens[i]...)
					var pushes []gputest.Push
					for _, e := range edits[i] {
						pushes = append(pushes, gputest.Push{Layer: e.Layer, Vector: e.Vector, At: func(at int) bool { return at == len(p)-1 || at >= len(p) && !e.Once }})
					}
					pass := r.Forward(all, len(p), pushes...)
					for j, token := range tokens[i] {
						logits := pass.Logits(len(p) - 1 + j)
						logits[3], logits[5] = math.Inf(-1), math.Inf(-1)
						best, second := 0, math.Inf(-1)
						for k, v := range logits {
							if v > logits[best] {
								best = k
							}
						}
						for k, v := range logits {
							if k != best {
								second = max(second, v)
							}
						}
						if margin := logits[best] - second; int32(best) != token && margin > 1e-3 || math.Abs(margin-float64(margins[i][j])) > 1e-3 {
							t.Fatalf("text %d token %d is %d with a margin of %g, want %d with %g", i, j, token, margins[i][j], best, margin)
						}
					}
				}
			})
		}
	})
}

// TestLoopIsSingleSteps compares loops of several lengths, token for token.
func TestLoopIsSingleSteps(t *testing.T) {
	dev := compiledDevice(t)
	for _, o := range []Options{{}, {BFloat16: true}} {
		m, r := modelOn(t, dev, "llama", o)
		prompts, edits := promptsOf(m, r)
		prompts, edits = prompts[1:3], edits[1:3]
		how := engine.Choice{Temperature: .9, TopP: .8, TopK: 40}
		m.stretch = 1
		want, _ := written(t, m, begun(t, m, prompts, edits, 11), how)
		m.stretch = 6
		if got, _ := written(t, m, begun(t, m, prompts, edits, 11), how); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: loops made %v, single steps %v", o, got, want)
		}
	}
}

// TestZeroVectorIsNoVector continues texts with a vector of zeros and without one: to the last bit of their margins.
func TestZeroVectorIsNoVector(t *testing.T) {
	eachDevice(t, func(t *testing.T, dev *Device) {
		m, r := modelOn(t, dev, "llama", Options{})
		prompts, edits := promptsOf(m, r)
		prompts, edits = prompts[1:3], edits[1:3]
		none := make([][]engine.Constant, len(edits))
		zero := slices.Repeat([][]engine.Constant{{{Layer: 1, Vector: make([]float32, m.config.Hidden)}}}, len(edits))
		_, want := written(t, m, begun(t, m, prompts, none, 5), engine.Choice{})
		if _, got := written(t, m, begun(t, m, prompts, zero, 5), engine.Choice{}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("margins %v, without a vector %v", got, want)
		}
		if _, got := written(t, m, begun(t, m, prompts, edits, 5), engine.Choice{}); fmt.Sprint(got) == fmt.Sprint(want) {
			t.Error("a vector changes nothing")
		}
	})
}

// TestWriteTellsUntilItIsToldToStop stops one text early; another has its bound in the middle of a stretch.
func TestWriteTellsUntilItIsToldToStop(t *testing.T) {
	m, r := modelOn(t, goDevice(t), "llama", Options{})
	prompts, edits := promptsOf(m, r)
	texts := begun(t, m, prompts[1:3], edits[1:3], 12)
	texts[1].Most = 5
	counts := []int{0, 0}
	err := m.Write(context.Background(), texts, engine.Choice{}, func(i int, tokens []int32, _ []float32) bool {
		counts[i] += len(tokens)
		return i != 0 || counts[0] < 3
	})
	if err != nil || counts[0] != 3 || counts[1] != 5 {
		t.Errorf("%v tokens, %v", counts, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	texts = begun(t, m, prompts[1:2], edits[1:2], 12)
	if err := m.Write(ctx, texts, engine.Choice{}, func(int, []int32, []float32) bool { cancel(); return true }); err == nil {
		t.Error("after it was cancelled: no error")
	}
}

// TestFrequenciesAreProbabilities draws a token for each of many rows and compares what is drawn with the
// nucleus, by chi-square. Neighbouring words must be as good as random ones.
func TestFrequenciesAreProbabilities(t *testing.T) {
	const rows, vocab = 1 << 15, 40
	logits := make([]float32, vocab)
	for i := range logits {
		logits[i] = float32(2 * math.Sin(float64(7*i)))
	}
	eachDevice(t, func(t *testing.T, dev *Device) {
		for _, how := range []engine.Choice{{Temperature: 1}, {Temperature: .7, TopP: .9}, {Temperature: 1.3, TopK: 7}, {Temperature: 1, TopK: 20, TopP: .5}} {
			kind := choosingOf(how)
			counts := draw(t, dev, kind, how, logits, rows)
			kept, probabilities := nucleus(logits, how)
			var chi float64
			for i, n := range counts {
				if !kept[i] {
					if n > 0 {
						t.Errorf("%+v: token %d is outside the nucleus and was drawn %g times", how, i, n)
					}
					continue
				}
				want := rows * probabilities[i]
				chi += (n - want) * (n - want) / want
			}
			df := -1.
			for _, k := range kept {
				if k {
					df++
				}
			}
			if chi > df+5*math.Sqrt(2*df) {
				t.Errorf("%+v: chi-square %.1f with %g degrees of freedom", how, chi, df)
			}
		}
	})
}

// TestChoicesArePythons makes the choices of a fixture that gpu/testdata/make_sampling.py wrote, other than those
// of rows whose k most probable tokens end between tokens of one logit: there all of them can be drawn here.
func TestChoicesArePythons(t *testing.T) {
	fixture := gputest.ReadSampling(t, "../testdata/sampling.json")
	most := 0
	for _, r := range fixture.Rows {
		most = max(most, len(r.Logits))
	}
	eachDevice(t, func(t *testing.T, dev *Device) {
		compared, choosers := 0, map[choosing]*program{}
		for i, r := range fixture.Rows {
			if tiedAtCut(r.Logits, r.TopK) {
				continue
			}
			logits := slices.Clone(r.Logits)
			for len(logits) < most { // tokens that cannot be chosen: one program serves all rows
				logits = append(logits, float32(math.Inf(-1)))
			}
			how := engine.Choice{Temperature: r.Temperature, TopP: r.TopP, TopK: r.TopK}
			kind := choosingOf(how)
			if choosers[kind] == nil {
				choosers[kind] = chooser(t, dev, kind, 1)
			}
			if got := chosen(t, dev, choosers[kind], how, logits, []uint32{r.Lo, r.Hi}); got[0] != r.Token {
				t.Errorf("row %d, %+v: token %d, want %d", i, how, got[0], r.Token)
			}
			compared++
		}
		if compared < 200 {
			t.Errorf("%d rows compared", compared)
		}
	})
}

// tiedAtCut reports whether the k most probable tokens end between tokens of one logit.
func tiedAtCut(logits []float32, k int) bool {
	sorted := slices.Sorted(slices.Values(logits))
	slices.Reverse(sorted)
	return k > 0 && k < len(sorted) && sorted[k-1]-sorted[k] < 1e-5
}

// draw counts the tokens of many rows with neighbouring words.
func draw(t *testing.T, dev *Device, kind choosing, how engine.Choice, logits []float32, rows int) []float64 {
	t.Helper()
	words := make([]uint32, 2*rows)
	for b := range rows {
		words[b], words[rows+b] = uint32(b), 7
	}
	counts := make([]float64, len(logits))
	for _, id := range chosen(t, dev, chooser(t, dev, kind, rows), how, logits, words) {
		counts[id]++
	}
	return counts
}

// chooser is a program that chooses for so many rows with the same logits.
func chooser(t *testing.T, dev *Device, kind choosing, rows int) *program {
	t.Helper()
	p, err := dev.newProgram("choose", func(in []*node) []*node {
		tokens, _, _ := kind.choose(graph.BroadcastToDims(in[0], rows, in[0].Shape().Dimensions[1]), in[1], in[2])
		return []*node{tokens}
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// chosen are the tokens of rows with the given words, [2, rows].
func chosen(t *testing.T, dev *Device, p *program, how engine.Choice, logits []float32, words []uint32) (tokens []int32) {
	t.Helper()
	c := &call{dev: dev, program: p}
	c.floats(func(x []float32) { copy(x, logits) }, 1, len(logits))
	c.words(func(x []uint32) { copy(x, words) }, 2, len(words)/2)
	c.floats(func(x []float32) {
		x[0], x[1], x[2] = float32(1/how.Temperature), float32(how.TopP), float32(how.TopK)
	}, 3)
	out, err := c.run()
	if err != nil {
		t.Fatal(err)
	}
	if err := out[0].ConstFlatData(func(flat any) { tokens = slices.Clone(flat.([]int32)) }); err != nil {
		t.Fatal(err)
	}
	return tokens
}

// nucleus is which tokens can be drawn, and with which probability.
func nucleus(logits []float32, how engine.Choice) (kept []bool, probabilities []float64) {
	order := make([]int, len(logits))
	weights := make([]float64, len(logits))
	for i := range order {
		order[i], weights[i] = i, math.Exp(float64(logits[i])/how.Temperature)
	}
	slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, weights[b]-weights[a])) })
	if how.TopK > 0 {
		order = order[:how.TopK]
	}
	total := 0.
	for _, i := range order {
		total += weights[i]
	}
	enough := total
	if how.TopP > 0 {
		enough *= how.TopP
	}
	kept, probabilities = make([]bool, len(logits)), make([]float64, len(logits))
	sum := 0.
	for _, i := range order {
		if sum >= enough-1e-9 {
			break
		}
		kept[i] = true
		sum += weights[i]
	}
	for i := range kept {
		if kept[i] {
			probabilities[i] = weights[i] / sum
		}
	}
	return kept, probabilities
}

// TestRoundsAreEnough bounds how often all races are lost.
func TestRoundsAreEnough(t *testing.T) {
	for _, p := range []float64{.01, .3, .5, .9, .95, .999} {
		n, lost := roundsOf(p), 1.
		for r := 1; r <= n; r++ {
			if lost < 1e-10 {
				t.Errorf("top-p %g: %d races, %d are enough", p, n, r-1)
			}
			lost *= (1 - p) / float64(r)
		}
		if !(lost <= 1e-10) {
			t.Errorf("top-p %g: %d races are all lost with probability %g", p, n, lost)
		}
	}
	if roundsOf(0) != 0 || roundsOf(1) != 0 {
		t.Error("races without top-p")
	}
}
