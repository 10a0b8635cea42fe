package xla

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
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

// Shapes of models that are measured, with random weights.
var shapesOf = map[string]string{
	"135m": `{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
		"num_key_value_heads": 3, "intermediate_size": 1536, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100000,
		"tie_word_embeddings": true, "eos_token_id": 2}`,
	"7b": `{"model_type": "llama", "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
		"num_key_value_heads": 32, "intermediate_size": 11008, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000,
		"tie_word_embeddings": false, "eos_token_id": 2}`,
}

// hashed is a place to read weights from that are drawn by a hash, with a standard deviation of 0.02; gains are
// one.
type hashed struct{ c *arch.Config }

func (h hashed) Tensors() []checkpoint.TensorInfo { return h.c.Float32Tensors() }

func (h hashed) ReadRows(name string, from, n int, dst []float32) error {
	gain := strings.HasSuffix(name, "norm.weight")
	seed := uint64(len(name))
	for _, b := range []byte(name) {
		seed = (seed ^ uint64(b)) * 1099511628211
	}
	width := len(dst) / n
	for i := range dst {
		if gain {
			dst[i] = 1
			continue
		}
		x := (seed + uint64(from*width+i)) * 0x9e3779b97f4a7c15
		x = (x ^ x>>32) * 0xbf58476d1ce4e5b9
		dst[i] = (float32(uint32(x>>40))/(1<<24) - 0.5) * 0.0693
	}
	return nil
}

// BenchmarkDevice measures a model of random weights on the compiled device: XLA_BENCH names the shape
// (135m or 7b) and the type, "7b:bf16". Iterations are what a device does at a time.
func BenchmarkDevice(b *testing.B) {
	name, dtype, _ := strings.Cut(cmp.Or(os.Getenv("XLA_BENCH"), "135m"), ":")
	c, err := arch.ParseConfig([]byte(shapesOf[name]))
	if err != nil {
		b.Fatal(err)
	}
	dev := compiledDevice(b)
	if os.Getenv("XLA_BENCH_GO") != "" {
		dev = goDevice(b)
	}
	begun := time.Now()
	m, err := Load(dev, c, hashed{c}, Options{BFloat16: dtype == "bf16"})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	fmt.Printf("loaded in %.1f s\n", time.Since(begun).Seconds())
	rng := rand.New(rand.NewPCG(1, 1))
	text := func(n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = int32(rng.IntN(c.Vocab))
		}
		return out
	}
	ctx := context.Background()
	run := func(b *testing.B, tokens int, f func() error) {
		begun := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		first := time.Since(begun)
		var took, worked []float64
		for b.Loop() {
			begun, at := time.Now(), cputime.Now()
			if err := f(); err != nil {
				b.Fatal(err)
			}
			took, worked = append(took, time.Since(begun).Seconds()), append(worked, (cputime.Now()-at).Seconds())
		}
		slices.Sort(took)
		slices.Sort(worked)
		b.ReportMetric(float64(tokens)/took[len(took)/2], "tokens/s")
		b.ReportMetric(worked[len(worked)/2], "cpu-s")
		b.ReportMetric(first.Seconds(), "first-s")
	}
	sizes := func(name string) (out []int) {
		for _, s := range strings.Split(cmp.Or(os.Getenv(name), "32"), ",") {
			var n int
			fmt.Sscan(s, &n)
			out = append(out, n)
		}
		return out
	}
	for _, rows := range sizes("XLA_BENCH_CAPTURE") {
		b.Run(fmt.Sprintf("capture/%dx32", rows), func(b *testing.B) {
			var items []engine.Item
			for range rows {
				items = append(items, engine.Item{Tokens: text(32), Residuals: []engine.Place{{Token: 31, Layer: c.Layers / 2}}})
			}
			run(b, rows*32, func() error { _, err := m.Forward(ctx, items); return err })
		})
	}
	for _, rows := range sizes("XLA_BENCH_SCORE") {
		b.Run(fmt.Sprintf("score/%dx64", rows), func(b *testing.B) {
			var items []engine.Item
			for range rows {
				tokens := text(64)
				items = append(items, engine.Item{Tokens: tokens, Next: append(tokens[1:len(tokens):len(tokens)], -1)})
			}
			run(b, rows*63, func() error { _, err := m.Forward(ctx, items); return err })
		})
	}
	vector := make([]float32, c.Hidden)
	for i := range vector {
		vector[i] = float32(rng.NormFloat64()) * 0.1
	}
	for _, rows := range sizes("XLA_BENCH_WRITE") {
		for _, how := range []engine.Choice{{}, {Temperature: 1, TopP: .95}} {
			b.Run(fmt.Sprintf("write/%d/temperature%g", rows, how.Temperature), func(b *testing.B) {
				prompts := make([][]int32, rows)
				for i := range prompts {
					prompts[i] = text(32)
				}
				prefix := func() []engine.Text {
					var items []engine.Item
					var texts []engine.Text
					for i, p := range prompts {
						q := m.NewSequence(32)
						items = append(items, engine.Item{Sequence: q, Tokens: p[:31]})
						texts = append(texts, engine.Text{Sequence: q, Last: p[31], Most: 32, Edits: []engine.Constant{{Layer: c.Layers / 2, Vector: vector}},
							Noise: func(step int) (uint32, uint32) { return uint32(i), uint32(step) }})
					}
					if _, err := m.Forward(ctx, items); err != nil {
						b.Fatal(err)
					}
					return texts
				}
				begun := time.Now()
				texts := prefix()
				first := time.Since(begun)
				begun = time.Now()
				for _, t := range texts {
					t.Sequence.Free()
				}
				texts = prefix()
				then := time.Since(begun)
				fork := func() []engine.Text {
					out := slices.Clone(texts)
					for i := range out {
						out[i].Sequence = texts[i].Sequence.Fork()
					}
					return out
				}
				run(b, rows*32, func() error {
					return m.Write(ctx, fork(), how, func(int, []int32, []float32) bool { return true })
				})
				b.ReportMetric(first.Seconds(), "prefix-first-s")
				b.ReportMetric(then.Seconds()*1e3, "prefix-ms")
				for _, t := range texts {
					t.Sequence.Free()
				}
			})
		}
	}
}

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
