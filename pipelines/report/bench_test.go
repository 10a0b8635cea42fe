package report

import (
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// TestBenchOfACard: without a peak there are operations a second, and what comes first stands apart.
func TestBenchOfACard(t *testing.T) {
	b := &pipelines.Bench{Model: "7b", Digest: "0123456789ab", Device: "cuda/bfloat16/x+y", Cores: 16, Parameters: 7e9, TokenBytes: 14 << 30, Layers: 32, Layer: 16, Repeat: 3,
		Start: &pipelines.BenchStart{Digest: 7, Load: 5.5, Capture: 6.25, Total: 18.9}, MemoryPeak: 20 << 30, MemoryLimit: 75 << 30,
		Work: []pipelines.BenchWork{
			{Name: "load", Seconds: []float64{5.5}, Median: 5.5},
			{Name: "capture/64", Texts: 64, Tokens: 32, First: 6.25, Median: .0241, Rate: 84979, Best: 85000, GFLOPs: 584000},
			{Name: "decode/32", Texts: 32, Tokens: 32, First: 8, Median: .2, Rate: 5120, Best: 5130, GFLOPs: 999.94},
		}}
	var out strings.Builder
	if err := Bench(&out, b, 0); err != nil {
		t.Fatal(err)
	}
	want := `  model   7b (0123456789ab), 32 blocks, 7000 million parameters; a pass of one token reads 14 GiB of weights
  device  cuda/bfloat16/x+y, 16 cores
  peak    not measured: there is no measure of cards
  start   18.9 s until something was captured: digest of the files 7.0, loading 5.5, the first capture, which compiles, 6.2
  memory  20 GiB of the device's used at most, of 75 GiB

  work        texts × tokens  first  seconds  tokens/s  best   products
  load                               5.500
  capture/64  64 × 32         6.250  0.024    84979     85000  584.0 TFLOP/s
  decode/32   32 × 32         8.000  0.200    5120      5130   999.9 GFLOP/s

captured, and steered, after block 16 of 0 to 31; seconds and tokens/s are the median of 3, best is the fastest; first is the first call in seconds, compiling included, and the model is loaded once
`
	got := strings.Split(out.String(), "\n")
	for i := range got {
		got[i] = strings.TrimRight(got[i], " ")
	}
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}
