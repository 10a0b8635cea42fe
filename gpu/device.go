package gpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/cpu"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// ErrNoDevice reports a device name that this program or this machine does not have.
var ErrNoDevice = errors.New("no such device")

// The platforms of devices.
const (
	cpuPlatform  = "cpu"     // this program's own kernels
	hostPlatform = "xla-cpu" // XLA's, on the same processor
	cudaPlatform = "cuda"    // XLA's, on NVIDIA's cards
)

// A Device is what decides the bits of a result. It belongs in every recipe: as its text, which has nothing of
// the machine but the kind of its chip.
type Device struct {
	Platform string // "cpu", "xla-cpu" or "cuda"
	DType    string // type of the operands of products: "float32", never rounded to less (no TF32), or "bfloat16"
	Chip     string // what of the chip decides the bits, "" for "cpu", whose bits are the same on all: "h100"
	Compiler string // that made the programs, "" for "cpu": "jax-cuda13-pjrt-0.11.2"
	Flags    string // stands for what the environment tells the compiler, "" if that is nothing: "flags-1a2b3c4d"
	Memory   int64  // bytes that it gives to programs, 0 if its plugin does not say
	Notes    string // for people: which card, its memory and which plugin, "" for "cpu"

	card   int    // which of several, counted from 0
	plugin string // where the user says that the plugin is
}

// String is "cpu/float32" or "cuda/bfloat16/h100+jax-cuda13-pjrt-0.11.2".
func (d Device) String() string {
	text := d.Platform + "/" + d.DType
	if d.Compiler != "" {
		text += "/" + d.Chip + "+" + d.Compiler
	}
	if d.Flags != "" {
		text += "+" + d.Flags
	}
	return text
}

// maxCard bounds the number of a card: what is beyond is a slip of the keyboard.
const maxCard = 255

// deviceName is how a device is written.
var deviceName = regexp.MustCompile(`^(?:cpu|(xla-cpu|cuda)(?:(:)(0|[1-9][0-9]{0,2}))?(:bf16)?)$`)

// ParseDevice reads a device's name: "cpu", "xla-cpu", "cuda", of several cards "cuda:1" for the second, and
// "xla-cpu:bf16", "cuda:bf16" or "cuda:1:bf16" for products in bfloat16. It looks at nothing else, so chip and
// compiler are not known. The error wraps [ErrNoDevice].
func ParseDevice(name string) (Device, error) {
	m := deviceName.FindStringSubmatch(name)
	card := 0
	if recorded, ok := RecordedDevice(name); ok {
		return Device{}, fmt.Errorf("%s: %w to run a model on: it is written as recipes have it, with which stored results are found; what runs models is called %s", name, ErrNoDevice, recorded.Name())
	}
	if m != nil {
		card, _ = strconv.Atoi(m[3]) // none: 0
	}
	if m == nil || m[1] == hostPlatform && m[2] != "" || card > maxCard {
		return Device{}, fmt.Errorf("%.100q: %w (want cpu, xla-cpu or cuda; cuda:1 is the second card; xla-cpu:bf16, cuda:bf16, cuda:1:bf16 multiply in bfloat16)", name, ErrNoDevice)
	}
	d := Device{Platform: cmp.Or(m[1], cpuPlatform), DType: "float32", card: card}
	if m[4] != "" {
		d.DType = "bfloat16"
	}
	return d, nil
}

// WithPlugin gives a device's name together with the file or folder of its plugin, as [DeviceFor], [Open] and the
// measurements take it; an empty path leaves the plugin to be found (package pjrt).
func WithPlugin(name, path string) string {
	if path == "" {
		return name
	}
	return name + "@" + path
}

// parseWith reads a name that may have the path of a plugin.
func parseWith(name string) (Device, error) {
	name, path, has := strings.Cut(name, "@")
	d, err := ParseDevice(name)
	if err == nil && has && d.Platform == cpuPlatform {
		err = fmt.Errorf("%s: %w with a plugin: this program computes itself there", name, ErrNoDevice)
	}
	if err != nil {
		return d, fmt.Errorf("device %w", err)
	}
	d.plugin = path
	return d, nil
}

// DeviceFor describes a device. Other devices than "cpu" are opened for it, once in a process. The error wraps
// [ErrNoDevice] and says what there is to do.
func DeviceFor(name string) (Device, error) {
	d, err := parseWith(name)
	if err != nil || d.Platform == cpuPlatform {
		return d, err
	}
	_, err = d.open()
	return d, err
}

// Warning is a line for the user when the device is much slower than it could be, else "".
func (d Device) Warning() string {
	if d.Platform == cpuPlatform && cpu.Kernels() == "generic" {
		return "no vector instructions that this program knows (AVX2 with FMA): it computes the same, about twenty times slower"
	}
	return ""
}

// openEngine loads a model onto a device.
func openEngine(device Device, c *arch.Config, src arch.Source) (engine.Engine, error) {
	if device.Platform == cpuPlatform {
		return cpu.Load(c, src, cpu.Options{})
	}
	return openXLA(device, c, src)
}

// turns has for each chip what is full while a call runs on it. Decoders share a chip: two calls side by side
// would only wait for each other, and need the memory of both.
var turns = struct {
	sync.Mutex
	chips map[string]chan struct{}
}{chips: map[string]chan struct{}{}}

// turn is what calls on the device take.
func (d Device) turn() chan struct{} {
	chip := "processor" // which "xla-cpu" computes on as well
	if d.Platform == cudaPlatform {
		chip = fmt.Sprintf("card %d", d.card)
	}
	turns.Lock()
	defer turns.Unlock()
	if turns.chips[chip] == nil {
		turns.chips[chip] = make(chan struct{}, 1)
	}
	return turns.chips[chip]
}

// waitedKey is the key of a context's count of the time that calls waited for the device.
type waitedKey struct{}

// WithWaited gives a context whose calls, one at a time, add to waited how long they wait for the device.
func WithWaited(ctx context.Context, waited *time.Duration) context.Context {
	return context.WithValue(ctx, waitedKey{}, waited)
}

// take waits for the device's turn; the caller must call the function it returns.
func take(ctx context.Context, turn chan struct{}) (free func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	begun := time.Now()
	select {
	case turn <- struct{}{}:
		if waited, ok := ctx.Value(waitedKey{}).(*time.Duration); ok {
			*waited += time.Since(begun)
		}
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// takeDevice is take for a device that is named.
func takeDevice(ctx context.Context, name string) (device Device, free func(), err error) {
	if device, err = parseWith(name); err != nil {
		return device, nil, err
	}
	free, err = take(ctx, device.turn())
	return device, free, err
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
