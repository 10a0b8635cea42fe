package gpu_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
)

// TestCallsSayHowFarTheyAre: each of the three calls tells of its work several times, never less than
// before, and comes to the whole; one that is part of several comes to its part. What it computes is the
// same as without anybody listening.
func TestCallsSayHowFarTheyAre(t *testing.T) {
	d, r := open(t, "llama")
	var prompts, texts [][]int32
	var last [][]int
	var rows []gpu.Row
	for i, n := range slices.Repeat([]int{5, 20, 40, 70, 100, 33, 9, 60, 12, 18}, 40) {
		text := r.Text(n, uint64(i))
		texts, last = append(texts, text), append(last, []int{n - 1})
		prompts, rows = append(prompts, r.Text(4, uint64(i))), append(rows, gpu.Row{Prompt: text})
	}
	for name, call := range map[string]func(context.Context) (any, error){
		"capture": func(ctx context.Context) (any, error) { return d.Capture(ctx, texts, last, []gpu.Site{{Layer: 1}}) },
		"score":   func(ctx context.Context) (any, error) { return d.NLL(ctx, prompts, texts) },
		"generate": func(ctx context.Context) (any, error) {
			return d.Generate(ctx, rows, gpu.Sampling{MaxNewTokens: 6, Temperature: 1})
		},
	} {
		for _, part := range []struct {
			i, n     int
			from, to float64
		}{{0, 1, 0, 1}, {1, 4, .25, .5}} {
			var told []float64
			ctx := gpu.WithProgress(t.Context(), func(share float64) { told = append(told, share) })
			got, err := call(gpu.PartOf(ctx, part.i, part.n))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(told) < 4 || !slices.IsSorted(told) || told[0] <= part.from || told[0] > part.from+(part.to-part.from)*.5 || told[len(told)-1] != part.to {
				t.Errorf("%s, part %d of %d, tells %v, want several shares up to %g", name, part.i, part.n, told, part.to)
			}
			quiet, err := call(gpu.PartOf(t.Context(), part.i, part.n))
			if err != nil || !reflect.DeepEqual(got, quiet) {
				t.Errorf("%s gives something else when it tells of its progress (%v)", name, err)
			}
		}
	}
}

// TestTheDeviceHasASpeed: products and elements take time; what a row adds to its weights can be lost in
// the noise of a busy machine.
func TestTheDeviceHasASpeed(t *testing.T) {
	s, err := gpu.MeasureSpeed(t.Context(), "cpu", 512, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if !(s.Weight >= 0 && s.Product > 0 && s.Element > 0) || s.Cores < 1 {
		t.Errorf("measured %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gpu.MeasureSpeed(ctx, "cpu", 512, 2048); err == nil {
		t.Error("measured though it was interrupted")
	}
	if _, err := gpu.MeasureSpeed(t.Context(), "abacus", 512, 2048); err == nil {
		t.Error("measured an unknown device")
	}
}
