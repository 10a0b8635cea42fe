package tiny_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// TestGeneratedTokensHaveTheModelsProbabilities continues one prompt with as many seeds. Its first tokens, and the
// second ones after the most frequent first, come as often as the logits say.
func TestGeneratedTokensHaveTheModelsProbabilities(t *testing.T) {
	if testing.Short() {
		t.Skip("generates 20,000 texts")
	}
	const texts = 20_000
	d := open(t, tiny.Target)
	prompt, err := d.Tokenizer().Encode("Describe the old boat.")
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]gpu.Row, texts)
	for i := range rows {
		rows[i] = gpu.Row{Prompt: prompt, Noise: gpu.Noise{Seed: 42 + uint64(i), Prompt: gpu.PromptDigest("Describe the old boat.")}}
	}
	for _, s := range []gpu.Sampling{{Temperature: 0.8, TopP: 0.95}, {Temperature: 1}, {Temperature: 1.2, TopK: 20}} {
		s.MaxNewTokens, s.StopAtEOS = 2, true
		out, err := d.Generate(t.Context(), rows, s)
		if err != nil {
			t.Fatal(err)
		}
		var first, second []int32
		for _, o := range out {
			first = append(first, next(o, 0))
		}
		frequent := mostFrequent(first)
		for i, o := range out {
			if first[i] == frequent && len(o.Tokens) > 0 {
				second = append(second, next(o, 1))
			}
		}
		logits, err := d.Logits(t.Context(), [][]int32{prompt, slices.Concat(prompt, []int32{frequent})}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, tokens := range [][]int32{first, second} {
			checkShares(t, s, tokens, shares(logits[i], s, d.Config().EOS))
		}
	}
}

// next is token i of an output; an end of text is −1.
func next(o gpu.Output, i int) int32 {
	if i < len(o.Tokens) {
		return o.Tokens[i]
	}
	return -1
}

func mostFrequent(tokens []int32) (best int32) {
	count := map[int32]int{}
	for _, id := range tokens {
		if count[id]++; id >= 0 && count[id] > count[best] {
			best = id
		}
	}
	return best
}

// shares are what sampling leaves of the probabilities, with the end of the text as token −1.
func shares(logits []float32, s gpu.Sampling, ends []int32) map[int32]float64 {
	var ids []int32
	for id := range logits {
		ids = append(ids, int32(id))
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	if s.TopK > 0 {
		ids = ids[:s.TopK]
	}
	sum := func(ids []int32) (sum float64) {
		for _, id := range ids {
			sum += math.Exp(float64(logits[id]) / s.Temperature)
		}
		return sum
	}
	if all := sum(ids); s.TopP > 0 {
		n := 1
		for sum(ids[:n]) < s.TopP*all {
			n++
		}
		ids = ids[:n]
	}
	p, all := map[int32]float64{}, sum(ids)
	for _, id := range ids {
		share := math.Exp(float64(logits[id])/s.Temperature) / all
		if slices.Contains(ends, id) {
			id = -1
		}
		p[id] += share
	}
	return p
}

// checkShares is Pearson's χ² with the tokens that are expected less than ten times as one.
func checkShares(t *testing.T, s gpu.Sampling, tokens []int32, p map[int32]float64) {
	t.Helper()
	count := map[int32]float64{}
	for _, id := range tokens {
		if p[id] == 0 {
			t.Fatalf("%+v: token %d is drawn, which was cut", s, id)
		}
		count[id]++
	}
	n := float64(len(tokens))
	var chi, rare, rarely, cells float64
	for id, share := range p {
		if share*n < 10 {
			rare, rarely = rare+share*n, rarely+count[id]
			continue
		}
		chi += (count[id] - share*n) * (count[id] - share*n) / (share * n)
		cells++
	}
	if rare > 0 {
		chi += (rarely - rare) * (rarely - rare) / rare
		cells++
	}
	// As rare as one in a million, either way.
	if fit := (distuv.ChiSquared{K: cells - 1}).Survival(chi); cells < 5 || !(fit > 1e-6 && fit < 1-1e-6) {
		t.Errorf("%+v: χ² %.1f of %.0f tokens (%.0f draws), p = %.2g", s, chi, cells, n, fit)
	} else {
		t.Logf("%+v: χ² %.1f of %.0f tokens (%.0f draws), p = %.2g", s, chi, cells, n, fit)
	}
}
