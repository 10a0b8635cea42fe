package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms"
)

// A subject is a model and how much work is right for it.
type subject struct {
	ref, name string
	texts     []int // numbers of texts that are captured and scored
	tokens    int   // new ones, where texts are continued
	some      int   // texts where the cores are varied
}

var embedded = subject{ref: "tiny:llama", name: "embedded", texts: []int{128, 256, 512, 1024, 2048}, tokens: 16, some: 512}

// length is how many tokens a text has.
const length = 32

// modelQuantities are of the forward pass.
func modelQuantities(s subject) []quantity {
	return []quantity{
		// Each token is multiplied with the weights of the blocks; a pass has a bounded number of tokens. What is
		// captured, one row of each text, is handed back and grows, but is small beside a pass.
		{varied: "texts N", work: "capture, " + s.name, sizes: s.texts, time: power(1), memory: expectation{0, 1},
			open: func(ctx context.Context, n int) (*job, error) { return s.job(ctx, s.capture(n)) }},
		// The same, and the keys and values of texts that are under way.
		{varied: "texts N", work: "score, " + s.name, sizes: s.texts, time: power(1), memory: expectation{0, 1},
			open: func(ctx context.Context, n int) (*job, error) { return s.job(ctx, s.score(n)) }},
		// A step reads all weights once, whatever the batch, and multiplies each row with them: the first part
		// rules where rows are few, the second where they are many.
		{varied: "batch, few rows", work: "steered decode, " + s.name, sizes: []int{1, 2, 4, 8}, time: expectation{0, 1}, memory: expectation{0, 1},
			open: func(ctx context.Context, n int) (*job, error) { return s.job(ctx, s.decode(n)) }},
		// Keys and values of each row, and its logits.
		{varied: "batch, many rows", work: "steered decode, " + s.name, sizes: []int{16, 32, 64, 128}, time: power(1), memory: power(1),
			open: func(ctx context.Context, n int) (*job, error) { return s.job(ctx, s.decode(n)) }},
		// Rows of a product are shared out; what a core needs for itself is small.
		{varied: "cores", work: "capture, " + s.name, sizes: cores(), time: power(-1), memory: expectation{0, 1},
			open: onCores(func(ctx context.Context) (*job, error) { return s.job(ctx, s.capture(s.some)) })},
		{varied: "cores", work: "steered decode, 32 rows, " + s.name, sizes: cores(), time: power(-1), memory: expectation{0, 1},
			open: onCores(func(ctx context.Context) (*job, error) { return s.job(ctx, s.decode(32)) })},
		{varied: "cores", work: "score, " + s.name, sizes: cores(), time: power(-1), memory: expectation{0, 1},
			open: onCores(func(ctx context.Context) (*job, error) { return s.job(ctx, s.score(s.some)) })},
	}
}

// cores are 1, 2, 4 … of this machine.
func cores() (list []int) {
	for n := 1; n <= runtime.NumCPU(); n *= 2 {
		list = append(list, n)
	}
	return list
}

// onCores lets a job have so many cores from its opening, at which a model chooses its threads, to its end.
func onCores(open func(ctx context.Context) (*job, error)) func(ctx context.Context, n int) (*job, error) {
	return func(ctx context.Context, n int) (*job, error) {
		before := runtime.GOMAXPROCS(n)
		j, err := open(ctx)
		if err != nil {
			runtime.GOMAXPROCS(before)
			return nil, err
		}
		end := j.close
		j.close = func() {
			if end != nil {
				end()
			}
			runtime.GOMAXPROCS(before)
		}
		return j, nil
	}
}

// job opens the model and gives it something to do.
func (s subject) job(ctx context.Context, do func(ctx context.Context, d *gpu.Decoder) error) (*job, error) {
	files, err := transforms.OpenFiles(ctx, s.ref, false)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	d, err := gpu.Open(files, nil, "cpu")
	if err != nil {
		return nil, err
	}
	return &job{run: func(ctx context.Context) error { return do(ctx, d) }, close: func() { d.Close() }}, nil
}

// capture reads the last token of n texts after the middle block.
func (s subject) capture(n int) func(context.Context, *gpu.Decoder) error {
	return func(ctx context.Context, d *gpu.Decoder) error {
		c := d.Config()
		_, err := d.Capture(ctx, textsOf(c.Vocab, n), slices.Repeat([][]int{{length - 1}}, n), []gpu.Site{{Layer: c.Layers / 2}})
		return err
	}
}

// score gives the likelihoods of n texts after a prompt of one token.
func (s subject) score(n int) func(context.Context, *gpu.Decoder) error {
	return func(ctx context.Context, d *gpu.Decoder) error {
		texts := textsOf(d.Config().Vocab, n)
		prompts := make([][]int32, n)
		for i, t := range texts {
			prompts[i] = t[:1]
		}
		_, err := d.NLL(ctx, prompts, texts)
		return err
	}
}

// decode continues n rows of one prompt, steered at the middle block.
func (s subject) decode(n int) func(context.Context, *gpu.Decoder) error {
	return func(ctx context.Context, d *gpu.Decoder) error {
		c := d.Config()
		vector := make([]float32, c.Hidden)
		vector[0] = 1
		rows := make([]gpu.Row, n)
		for i := range rows {
			rows[i] = gpu.Row{Prompt: textsOf(c.Vocab, 1)[0], Push: []gpu.Push{{Site: gpu.Site{Layer: c.Layers / 2}, Vector: vector}}, Noise: gpu.Noise{Seed: uint64(i)}}
		}
		_, err := d.Generate(ctx, rows, gpu.Sampling{MaxNewTokens: s.tokens, Temperature: .8, TopP: .95})
		return err
	}
}

// textsOf draws n texts of a vocabulary's tokens, the same ones each time.
func textsOf(vocab, n int) [][]int32 {
	draws := rand.New(rand.NewPCG(1, 0))
	out := make([][]int32, n)
	for i := range out {
		out[i] = make([]int32, length)
		for j := range out[i] {
			out[i][j] = int32(draws.IntN(vocab))
		}
	}
	return out
}
