package cpu

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
)

// anyWeights are small numbers for every tensor: speed does not depend on what they are.
type anyWeights struct{ c *arch.Config }

func (w anyWeights) Tensors() []checkpoint.TensorInfo { return w.c.Float32Tensors() }

func (w anyWeights) ReadRows(name string, from, _ int, dst []float32) error {
	h := fnv.New64a()
	fmt.Fprint(h, name, from)
	x := h.Sum64() | 1
	for i := range dst {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		dst[i] = float32(int64(x)) * 0x1p-63 / 16
	}
	return nil
}

// A meter reports what was done in a second, and in a second of one core, which says more on a machine
// that others use too.
type meter struct{ used time.Duration }

func start() meter { return meter{cputime.Now()} }

func (m meter) report(b *testing.B, what string, done float64) {
	b.ReportMetric(done*float64(b.N)/b.Elapsed().Seconds(), what+"/s")
	b.ReportMetric(done*float64(b.N)/(cputime.Now()-m.used).Seconds(), what+"/core-s")
}

// llama135 has the shape of SmolLM2-135M.
const llama135 = `{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
	"num_key_value_heads": 3, "intermediate_size": 1536, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100000,
	"tie_word_embeddings": true}`

var bench135 = sync.OnceValues(func() (*Model, error) {
	c, err := arch.ParseConfig([]byte(llama135))
	if err != nil {
		return nil, err
	}
	return Load(c, anyWeights{c}, Options{})
})

func benchModel(b *testing.B) *Model {
	m, err := bench135()
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func benchText(n, seed int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32((i*7919 + seed*104729) % 49152)
	}
	return out
}

// flops is what a token costs in the products of blocks [0, blocks), without attention.
func flops(c *arch.Config, blocks int) float64 {
	each := c.Hidden*(c.QueryDim()+2*c.KVDim()) + c.QueryDim()*c.Hidden + 3*c.Hidden*c.Inner
	return 2 * float64(each) * float64(blocks)
}

// BenchmarkMatrix multiplies 1,024 lines with the matrices of a model of 135M parameters on all cores.
func BenchmarkMatrix(b *testing.B) {
	m := benchModel(b)
	for _, shape := range []struct {
		name string
		w    *matrix
	}{{"576x1536", m.blocks[0].gate}, {"576x576", m.blocks[0].o}, {"1536x576", m.blocks[0].down}, {"576x49152", m.head}} {
		b.Run(shape.name, func(b *testing.B) {
			const lines = 1024
			c := newCrew(m.threads, m.rooms)
			defer c.dismiss()
			p := &pass{m: m, k: m.kernels, c: c}
			x := make([]float32, lines*shape.w.in)
			y := make([]float32, lines*padded(shape.w.out))
			m := start()
			for b.Loop() {
				p.multiply(lines, product{w: shape.w, a: x, lda: shape.w.in, c: y, ldc: padded(shape.w.out)})
			}
			m.report(b, "GFLOP", 2*lines*float64(shape.w.in*shape.w.out)/1e9)
		})
	}
}

// BenchmarkCapture records the last token after block 15 of 30, 64 texts of 32 tokens at a time.
func BenchmarkCapture(b *testing.B) { benchCapture(b, benchModel(b)) }

// BenchmarkCaptureQuantised does so with the weights of a file of four bits a weight.
func BenchmarkCaptureQuantised(b *testing.B) {
	benchCapture(b, openPretrained(b, "SmolLM2-135M-Instruct.Q4_1.gguf"))
}

func benchCapture(b *testing.B, m *Model) {
	var items []engine.Item
	for i := range 64 {
		items = append(items, engine.Item{Tokens: benchText(32, i), Residuals: []engine.Place{{Token: 31, Layer: 15}}})
	}
	meter := start()
	for b.Loop() {
		if _, err := m.Forward(context.Background(), items); err != nil {
			b.Fatal(err)
		}
	}
	meter.report(b, "tokens", 64*32)
	meter.report(b, "GFLOP", 64*32*flops(m.config, 16)/1e9) // of a pass in which no row leaves early
}

// BenchmarkScore scores 32 texts of 64 tokens.
func BenchmarkScore(b *testing.B) {
	m := benchModel(b)
	var items []engine.Item
	for i := range 32 {
		text := benchText(64, i)
		items = append(items, engine.Item{Tokens: text, Next: text})
	}
	meter := start()
	for b.Loop() {
		if _, err := m.Forward(context.Background(), items); err != nil {
			b.Fatal(err)
		}
	}
	meter.report(b, "tokens", 32*64)
}

// BenchmarkDecode adds a token to each text of a batch, after prompts of 32, steered.
func BenchmarkDecode(b *testing.B) { benchDecode(b, benchModel(b)) }

// BenchmarkDecodeQuantised does so with the weights of a file of four bits a weight.
func BenchmarkDecodeQuantised(b *testing.B) {
	benchDecode(b, openPretrained(b, "SmolLM2-135M-Instruct.Q4_1.gguf"))
}

func benchDecode(b *testing.B, m *Model) {
	vector := make([]float32, m.config.Hidden)
	vector[0] = 1
	for _, batch := range []int{1, 8, 32, 90} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			prompt := m.NewSequence(32)
			if _, err := m.Forward(context.Background(), []engine.Item{{Sequence: prompt, Tokens: benchText(32, 1)}}); err != nil {
				b.Fatal(err)
			}
			fork := func(from engine.Sequence) []engine.Item {
				items := make([]engine.Item, batch)
				for i := range items {
					items[i] = engine.Item{Sequence: from.Fork(), Tokens: benchText(1, i), Logits: []int{0}, Edits: []engine.Edit{{Layer: 15, To: 1, Vector: vector}}}
				}
				return items
			}
			items := fork(prompt)
			meter := start()
			for b.Loop() {
				if items[0].Sequence.Len() == 96 {
					for _, it := range items {
						it.Sequence.Free()
					}
					items = fork(prompt)
				}
				if _, err := m.Forward(context.Background(), items); err != nil {
					b.Fatal(err)
				}
			}
			meter.report(b, "tokens", float64(batch))
		})
	}
}
