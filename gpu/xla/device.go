package xla

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend" // the backend "go"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

const (
	f32  = dtypes.Float32
	bf16 = dtypes.BFloat16
	i32  = dtypes.Int32
	u32  = dtypes.Uint32
)

// TrainedOn names what decides the bits of a training: "cpu/float32/avx512".
func TrainedOn() string { return "cpu/float32/" + isa() }

// A Device runs programs: a card or a processor behind a plugin, or the backend in Go. One program runs
// at a time.
type Device struct {
	backend compute.Backend
	plugin  Plugin        // the zero value: the backend in Go
	busy    chan struct{} // full while a call runs
}

var opened struct {
	sync.Mutex
	devices map[Plugin]*Device
}

// Open opens the device behind a plugin, once in a process: a second client of a card would take its own
// share of the memory.
func Open(p Plugin) (*Device, error) {
	return openOnce(p, func() (compute.Backend, error) { return openPlugin(p) })
}

// OpenGo opens the backend in Go, for training and for tests.
func OpenGo() (*Device, error) {
	return openOnce(Plugin{}, func() (compute.Backend, error) {
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
		return compute.NewWithConfig("go:parallelism=-1")
	})
}

func openOnce(p Plugin, open func() (compute.Backend, error)) (*Device, error) {
	opened.Lock()
	defer opened.Unlock()
	if d := opened.devices[p]; d != nil {
		return d, nil
	}
	d := &Device{plugin: p, busy: make(chan struct{}, 1)}
	err := guard("open the device", func() (err error) {
		d.backend, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	if opened.devices == nil {
		opened.devices = map[Plugin]*Device{}
	}
	opened.devices[p] = d
	return d, nil
}

// take waits for the device; the caller must call the function it returns.
func (v *Device) take(ctx context.Context) (free func(), err error) {
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
func (v *Device) newProgram(name string, build func([]*graph.Node) []*graph.Node) (*program, error) {
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
