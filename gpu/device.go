package gpu

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/cpu"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// ErrNoDevice reports a device name that this program or this machine does not have.
var ErrNoDevice = errors.New("no such device")

// A Device is what decides the bits of a result. It belongs in every recipe.
type Device struct {
	Name  string // "cpu"
	DType string // type of the arithmetic: "float32"
}

// String is "cpu/float32".
func (d Device) String() string { return d.Name + "/" + d.DType }

// DeviceFor describes a device without opening it. The error wraps [ErrNoDevice].
func DeviceFor(name string) (Device, error) {
	if name != "cpu" {
		return Device{}, fmt.Errorf("device %q: %w (there is: cpu)", name, ErrNoDevice)
	}
	return Device{Name: name, DType: "float32"}, nil
}

// Warning is a line for the user when the device is much slower than it could be, else "".
func (d Device) Warning() string {
	if d.Name == "cpu" && cpu.Kernels() == "generic" {
		return "no vector instructions that this program knows (AVX2 with FMA): it computes the same, about twenty times slower"
	}
	return ""
}

// openEngine loads a model onto a device.
func openEngine(deviceName string, c *arch.Config, src arch.Source) (engine.Engine, error) {
	if _, err := DeviceFor(deviceName); err != nil {
		return nil, err
	}
	return cpu.Load(c, src, cpu.Options{})
}

// busy is full while a call runs. Decoders share the processors: two calls side by side would only wait for
// each other, and need the memory of both.
var busy = make(chan struct{}, 1)

// waitedKey is the key of a context's count of the time that calls waited for the device.
type waitedKey struct{}

// WithWaited gives a context whose calls, one at a time, add to waited how long they wait for the device.
func WithWaited(ctx context.Context, waited *time.Duration) context.Context {
	return context.WithValue(ctx, waitedKey{}, waited)
}

// take waits for the device; the caller must call the function it returns.
func take(ctx context.Context) (free func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	begun := time.Now()
	select {
	case busy <- struct{}{}:
		if waited, ok := ctx.Value(waitedKey{}).(*time.Duration); ok {
			*waited += time.Since(begun)
		}
		return func() { <-busy }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// takeDevice is take for a device that is named.
func takeDevice(ctx context.Context, name string) (free func(), err error) {
	if _, err := DeviceFor(name); err != nil {
		return nil, err
	}
	return take(ctx)
}

// parallel runs f(0) … f(n-1) on all cores.
func parallel(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
