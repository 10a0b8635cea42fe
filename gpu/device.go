package gpu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend" // the device "cpu"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

const f32 = dtypes.Float32

// ErrNoDevice reports a device name that this program or this machine does not have.
var ErrNoDevice = errors.New("no such device")

// A Device is a kind of processor: what decides the bits of a result. It belongs in every
// recipe.
type Device struct {
	Name  string // "cpu"
	DType string // type of weights and arithmetic: "float32"
	ISA   string // instruction set of the matrix kernels: "avx512", "avx2", "generic-amd64", …
}

// String is "cpu/float32/avx512".
func (d Device) String() string { return d.Name + "/" + d.DType + "/" + d.ISA }

// DeviceFor describes a device without opening it. The error wraps [ErrNoDevice].
func DeviceFor(name string) (Device, error) {
	if name != "cpu" {
		return Device{}, fmt.Errorf("device %q: %w (there is: cpu)", name, ErrNoDevice)
	}
	return Device{Name: name, DType: "float32", ISA: isa()}, nil
}

// Warning is a line for the user when the device is much slower than it could be, else "".
func (d Device) Warning() string {
	if d.Name == "cpu" && runtime.GOARCH == "amd64" && !simdBuild {
		return "built without GOEXPERIMENT=simd: matrix products are about ten times slower"
	}
	return ""
}

// device is an opened Device. Decoders share it.
type device struct {
	Device
	backend compute.Backend
	busy    chan struct{} // full while a call runs
}

var cpu = sync.OnceValues(func() (*device, error) {
	// The backend prints a line to standard output when it is given a parallelism, and
	// standard output belongs to results.
	stdout := os.Stdout
	os.Stdout = os.Stderr
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
		defer null.Close()
	}
	defer func() { os.Stdout = stdout }()
	// Any limit on parallelism can deadlock a graph with many large products.
	backend, err := compute.NewWithConfig("go:parallelism=-1")
	if err != nil {
		return nil, fmt.Errorf("open device cpu: %w", err)
	}
	d, err := DeviceFor("cpu")
	return &device{Device: d, backend: backend, busy: make(chan struct{}, 1)}, err
})

// openDevice opens a device by name, once per process.
func openDevice(name string) (*device, error) {
	if _, err := DeviceFor(name); err != nil {
		return nil, err
	}
	return cpu()
}

// take waits for the device; the caller must call the function it returns.
func (v *device) take(ctx context.Context) (free func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case v.busy <- struct{}{}:
		return func() { <-v.busy }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A program is a graph, compiled anew for every shape of its inputs.
type program struct {
	name string
	exec *graph.Exec
}

// newProgram makes a program of a function that builds its graph.
func (v *device) newProgram(name string, build func([]*graph.Node) []*graph.Node) (*program, error) {
	p := &program{name: name}
	err := guard("build "+name, func() (err error) {
		p.exec, err = graph.NewExec(v.backend, build)
		return err
	})
	if err == nil {
		p.exec.SetMaxCache(-1)
	}
	return p, err
}

// call runs the program. Arguments are tensors or donated buffers.
func (p *program) call(args []any) (out []*tensors.Tensor, err error) {
	err = guard("run "+p.name, func() (err error) {
		out, err = p.exec.Call(args...)
		return err
	})
	return out, err
}

// guard is the one place where a panic of graph code becomes an error: the library reports
// misuse of shapes and types that way while a graph is built.
func guard(doing string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", doing, r)
		}
	}()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// each runs work(0) … work(n-1), a few at a time, and returns the first error by index. No
// new work starts once ctx is done or something failed.
func each(ctx context.Context, n int, work func(i int) error) error {
	errs := make([]error, n)
	next := make(chan int)
	stop := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for range min(n, maxLanes, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				if errs[i] = work(i); errs[i] != nil {
					once.Do(func() { close(stop) })
				}
			}
		})
	}
	err := feed(ctx, n, next, stop)
	close(next)
	wg.Wait()
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return err
}

// maxLanes bounds the batches in flight, and with them the memory of their activations.
const maxLanes = 4

func feed(ctx context.Context, n int, next chan<- int, stop <-chan struct{}) error {
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case next <- i:
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
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
