package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// TestForksSharePages counts the pages of a text and its forks, which part in the second.
func TestForksSharePages(t *testing.T) {
	r := reference(t, "gemma3")
	m := loaded(t, r, best(), 2)
	first := m.NewSequence(37)
	enginetest.Forward(t, m, engine.Item{Sequence: first, Tokens: r.Text(37, 1)})
	sequences := []engine.Sequence{first, first.Fork(), first.Fork()}
	for i, s := range sequences {
		enginetest.Forward(t, m, engine.Item{Sequence: s, Tokens: r.Text(5+i, 2)})
	}
	pages := len(m.pool.free)
	for _, s := range sequences {
		s.Free()
	}
	// Two pages in each block, of which the first is shared.
	if got, want := len(m.pool.free)-pages, (1+3)*r.Config.Layers; got != want {
		t.Errorf("%d pages came back, want %d", got, want)
	}
	for _, pg := range m.pool.free {
		if pg.uses != 0 {
			t.Fatalf("a free page has %d uses", pg.uses)
		}
	}
}

// TestWideModels is a model whose matrices are cut along K and whose vocabulary is cut into parts.
func TestWideModels(t *testing.T) {
	c, err := arch.ParseConfig(fmt.Appendf(nil, `{"model_type": "llama", "vocab_size": %d, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
		"intermediate_size": %d, "max_position_embeddings": 128}`, 2*vocabPart+77, 2*cut+100))
	if err != nil {
		t.Fatal(err)
	}
	r := gputest.Model(c, 3)
	rng := rand.New(rand.NewPCG(1, 1))
	scale := r.Weights["lm_head.weight"]
	for i := range scale { // logits of very different sizes
		scale[i] *= 20 * rng.Float32()
	}
	m := loaded(t, r, best(), 2)
	tokens := r.Text(6, 1)
	it := enginetest.Everything(c, tokens)
	it.Next = []int32{0, vocabPart - 1, vocabPart, 2*vocabPart + 76, 5, 2 * vocabPart}
	got, want := enginetest.Forward(t, m, it)[0], r.Forward(tokens, 0)
	for i := range tokens {
		logits := want.Logits(i)
		if e := enginetest.Relative(got.Residuals[i], want.Residual[0][i]); !(e < 1e-5) {
			t.Errorf("residual of token %d: relative difference %.1e", i, e)
		}
		if e := enginetest.Relative(got.Logits[i], logits); !(e < 1e-5) {
			t.Errorf("logits after token %d: relative difference %.1e", i, e)
		}
		if nll := enginetest.LogSum(logits) - logits[it.Next[i]]; !(math.Abs(float64(got.NLL[i])-nll) < 1e-5*max(1, nll)) {
			t.Errorf("−log p after token %d is %g, want %g", i, got.NLL[i], nll)
		}
	}
}

// TestWeighing holds the weights and sums that sampling uses to their definition.
func TestWeighing(t *testing.T) {
	logits, weights := make([]float32, 999), make([]float32, 999)
	rng := rand.New(rand.NewPCG(1, 3))
	for i := range logits {
		logits[i] = float32(10 * rng.NormFloat64())
	}
	top := Largest(logits)
	if top != slices.Max(logits) {
		t.Errorf("the largest is %g, want %g", top, slices.Max(logits))
	}
	sum, want := float64(Weigh(weights, logits, top, 2.5)), 0.
	for i, v := range logits {
		w := math.Exp((float64(v) - float64(top)) * 2.5)
		if want += w; math.Abs(float64(weights[i])-w) > 1e-5*w+1e-37 {
			t.Fatalf("weight %d of %g is %g, want %g", i, v, weights[i], w)
		}
	}
	if math.Abs(sum-want) > 1e-6*want {
		t.Errorf("the sum is %g, want %g", sum, want)
	}
	logits[500] = float32(math.NaN())
	if sum := Weigh(weights, logits, top, 1); sum == sum {
		t.Errorf("with a logit that is not a number the sum is %g", sum)
	}
}
