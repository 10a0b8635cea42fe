package gpu_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// Shapes of the embedded target and of a pretrained model.
const (
	tinyTarget = `{"model_type": "llama", "vocab_size": 2048, "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4,
		"num_key_value_heads": 2, "intermediate_size": 352, "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000,
		"tie_word_embeddings": true, "eos_token_id": 2}`
	smol = `{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
		"num_key_value_heads": 3, "intermediate_size": 1536, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100000,
		"tie_word_embeddings": true, "eos_token_id": 2}`
)

func openBench(b *testing.B, config string) (*gpu.Decoder, *gputest.Reference) {
	c, err := arch.ParseConfig([]byte(config))
	if err != nil {
		b.Fatal(err)
	}
	r := gputest.Model(c, 1)
	d, err := gpu.OpenSource(c, r, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d, r
}

// unit is one unit of work of an experiment: prompts × seeds with one vector.
func unit(r *gputest.Reference, prompts, seeds, layer int) []gpu.Row {
	var rows []gpu.Row
	v := r.Vector(1, 5)
	for p := range prompts {
		for s := range seeds {
			rows = append(rows, gpu.Row{
				Prompt: r.Text(6+p%8, uint64(p)),
				Push:   []gpu.Push{{Site: gpu.Site{Layer: layer}, Vector: v}},
				Noise:  gpu.Noise{Seed: uint64(s), Prompt: gpu.PromptDigest(fmt.Sprint(p))},
			})
		}
	}
	return rows
}

func BenchmarkGenerate(b *testing.B) {
	for _, m := range []struct {
		name, config           string
		prompts, seeds, tokens int
	}{{"target1M", tinyTarget, 30, 3, 28}, {"smol135M", smol, 30, 1, 20}} {
		b.Run(m.name, func(b *testing.B) {
			d, r := openBench(b, m.config)
			rows := unit(r, m.prompts, m.seeds, 1)
			for b.Loop() {
				// Random weights make flat distributions; this temperature makes them as peaked
				// as a trained model's.
				_, err := d.Generate(context.Background(), rows, gpu.Sampling{MaxNewTokens: m.tokens, Temperature: 0.1, TopP: 0.95})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(rows)*m.tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

func BenchmarkScore(b *testing.B) {
	d, r := openBench(b, tinyTarget)
	var prompts, continuations [][]int32
	for _, row := range unit(r, 30, 3, 1) {
		prompts = append(prompts, row.Prompt)
		continuations = append(continuations, r.Text(28, uint64(len(prompts))))
	}
	for b.Loop() {
		if _, err := d.NLL(context.Background(), prompts, continuations); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(prompts)*28*b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkCapture(b *testing.B) {
	for _, m := range []struct {
		name, config string
		texts        int
	}{{"target1M", tinyTarget, 512}, {"smol135M", smol, 64}} {
		b.Run(m.name, func(b *testing.B) {
			d, r := openBench(b, m.config)
			rng := rand.New(rand.NewPCG(1, 1))
			var texts [][]int32
			var positions [][]int
			tokens := 0
			for i := range m.texts {
				n := 10 + rng.IntN(50)
				texts = append(texts, r.Text(n, uint64(i)))
				positions = append(positions, []int{n - 1})
				tokens += n
			}
			last := gpu.Site{Layer: r.Config.Layers - 1}
			for b.Loop() {
				if _, err := d.Capture(context.Background(), texts, positions, []gpu.Site{last}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
