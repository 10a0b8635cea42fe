package pipelines

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/cpu"
	"github.com/persona-transfer/runpipeline/transforms"
)

const (
	benchSeed   = 1
	benchLength = 32 // tokens of a text, of a prompt, and new ones
	benchTexts  = 256
	mostTexts   = 1 << 16

	// What a repetition may take on the processor, in multiplications with weights: some seconds of a few cores. A
	// small model has all texts and all new tokens, a large one as many as that allows, at least one text and
	// leastNew tokens of each.
	benchReading = 16e10
	benchWriting = 4e11
	leastNew     = 4

	scoredTexts = 128 // at most, where the numbers of texts are given
)

// Numbers of texts that are continued side by side on the processor, and of texts that are read and continued on a
// card, which fewer would not fill.
var (
	benchBatches = []int{1, 8, 32, 90}
	cardTexts    = []int{64, 512}
	cardBatches  = []int{32, 128}
)

// sizes are the numbers of texts that are read, nil for as many as the model's size allows, and that are continued.
func (m *benchmark) sizes() (texts, batches []int) {
	texts, batches = m.texts, m.batches
	if texts == nil && m.device.OwnMemory() {
		texts = cardTexts
	}
	if batches == nil {
		if batches = benchBatches; m.device.OwnMemory() {
			batches = cardBatches
		}
	}
	return texts, batches
}

// bytes is the memory of the processor that the work takes: the longest pass, the most texts side by side, or the
// measurement of the machine.
func (m *benchmark) bytes(s transforms.Shape) int {
	_, batches := m.sizes()
	most := slices.Max(batches)
	return max(s.PassBytes(benchTexts*benchLength/8, 0, 0), s.PassBytes(most, most, 2*benchLength), cpu.PeakBytes)
}

// jobs are the kinds of work. Where numbers of texts are given, a name has its own; otherwise there is as much of
// each as the model's size allows.
func (m *benchmark) jobs(c *arch.Config, layer int) []*job {
	length := max(1, min(benchLength, c.Longest()/2))
	jobs := []*job{m.loading()}
	given, batches := m.sizes()
	if given == nil {
		texts := benchTextsOf(c, benchTexts, length)[:allowed(c, length)]
		jobs = append(jobs, m.capturing("capture", c, layer, texts), m.prefilling("prefill", c, texts), m.scoring("score", c, texts))
	} else {
		texts := benchTextsOf(c, slices.Max(given), length)
		for _, n := range given {
			jobs = append(jobs, m.capturing(fmt.Sprintf("capture/%d", n), c, layer, texts[:n]))
		}
		n := min(len(texts), scoredTexts)
		jobs = append(jobs, m.scoring(fmt.Sprintf("score/%d", n), c, texts[:n]))
	}
	prompt := benchTextsOf(c, 1, length)[0]
	for _, batch := range batches {
		jobs = append(jobs, m.decoding(c, layer, batch, prompt))
	}
	return jobs
}

// allowed is the number of texts of which scoring takes what a repetition may, a power of two, since these are
// easier to compare with.
func allowed(c *arch.Config, length int) int {
	n := min(benchTexts, max(1, int(benchReading/float64(c.TokenProducts()*length))))
	for n&(n-1) != 0 {
		n &= n - 1
	}
	return n
}

// loading opens the model anew. A device that compiles would lose its programs by that, so its first opening counts.
func (m *benchmark) loading() *job {
	if m.device.compiles() {
		return &job{name: "load", seconds: []float64{m.start.Load}}
	}
	return &job{name: "load", warm: nothing, run: func(context.Context) error { return m.open() }}
}

func (m *benchmark) capturing(name string, c *arch.Config, layer int, texts [][]int32) *job {
	length := len(texts[0])
	return m.reading(name, texts, c.ReadingProducts(length, layer), func(ctx context.Context, texts [][]int32) error {
		last := slices.Repeat([][]int{{length - 1}}, len(texts))
		_, err := m.decoder.Capture(ctx, texts, last, []gpu.Site{{Layer: layer}})
		return err
	})
}

func (m *benchmark) prefilling(name string, c *arch.Config, texts [][]int32) *job {
	return m.reading(name, texts, c.ReadingProducts(len(texts[0]), c.Layers-1)+c.HeadWeights(), func(ctx context.Context, texts [][]int32) error {
		_, err := m.decoder.Logits(ctx, texts, nil)
		return err
	})
}

func (m *benchmark) scoring(name string, c *arch.Config, texts [][]int32) *job {
	length := len(texts[0])
	return m.reading(name, texts, c.TokenProducts()*length, func(ctx context.Context, texts [][]int32) error {
		prompts := make([][]int32, len(texts)) // one token, so that as many are scored as are read
		for i, t := range texts {
			prompts[i] = t[length-1:]
		}
		_, err := m.decoder.NLL(ctx, prompts, texts)
		return err
	})
}

// reading is a job on texts of which each takes so many products. A fourth of them warms up; where programs are
// compiled for a shape, all do.
func (m *benchmark) reading(name string, texts [][]int32, products int, do func(context.Context, [][]int32) error) *job {
	some := texts[:(len(texts)+3)/4]
	if m.device.compiles() {
		some = texts
	}
	return &job{name: name, texts: len(texts), tokens: len(texts[0]), products: float64(products) * float64(len(texts)),
		warm: func(ctx context.Context) error { return do(ctx, some) },
		run:  func(ctx context.Context) error { return do(ctx, texts) }}
}

// decoding is a job that continues one prompt several times, steered. Warming up reads the prompt, which
// the decoder keeps for the next call.
func (m *benchmark) decoding(c *arch.Config, layer, batch int, prompt []int32) *job {
	products := float64(c.TokenProducts()) * float64(batch)
	tokens := len(prompt)
	if !m.device.OwnMemory() {
		tokens = min(tokens, max(leastNew, int(benchWriting/products)))
	}
	j := &job{name: fmt.Sprintf("decode/%d", batch), texts: batch, tokens: tokens, products: products * float64(tokens)}
	if batch == 1 {
		j.reads = float64(tokens)
	}
	vector := make([]float32, c.Hidden)
	vector[0] = 1
	rows := make([]gpu.Row, batch)
	for i := range rows {
		rows[i] = gpu.Row{Prompt: prompt, Push: []gpu.Push{{Site: gpu.Site{Layer: layer}, Vector: vector}}, Noise: gpu.Noise{Seed: uint64(i)}}
	}
	write := func(ctx context.Context, tokens int) error {
		_, err := m.decoder.Generate(ctx, rows, gpu.Sampling{MaxNewTokens: tokens, Temperature: .8, TopP: .95})
		return err
	}
	least := 1
	if m.device.compiles() { // for that many steps at a time
		least = tokens
	}
	j.warm = func(ctx context.Context) error { return write(ctx, least) }
	j.run = func(ctx context.Context) error { return write(ctx, tokens) }
	return j
}

func nothing(context.Context) error { return nil }

// benchTextsOf draws texts of the vocabulary's tokens. Fewer texts are the first of more.
func benchTextsOf(c *arch.Config, n, length int) [][]int32 {
	draws := rand.New(rand.NewPCG(benchSeed, 0))
	texts := make([][]int32, n)
	for i := range texts {
		texts[i] = make([]int32, length)
		for j := range texts[i] {
			texts[i][j] = int32(draws.IntN(c.Vocab))
		}
	}
	return texts
}
