package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/transforms"
)

// llamaOf is a configuration of a LLaMA of some size.
func llamaOf(t *testing.T, sizes string) *arch.Config {
	t.Helper()
	c, err := arch.ParseConfig([]byte(`{"model_type": "llama", "rms_norm_eps": 1e-5, "tie_word_embeddings": true, ` + sizes + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	smallLlama = `"vocab_size": 2048, "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 352, "max_position_embeddings": 256`
	llama135M  = `"vocab_size": 49152, "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536, "max_position_embeddings": 8192`
	llama7B    = `"vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 11008, "max_position_embeddings": 4096`
)

// benchOn is a measurement on a device of a platform.
func benchOn(platform string) *benchmark {
	return &benchmark{device: Device{Device: gpu.Device{Platform: platform}}}
}

// TestWorkIsThatOfItsProducts counts what each kind of work multiplies, matrix by matrix, for texts of 32 tokens.
func TestWorkIsThatOfItsProducts(t *testing.T) {
	c := llamaOf(t, smallLlama)
	const (
		kv    = 2 * 128 * 64
		block = kv + 2*128*128 + 3*128*352
		head  = 128 * 2048
	)
	want := map[string]float64{
		"load":      0,
		"capture":   256 * (32*(2*block+kv) + block - kv),
		"prefill":   256 * (32*(3*block+kv) + block - kv + head),
		"score":     256 * 32 * (4*block + head),
		"decode/1":  1 * 32 * (4*block + head),
		"decode/8":  8 * 32 * (4*block + head),
		"decode/32": 32 * 32 * (4*block + head),
		"decode/90": 90 * 32 * (4*block + head),
	}
	jobs := benchOn("cpu").jobs(c, 2)
	if len(jobs) != len(want) {
		t.Errorf("%d kinds of work, want %d", len(jobs), len(want))
	}
	for _, j := range jobs {
		if products, ok := want[j.name]; !ok || j.products != products {
			t.Errorf("%s: %g products, want %g", j.name, j.products, products)
		}
		if wantReads := map[string]float64{"decode/1": 32}[j.name]; j.reads != wantReads {
			t.Errorf("%s reads the weights %g times, want %g", j.name, j.reads, wantReads)
		}
	}
}

// TestLargeModelsGetLess: a model of 135M parameters is measured as the benchmark means it, one of 7B on so
// little that a repetition ends.
func TestLargeModelsGetLess(t *testing.T) {
	for _, m := range []struct {
		name, sizes string
		texts       int
		tokens      [4]int // of decoding 1, 8, 32 and 90 texts
	}{{"small", smallLlama, 256, [4]int{32, 32, 32, 32}}, {"135M", llama135M, 32, [4]int{32, 32, 32, 32}}, {"7B", llama7B, 1, [4]int{32, 7, 4, 4}}} {
		jobs := benchOn("cpu").jobs(llamaOf(t, m.sizes), 1)
		for _, j := range jobs[1:4] {
			if j.texts != m.texts || j.tokens != 32 {
				t.Errorf("%s, %s: %d texts of %d tokens, want %d of 32", m.name, j.name, j.texts, j.tokens, m.texts)
			}
		}
		for i, j := range jobs[4:] {
			if j.texts != benchBatches[i] || j.tokens != m.tokens[i] {
				t.Errorf("%s, %s: %d texts of %d tokens, want %d of %d", m.name, j.name, j.texts, j.tokens, benchBatches[i], m.tokens[i])
			}
		}
	}
	short := strings.Replace(smallLlama, `_embeddings": 256`, `_embeddings": 10`, 1)
	for _, j := range benchOn("cpu").jobs(llamaOf(t, short), 1)[1:] {
		if j.tokens > 5 {
			t.Errorf("%s: %d tokens for a model that reads 10, prompt and continuation together", j.name, j.tokens)
		}
	}
}

// TestCardsGetMore: however large the model, a card is measured on as much as fills it, and a list of one's own holds
// for every device. Where programs are compiled, the model is opened once and what warms up is the work itself.
func TestCardsGetMore(t *testing.T) {
	c := llamaOf(t, llama7B)
	names := func(m *benchmark) (out []string) {
		for _, j := range m.jobs(c, 1) {
			out = append(out, fmt.Sprintf("%s %d×%d", j.name, j.texts, j.tokens))
		}
		return out
	}
	mine := benchOn("cpu")
	mine.texts, mine.batches = []int{3, 200}, []int{2}
	compiled := benchOn("xla-cpu")
	compiled.texts, compiled.batches = []int{3}, []int{128}
	for _, x := range []struct {
		what string
		m    *benchmark
		want []string
	}{
		{"a card", benchOn("cuda"), []string{"load 0×0", "capture/64 64×32", "capture/512 512×32", "score/128 128×32", "decode/32 32×32", "decode/128 128×32"}},
		{"a list", mine, []string{"load 0×0", "capture/3 3×32", "capture/200 200×32", "score/128 128×32", "decode/2 2×30"}},
		{"a list and XLA on the processor", compiled, []string{"load 0×0", "capture/3 3×32", "score/3 3×32", "decode/128 128×4"}},
	} {
		if got := names(x.m); !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, want %q", x.what, got, x.want)
		}
	}
	if load := benchOn("cuda").jobs(c, 1)[0]; load.run != nil || len(load.seconds) != 1 {
		t.Errorf("a card loads the model again: %t, %v", load.run != nil, load.seconds)
	}
	if load := benchOn("cpu").jobs(c, 1)[0]; load.run == nil || len(load.seconds) != 0 {
		t.Errorf("the processor loads the model once: %t, %v", load.run == nil, load.seconds)
	}
	less := benchOn("cpu")
	less.batches = []int{2}
	if shape := transforms.ShapeOf(c); benchOn("cpu").bytes(shape) <= less.bytes(shape) {
		t.Error("continuing 90 texts needs no more memory than continuing 2")
	}
}

// TestWeightsAreInTheDevicesType, which is not that of the file.
func TestWeightsAreInTheDevicesType(t *testing.T) {
	c := llamaOf(t, smallLlama)
	for dtype, want := range map[string]int{"float32": 4, "bfloat16": 2} {
		m := benchOn("cuda")
		m.device.DType = dtype
		if got := m.tokenBytes(c); got != want*c.TokenProducts() {
			t.Errorf("%s: %d bytes, want %d a weight", dtype, got, want)
		}
	}
}

// TestFirstCallsAreApart: on a device that compiles, what a job takes at first is in none of its repetitions, and the
// start ends with the first one.
func TestFirstCallsAreApart(t *testing.T) {
	m := benchOn("xla-cpu")
	m.repeat, m.begun = 2, time.Now()
	calls := 0
	slow := &job{name: "x", texts: 1, tokens: 1, warm: nothing, run: func(context.Context) error {
		if calls++; calls == 1 {
			time.Sleep(300 * time.Millisecond)
		}
		return nil
	}}
	loaded := &job{name: "load", seconds: []float64{7}}
	var rounds []int
	m.device.open = "xla-cpu" // of which the peak is the processor's
	if _, err := m.rounds(t.Context(), []*job{loaded, slow}, func(round int) { rounds = append(rounds, round) }); err != nil {
		t.Fatal(err)
	}
	w := slow.result(&Bench{})
	if w.First < .3 || len(w.Seconds) != 2 || slices.Max(w.Seconds) > .2 || calls != 3 {
		t.Errorf("first %g, then %v, in %d calls", w.First, w.Seconds, calls)
	}
	if !slices.Equal(rounds, []int{0, 1, 2}) || m.start.Capture != w.First || m.start.Total < w.First || len(loaded.seconds) != 1 {
		t.Errorf("rounds %v, start %+v, loaded in %v", rounds, m.start, loaded.seconds)
	}
}

// TestRatesAreOfTheMedian: operations are two for a product, and weights are read once for a token.
func TestRatesAreOfTheMedian(t *testing.T) {
	b := &Bench{TokenBytes: 3e9, PeakGFLOPs: 100, PeakRead: 30}
	j := &job{name: "x", texts: 4, tokens: 5, products: 50e9, reads: 5, seconds: []float64{4, 1, 2}}
	w := j.result(b)
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	near("the minimum", w.Min, 1)
	near("the median", w.Median, 2)
	near("tokens a second", w.Rate, 10)
	near("the best", w.Best, 20)
	near("GFLOP/s", w.GFLOPs, 50)
	near("their share", w.OfPeak, .5)
	near("GB/s", w.Read, 7.5)
	near("their share", w.OfReading, .25)
	j.seconds = []float64{4, 1, 2, 3}
	near("the median of four", j.result(b).Median, 2.5)
}

// TestBenchNamesAllProblems before it reads any weights.
func TestBenchNamesAllProblems(t *testing.T) {
	for _, c := range []struct {
		o       BenchOptions
		missing bool
		want    []string
	}{
		{BenchOptions{Model: "tiny:llama", Device: "abacus", Layer: 4, Repeat: 0}, false, []string{"3 problems", `-device: "abacus": no such device`, "-layer 4: model tiny:llama has layers 0 to 3", "-repeat 0: want 1 or more"}},
		{BenchOptions{Device: "cpu", Layer: -2, Repeat: -1}, false, []string{"3 problems", "-model: missing", "-layer -2: ", "-repeat -1: "}},
		{BenchOptions{Model: "tiny:llama", Device: "cpu", Layer: -1, Repeat: 1, Texts: []int{8, 0}, Batches: []int{1 << 20}}, false, []string{"2 problems", "-texts 0: want 1 to 65536", "-batches 1048576: "}},
		{BenchOptions{Model: "nowhere.gguf", Device: "cpu", Layer: -1, Repeat: 0}, false, []string{"2 problems", "-repeat 0: ", "nowhere.gguf"}},
		{BenchOptions{Model: "nowhere.gguf", Device: "cpu", Layer: -1, Repeat: 1}, true, []string{"nowhere.gguf"}},
	} {
		_, err := RunBench(t.Context(), c.o, func(int) { t.Error("it measures") })
		if err == nil || errors.Is(err, ErrMissing) != c.missing || errors.Is(err, ErrConfig) == c.missing {
			t.Errorf("%+v: %v (missing: %t)", c.o, err, c.missing)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %q does not say %q", c.o, err, want)
			}
		}
	}
}

// TestBenchEndsWithItsContext between two jobs, whatever the jobs make of it.
func TestBenchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := RunBench(ctx, BenchOptions{Model: "tiny:llama", Device: "cpu", Layer: -1, Repeat: 1000}, func(round int) {
		if round == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}
