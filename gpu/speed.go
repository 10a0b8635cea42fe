package gpu

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// A Speed is how fast a device computes, in seconds.
type Speed struct {
	Weight  float64 // for each weight that a forward pass reads, whatever the number of rows
	Product float64 // for each weight and row, all that a block does with a row included
	Element float64 // for each value of an operation by elements, on one core
	Cores   int
}

const (
	speedRows    = 128                   // of the wide pass that is measured: near the top speed
	speedWeights = 1 << 21               // of one matrix at most, so that the wide pass takes tens of milliseconds
	speedModel   = 1 << 22               // weights in all, about
	speedTime    = 50 * time.Millisecond // for each measurement, at least two runs
)

// MeasureSpeed times the forward pass of a model of the given widths, and an operation by elements, in about
// a third of a second. Measuring the device as it is, with the kernels of this program, gives the right
// order on any machine, with and without vector instructions; numbers that were measured elsewhere would
// be ten times wrong.
func MeasureSpeed(ctx context.Context, deviceName string, in, out int) (Speed, error) {
	wrap := func(err error) (Speed, error) { return Speed{}, fmt.Errorf("measure the device's speed: %w", err) }
	device, free, err := takeDevice(ctx, deviceName)
	if err != nil {
		return wrap(err)
	}
	defer free()
	for in*out > speedWeights {
		in, out = (in+1)/2, (out+1)/2
	}
	in = (in + 1) / 2 * 2 // the width of a head, which is even
	weights := 4*in*in + 3*in*out
	layers := min(8, max(1, speedModel/weights))
	config, err := arch.ParseConfig(fmt.Appendf(nil, `{"model_type": "llama", "vocab_size": 32, "hidden_size": %d, "intermediate_size": %d,
		"num_hidden_layers": %d, "num_attention_heads": 1, "max_position_embeddings": %d, "tie_word_embeddings": true}`, in, out, layers, speedRows))
	if err != nil {
		return wrap(err)
	}
	e, err := openEngine(device, config, evenWeights{config})
	if err != nil {
		return wrap(err)
	}
	defer e.Close()
	one, err := timed(ctx, e, 1)
	if err != nil {
		return wrap(err)
	}
	wide, err := timed(ctx, e, speedRows)
	if err != nil {
		return wrap(err)
	}
	all := float64(layers * weights)
	each := max(0, wide-one) / (speedRows - 1)
	return Speed{Weight: max(0, one-each) / all, Product: each / all, Element: elementTime(), Cores: runtime.GOMAXPROCS(0)}, ctx.Err()
}

// timed is what a forward pass of so many tokens takes: the least of several, since the first ones also find
// memory and wake the cores, which a long run does once.
func timed(ctx context.Context, e engine.Engine, rows int) (float64, error) {
	item := engine.Item{Tokens: make([]int32, rows)}
	for i := range rows {
		item.Residuals = append(item.Residuals, engine.Place{Token: i, Layer: e.Config().Layers - 1})
	}
	var took []float64
	for begun := time.Now(); len(took) < 2 || time.Since(begun) < speedTime; {
		at := time.Now()
		if _, err := e.Forward(ctx, []engine.Item{item}); err != nil {
			return 0, err
		}
		took = append(took, time.Since(at).Seconds())
	}
	return slices.Min(took), nil
}

// elementTime is what one value of a product by elements takes.
func elementTime() float64 {
	x, y := make([]float32, 1<<20), make([]float32, 1<<20)
	least := time.Hour
	for range 3 {
		at := time.Now()
		for i, v := range x {
			y[i] += v * 0.5
		}
		least = min(least, time.Since(at))
	}
	return least.Seconds() / float64(len(x))
}

// evenWeights is a place to read weights from that are all a hundredth.
type evenWeights struct{ c *arch.Config }

func (w evenWeights) Tensors() []checkpoint.TensorInfo { return w.c.Float32Tensors() }

func (w evenWeights) ReadRows(_ string, _, _ int, dst []float32) error {
	for i := range dst {
		dst[i] = .01
	}
	return nil
}
