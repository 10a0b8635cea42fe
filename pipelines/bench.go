package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/cpu"
	"github.com/persona-transfer/runpipeline/transforms"
)

// BenchOptions say what is measured.
type BenchOptions struct {
	Model  string
	Device string
	Plugin string // of the device, "" to find it
	Layer  int    // −1: the middle one
	Repeat int
}

// A Bench is how fast a model runs on a machine, beside what the machine does at most. Rates are those of
// the median of the repetitions unless they say that they are the best.
type Bench struct {
	Model      string `json:"model"`
	Digest     string `json:"digest"` // the beginning of that of the model's files
	Device     string `json:"device"`
	Kernels    string `json:"kernels,omitempty"` // instruction set of this program's own
	Cores      int    `json:"cores"`
	Parameters int    `json:"parameters"`
	TokenBytes int    `json:"token_bytes"` // of weights that a pass of one token reads
	Layers     int    `json:"layers"`
	Layer      int    `json:"layer"` // after which activations are captured and the vector is added
	Repeat     int    `json:"repeat"`

	// Of the processor, by this program's own kernels; of a card nothing is measured.
	PeakGFLOPs float64 `json:"peak_gflops,omitempty"` // of products in float32
	PeakRead   float64 `json:"peak_read_gbs,omitempty"`
	PeakCopied float64 `json:"peak_copied_gbs,omitempty"`

	Work []BenchWork `json:"work"`
}

// A BenchWork is one kind of work.
type BenchWork struct {
	Name    string    `json:"name"`
	Texts   int       `json:"texts,omitempty"`
	Tokens  int       `json:"tokens,omitempty"` // of each text; where texts are continued, the new ones
	Seconds []float64 `json:"seconds"`          // of each repetition
	Min     float64   `json:"seconds_min"`
	Median  float64   `json:"seconds_median"`

	Rate float64 `json:"tokens_per_second,omitempty"`
	Best float64 `json:"tokens_per_second_best,omitempty"`

	GFLOPs    float64 `json:"gflops,omitempty"` // of products with weights; attention, under a hundredth, is not counted
	OfPeak    float64 `json:"of_peak,omitempty"`
	Read      float64 `json:"read_gbs,omitempty"` // of weights, one text at a time
	OfReading float64 `json:"of_peak_read,omitempty"`
}

const (
	benchSeed   = 1
	benchLength = 32 // tokens of a text, of a prompt, and new ones
	benchTexts  = 256

	// What a repetition may take, in multiplications with weights: some seconds of a few cores. A small model
	// has all texts and all new tokens, a large one as many as that allows, at least one text and leastNew
	// tokens of each.
	benchReading = 16e10
	benchWriting = 4e11
	leastNew     = 4
)

// benchBatches are the numbers of texts that are continued side by side.
var benchBatches = []int{1, 8, 32, 90}

// RunBench measures. It calls told with the number of each round as it begins.
func RunBench(ctx context.Context, o BenchOptions, told func(round int)) (*Bench, error) {
	if err := o.check(ctx); err != nil {
		return nil, err
	}
	c, err := transforms.OpenFiles(ctx, o.Model, false)
	if err != nil {
		return nil, missingModel(err)
	}
	defer c.Close()
	device, err := OpenDevice("-", o.Device, o.Plugin)
	if err != nil {
		return nil, err
	}
	if err := fits(ctx, o.Model, c, device, "the measurement", benchBytes); err != nil {
		return nil, err
	}
	digest, err := c.Digest()
	if err != nil {
		return nil, missingModel(err)
	}
	m := &benchmark{device: device, files: c, repeat: o.Repeat}
	if err := m.open(); err != nil {
		return nil, missingModel(err)
	}
	defer func() { m.decoder.Close() }()
	config := m.decoder.Config()
	b := &Bench{Model: modelName(o.Model), Digest: digest[:min(12, len(digest))], Device: device.String(), Kernels: device.kernels(), Cores: runtime.GOMAXPROCS(0),
		Parameters: config.Parameters(), TokenBytes: cpu.TokenBytes(config, c), Layers: config.Layers, Layer: o.Layer, Repeat: o.Repeat}
	if b.Layer < 0 {
		b.Layer = config.Layers / 2
	}
	jobs := m.jobs(config, b.Layer)
	peak, err := m.rounds(ctx, jobs, told)
	if err != nil {
		return nil, fmt.Errorf("bench %s: %w", b.Model, err)
	}
	b.PeakGFLOPs, b.PeakRead, b.PeakCopied = peak.Products/1e9, peak.Read/1e9, peak.Copied/1e9
	for _, j := range jobs {
		b.Work = append(b.Work, j.result(b))
	}
	return b, nil
}

// check names everything that is wrong before any weights are read or fetched.
func (o BenchOptions) check(ctx context.Context) error {
	k := &check{}
	checkDevice(k, "-", o.Device, o.Plugin)
	problems := k.problems
	if o.Repeat < 1 {
		problems = append(problems, fmt.Sprintf("-repeat %d: want 1 or more", o.Repeat))
	}
	if o.Layer < -1 {
		problems = append(problems, fmt.Sprintf("-layer %d: layers are block numbers from 0", o.Layer))
	}
	var missing error
	if o.Model == "" {
		problems = append(problems, "-model: missing")
	} else if config, err := benchConfig(ctx, o.Model); errors.Is(err, checkpoint.ErrNotFound) {
		missing = missingModel(err)
	} else if err != nil {
		problems = append(problems, err.Error())
	} else if o.Layer >= config.Layers {
		problems = append(problems, fmt.Sprintf("-layer %d: model %s has layers 0 to %d", o.Layer, modelName(o.Model), config.Layers-1))
	}
	switch {
	case len(problems) > 0 && missing != nil:
		return append(problems, missing.Error())
	case len(problems) > 0:
		return problems
	}
	return missing
}

// benchConfig is a model's architecture, of which no weights are needed.
func benchConfig(ctx context.Context, ref string) (*arch.Config, error) {
	c, err := transforms.OpenFiles(ctx, ref, true)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return arch.ParseConfig(c.Config())
}

// A benchmark is a measurement under way.
type benchmark struct {
	device  Device
	repeat  int
	files   *checkpoint.Checkpoint
	decoder *gpu.Decoder
}

// open loads the model, in place of the one that was loaded before.
func (m *benchmark) open() (err error) {
	if m.decoder != nil {
		m.decoder.Close()
		m.decoder = nil
		debug.FreeOSMemory() // no two copies side by side
	}
	m.decoder, err = gpu.Open(m.files, nil, m.device.open)
	return err
}

// A job is a kind of work that is repeated.
type job struct {
	name          string
	texts, tokens int
	products      float64 // multiplications with weights of one repetition; 0: that is not what it takes
	reads         float64 // passes of a single token
	warm, run     func(ctx context.Context) error
	seconds       []float64
}

// rounds runs every job once in each round, so that a machine that is disturbed for a while disturbs all
// alike, and measures the machine itself in between.
func (m *benchmark) rounds(ctx context.Context, jobs []*job, told func(int)) (peak gpu.Peak, err error) {
	for round := range m.repeat {
		told(round + 1)
		p, err := gpu.MeasurePeak(ctx, m.device.open)
		if err != nil {
			return peak, err
		}
		peak = peak.Max(p)
		for _, j := range jobs {
			if err := j.warm(ctx); err != nil {
				return peak, err
			}
			at := time.Now()
			if err := j.run(ctx); err != nil {
				return peak, err
			}
			j.seconds = append(j.seconds, time.Since(at).Seconds())
			if err := ctx.Err(); err != nil {
				return peak, err
			}
		}
	}
	return peak, nil
}

// result is what came of a job.
func (j *job) result(b *Bench) BenchWork {
	sorted := slices.Sorted(slices.Values(j.seconds))
	n := len(sorted)
	w := BenchWork{Name: j.name, Texts: j.texts, Tokens: j.tokens, Seconds: j.seconds, Min: sorted[0], Median: (sorted[(n-1)/2] + sorted[n/2]) / 2}
	tokens := float64(j.texts * j.tokens)
	w.Rate, w.Best = tokens/w.Median, tokens/w.Min
	w.GFLOPs = 2 * j.products / w.Median / 1e9
	if b.PeakGFLOPs > 0 {
		w.OfPeak = w.GFLOPs / b.PeakGFLOPs
	}
	w.Read = j.reads * float64(b.TokenBytes) / w.Median / 1e9
	if b.PeakRead > 0 {
		w.OfReading = w.Read / b.PeakRead
	}
	return w
}

// jobs are the kinds of work, with as much of each as the model's size allows.
func (m *benchmark) jobs(c *arch.Config, layer int) []*job {
	length := max(1, min(benchLength, c.Longest()/2))
	texts := benchTextsOf(c, length)
	scored := c.TokenProducts() * length
	kept := min(benchTexts, max(1, int(benchReading/float64(scored))))
	for kept&(kept-1) != 0 { // powers of two are easier to compare with
		kept &= kept - 1
	}
	texts = texts[:kept]
	jobs := []*job{
		{name: "load", warm: nothing, run: func(context.Context) error { return m.open() }},
		m.reading("capture", texts, c.ReadingProducts(length, layer), func(ctx context.Context, texts [][]int32) error {
			last := slices.Repeat([][]int{{length - 1}}, len(texts))
			_, err := m.decoder.Capture(ctx, texts, last, []gpu.Site{{Layer: layer}})
			return err
		}),
		m.reading("prefill", texts, c.ReadingProducts(length, c.Layers-1)+c.HeadWeights(), func(ctx context.Context, texts [][]int32) error {
			_, err := m.decoder.Logits(ctx, texts, nil)
			return err
		}),
		m.reading("score", texts, scored, func(ctx context.Context, texts [][]int32) error {
			prompts := make([][]int32, len(texts)) // one token, so that as many are scored as are read
			for i, t := range texts {
				prompts[i] = t[length-1:]
			}
			_, err := m.decoder.NLL(ctx, prompts, texts)
			return err
		}),
	}
	for _, batch := range benchBatches {
		jobs = append(jobs, m.decoding(c, layer, batch, texts[0]))
	}
	return jobs
}

// reading is a job on texts of which each takes so many products. A fourth of them warms up.
func (m *benchmark) reading(name string, texts [][]int32, products int, do func(context.Context, [][]int32) error) *job {
	return &job{name: name, texts: len(texts), tokens: len(texts[0]), products: float64(products) * float64(len(texts)),
		warm: func(ctx context.Context) error { return do(ctx, texts[:(len(texts)+3)/4]) },
		run:  func(ctx context.Context) error { return do(ctx, texts) }}
}

// decoding is a job that continues one prompt several times, steered. Warming up reads the prompt, which
// the decoder keeps for the next call.
func (m *benchmark) decoding(c *arch.Config, layer, batch int, prompt []int32) *job {
	products := float64(c.TokenProducts()) * float64(batch)
	tokens := min(len(prompt), max(leastNew, int(benchWriting/products)))
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
	j.warm = func(ctx context.Context) error { return write(ctx, 1) }
	j.run = func(ctx context.Context) error { return write(ctx, tokens) }
	return j
}

func nothing(context.Context) error { return nil }

// benchBytes is the memory that the work takes: the longest pass, the most texts side by side, or the
// measurement of the machine.
func benchBytes(s transforms.Shape) int {
	most := slices.Max(benchBatches)
	return max(s.PassBytes(benchTexts*benchLength/8, 0, 0), s.PassBytes(most, most, 2*benchLength), cpu.PeakBytes)
}

// benchTextsOf draws texts of the vocabulary's tokens.
func benchTextsOf(c *arch.Config, length int) [][]int32 {
	draws := rand.New(rand.NewPCG(benchSeed, 0))
	texts := make([][]int32, benchTexts)
	for i := range texts {
		texts[i] = make([]int32, length)
		for j := range texts[i] {
			texts[i][j] = int32(draws.IntN(c.Vocab))
		}
	}
	return texts
}
