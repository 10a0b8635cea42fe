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

const f32 = dtypes.Float32

// Device names what decides the bits of a training: "cpu/float32/avx512".
func Device() string { return "cpu/float32/" + isa() }

// device is the opened backend.
type device struct {
	backend compute.Backend
	busy    chan struct{} // full while a call runs
}

var openDevice = sync.OnceValues(func() (*device, error) {
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
		return nil, fmt.Errorf("open the backend: %w", err)
	}
	return &device{backend: backend, busy: make(chan struct{}, 1)}, nil
})

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
