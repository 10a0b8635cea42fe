package transforms

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// availableKey is the key of a context's function that says how much memory there is.
type availableKey struct{}

// WithMemory gives a context in which there is as much memory as available says, in place of what the
// system says.
func WithMemory(ctx context.Context, available func() gpu.Memory) context.Context {
	return context.WithValue(ctx, availableKey{}, available)
}

// Available is how much memory there is in a context.
func Available(ctx context.Context) gpu.Memory {
	if available, ok := ctx.Value(availableKey{}).(func() gpu.Memory); ok {
		return available()
	}
	return gpu.Available()
}

// fits reports a model whose weights alone are more than there is, where they would be read: on a worker
// of whose memory the driver knows nothing. What there is of a card's memory its own engine asks.
func fits(ctx context.Context, c *checkpoint.Checkpoint, device gpu.Device, weights int) error {
	if device.OwnMemory() {
		return nil
	}
	if there := Available(ctx); !there.Enough(weights) {
		return fmt.Errorf("open model %s: %w: its weights are %d MiB, there are %d (%s)", c.Name(), gpu.ErrMemory, weights>>20, there.Bytes>>20, there.Source)
	}
	return nil
}
