package pipelines

import (
	"context"
	"errors"
	"fmt"
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

	// How many texts are read, and continued, side by side, one measurement each. Without them the numbers follow
	// device and model.
	Texts, Batches []int
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
	TokenBytes int    `json:"token_bytes"` // of weights that a pass of one token reads, as the device has them
	Layers     int    `json:"layers"`
	Layer      int    `json:"layer"` // after which activations are captured and the vector is added
	Repeat     int    `json:"repeat"`

	// Of the processor, by this program's own kernels; of a card nothing is measured.
	PeakGFLOPs float64 `json:"peak_gflops,omitempty"` // of products in float32
	PeakRead   float64 `json:"peak_read_gbs,omitempty"`
	PeakCopied float64 `json:"peak_copied_gbs,omitempty"`

	Start       *BenchStart `json:"start,omitempty"`        // of a device that compiles
	MemoryPeak  int64       `json:"memory_peak,omitempty"`  // bytes of the device's that were used at most, if its plugin says so
	MemoryLimit int64       `json:"memory_limit,omitempty"` // that programs can have

	Work []BenchWork `json:"work"`
}

// A BenchStart is what comes before the first result, in seconds.
type BenchStart struct {
	Digest  float64 `json:"digest"`        // of the model's files
	Load    float64 `json:"load"`          // weights onto the device
	Capture float64 `json:"first_capture"` // compiling included
	Total   float64 `json:"total"`
}

// A BenchWork is one kind of work.
type BenchWork struct {
	Name    string    `json:"name"`
	Texts   int       `json:"texts,omitempty"`
	Tokens  int       `json:"tokens,omitempty"` // of each text; where texts are continued, the new ones
	Seconds []float64 `json:"seconds"`          // of each repetition
	Min     float64   `json:"seconds_min"`
	Median  float64   `json:"seconds_median"`
	First   float64   `json:"seconds_first,omitempty"` // of the first call, compiling included, on a device that compiles

	Rate float64 `json:"tokens_per_second,omitempty"`
	Best float64 `json:"tokens_per_second_best,omitempty"`

	GFLOPs    float64 `json:"gflops,omitempty"` // of products with weights; attention, under a hundredth, is not counted
	OfPeak    float64 `json:"of_peak,omitempty"`
	Read      float64 `json:"read_gbs,omitempty"` // of weights, one text at a time
	OfReading float64 `json:"of_peak_read,omitempty"`
}

// RunBench measures. It calls told with the number of each round as it begins: 0 is that of the first calls, on a
// device that compiles.
func RunBench(ctx context.Context, o BenchOptions, told func(round int)) (*Bench, error) {
	if err := o.check(ctx); err != nil {
		return nil, err
	}
	m := &benchmark{begun: time.Now(), repeat: o.Repeat, texts: o.Texts, batches: o.Batches}
	c, err := transforms.OpenFiles(ctx, o.Model, false)
	if err != nil {
		return nil, missingModel(err)
	}
	defer c.Close()
	device, err := OpenDevice("-", o.Device, o.Plugin)
	if err != nil {
		return nil, err
	}
	m.device, m.files = device, c
	if err := fits(ctx, o.Model, c, device, "the measurement", m.bytes); err != nil {
		return nil, err
	}
	begun := time.Now()
	digest, err := c.Digest()
	if err != nil {
		return nil, missingModel(err)
	}
	m.start.Digest, begun = time.Since(begun).Seconds(), time.Now()
	if err := m.open(); err != nil {
		return nil, missingModel(err)
	}
	m.start.Load = time.Since(begun).Seconds()
	defer func() { m.decoder.Close() }()
	config := m.decoder.Config()
	b := &Bench{Model: modelName(o.Model), Digest: digest[:min(12, len(digest))], Device: device.String(), Kernels: device.kernels(), Cores: runtime.GOMAXPROCS(0),
		Parameters: config.Parameters(), TokenBytes: m.tokenBytes(config), Layers: config.Layers, Layer: o.Layer, Repeat: o.Repeat}
	if b.Layer < 0 {
		b.Layer = config.Layers / 2
	}
	jobs := m.jobs(config, b.Layer)
	peak, err := m.rounds(ctx, jobs, told)
	if err != nil {
		return nil, fmt.Errorf("bench %s: %w", b.Model, err)
	}
	if device.compiles() {
		b.Start, b.MemoryPeak, b.MemoryLimit = &m.start, device.PeakMemory(), device.Memory
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
	for _, list := range []struct {
		flag    string
		numbers []int
	}{{"texts", o.Texts}, {"batches", o.Batches}} {
		for _, n := range list.numbers {
			if n < 1 || n > mostTexts {
				problems = append(problems, fmt.Sprintf("-%s %d: want 1 to %d", list.flag, n, mostTexts))
			}
		}
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
	device         Device
	repeat         int
	texts, batches []int // that the user chose
	files          *checkpoint.Checkpoint
	decoder        *gpu.Decoder

	begun time.Time
	start BenchStart
}

// tokenBytes is how many bytes of weights a pass of one token reads. Other devices than "cpu" have them in their own
// type, whatever the file has.
func (m *benchmark) tokenBytes(c *arch.Config) int {
	if !m.device.compiles() {
		return cpu.TokenBytes(c, m.files)
	}
	return m.device.ValueBytes() * c.TokenProducts()
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
	products      float64                         // multiplications with weights of one repetition; 0: that is not what it takes
	reads         float64                         // passes of a single token
	warm, run     func(ctx context.Context) error // no run: it happened already
	seconds       []float64
	first         float64 // seconds of the first call, where it compiles
}

// first calls every job once, for its programs to be compiled.
func (m *benchmark) first(ctx context.Context, jobs []*job) error {
	for _, j := range jobs {
		if j.run == nil {
			continue
		}
		begun := time.Now()
		if err := j.run(ctx); err != nil {
			return err
		}
		j.first = time.Since(begun).Seconds()
		if m.start.Total == 0 { // captures come first
			m.start.Capture, m.start.Total = j.first, time.Since(m.begun).Seconds()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// rounds runs every job once in each round, so that a machine that is disturbed for a while disturbs all
// alike, and measures the machine itself in between.
func (m *benchmark) rounds(ctx context.Context, jobs []*job, told func(int)) (peak gpu.Peak, err error) {
	if m.device.compiles() {
		told(0)
		if err := m.first(ctx, jobs); err != nil {
			return peak, err
		}
	}
	for round := range m.repeat {
		told(round + 1)
		p, err := gpu.MeasurePeak(ctx, m.device.open)
		if err != nil {
			return peak, err
		}
		peak = peak.Max(p)
		for _, j := range jobs {
			if j.run == nil {
				continue
			}
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
	w := BenchWork{Name: j.name, Texts: j.texts, Tokens: j.tokens, Seconds: j.seconds, First: j.first, Min: sorted[0], Median: (sorted[(n-1)/2] + sorted[n/2]) / 2}
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
