package gpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// BenchmarkSample chooses from vocabularies of SmolLM2's and Gemma's sizes, by models that are sure of little
// and of much: logits fall with the logarithm of the rank.
func BenchmarkSample(b *testing.B) {
	for _, vocab := range []int{49152, 256000} {
		for _, model := range []struct {
			name string
			fall float64
		}{{"sure", 2}, {"unsure", 1}, {"flat", 0.2}} {
			rng := rand.New(rand.NewPCG(1, uint64(vocab)))
			logits := make([]float32, vocab)
			for rank, id := range rng.Perm(vocab) {
				logits[id] = float32(-model.fall * math.Log(float64(rank+1)))
			}
			for _, cut := range []Sampling{{}, {TopP: 0.95}, {TopK: 50}, {TopK: 50, TopP: 0.95}} {
				cut.Temperature, cut.StopAtEOS = 1, true
				b.Run(fmt.Sprintf("%d/%s/p=%g,k=%d", vocab, model.name, cut.TopP, cut.TopK), func(b *testing.B) {
					p := newSampler(cut, nil)
					row := slices.Clone(logits)
					step := 0
					for b.Loop() {
						if _, _, err := p.choose(row, Noise{Seed: 1}, step); err != nil {
							b.Fatal(err)
						}
						step++
					}
					b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N), "µs/token")
				})
			}
		}
	}
}
