package xla

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// The embedded pair's shapes.
const (
	tinySource = `{"model_type": "qwen2", "vocab_size": 2048, "hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
		"num_key_value_heads": 2, "intermediate_size": 256, "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000,
		"tie_word_embeddings": true, "eos_token_id": 2047}`
	tinyTarget = `{"model_type": "llama", "vocab_size": 2048, "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4,
		"num_key_value_heads": 2, "intermediate_size": 352, "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000,
		"tie_word_embeddings": true, "eos_token_id": 2}`
)

func BenchmarkTrain(b *testing.B) {
	for _, m := range []struct{ name, config string }{{"source600k", tinySource}, {"target1M", tinyTarget}} {
		b.Run(m.name, func(b *testing.B) {
			c, err := arch.ParseConfig([]byte(m.config))
			if err != nil {
				b.Fatal(err)
			}
			o := DefaultTrain()
			o.Steps = b.N + 1 // the first compiles
			rng := rand.New(rand.NewPCG(1, 1))
			_, err = Train(context.Background(), c, o, func(int) []int32 {
				out := make([]int32, o.Rows*(o.Length+1))
				for i := range out {
					out[i] = int32(rng.IntN(c.Vocab))
				}
				return out
			}, func(step int, _ float64) {
				if step == 0 {
					b.ResetTimer()
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(o.Rows*o.Length*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
