package gpu

import (
	"context"
	"fmt"
	"runtime"

	"github.com/persona-transfer/runpipeline/gpu/cpu"
)

// A Peak is the most that a device was seen to do, each in a second.
type Peak struct {
	Products float64 // float32 operations of large products, a multiplication and an addition as two
	Read     float64 // bytes read from memory
	Copied   float64 // bytes moved by copying, read and written ones together
}

// Max is the larger one of each.
func (p Peak) Max(q Peak) Peak {
	return Peak{max(p.Products, q.Products), max(p.Read, q.Read), max(p.Copied, q.Copied)}
}

// MeasurePeak measures it in about half a second. For "xla-cpu" it is that of this program's own kernels on the same
// processor; of a card nothing is known, and it is zero.
func MeasurePeak(ctx context.Context, deviceName string) (p Peak, err error) {
	wrap := func(err error) (Peak, error) { return Peak{}, fmt.Errorf("measure the device's peak: %w", err) }
	device, free, err := takeDevice(ctx, deviceName)
	if err != nil {
		return wrap(err)
	}
	defer free()
	if device.Platform == cudaPlatform {
		return Peak{}, nil
	}
	if p.Products, err = cpu.PeakProducts(ctx); err != nil {
		return wrap(err)
	}
	if p.Read, p.Copied, err = cpu.PeakMemory(ctx); err != nil {
		return wrap(err)
	}
	runtime.GC() // what was read is not the model's memory
	return p, nil
}
