// Package pool serves Beam's pools of external workers: a runner asks the pool for a worker whenever it
// needs one, and the pool starts it and gives it the runner's addresses.
//
// Beam's own pools know a worker by its id and refuse a second one of the same id. Every TaskManager of
// Flink numbers its workers from "1-1", so two TaskManagers could not share such a pool. Here ids are
// nobody's key: a worker belongs to the addresses that it was given, and ends when these are gone.
//
// A pool asks nobody who he is: whoever reaches it can have this program's workers connect to an address
// of his choice and compute what that sends. It belongs on loopback or on a private network.
package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/container/tools"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/harness"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
	"google.golang.org/grpc"
)

// A Starter starts the worker that a runner asks for and returns once it is under way. ctx ends with the
// pool, not with the question.
type Starter func(ctx context.Context, p *Pool, r *fnpb.StartWorkerRequest) error

// A Pool starts workers for runners.
type Pool struct {
	fnpb.UnimplementedBeamFnExternalWorkerPoolServer
	start    Starter
	told     func(line string)
	listener net.Listener
	server   *grpc.Server
	ctx      context.Context
	cancel   context.CancelFunc
	workers  sync.WaitGroup
}

// Listen opens a pool at an address, host:port. told is called with a line whenever something goes wrong, by any
// goroutine.
func Listen(address string, start Starter, told func(line string)) (*Pool, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &Pool{start: start, told: told, listener: l, server: grpc.NewServer()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	fnpb.RegisterBeamFnExternalWorkerPoolServer(p.server, p)
	return p, nil
}

// Addr is where the pool listens.
func (p *Pool) Addr() net.Addr { return p.listener.Addr() }

// Serve answers runners until ctx ends, then takes their workers from them and waits for these, but no
// longer than patience.
func (p *Pool) Serve(ctx context.Context, patience time.Duration) error {
	stop := context.AfterFunc(ctx, func() {
		p.cancel()
		p.server.Stop()
	})
	defer stop()
	err := p.server.Serve(p.listener)
	if ctx.Err() == nil {
		p.cancel()
		return err
	}
	ended := make(chan struct{})
	go func() {
		p.workers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
	}
	return nil
}

// StartWorker starts a worker; what keeps it from starting is in the answer, as Beam wants it.
func (p *Pool) StartWorker(_ context.Context, r *fnpb.StartWorkerRequest) (*fnpb.StartWorkerResponse, error) {
	if err := p.start(p.ctx, p, r); err != nil {
		return &fnpb.StartWorkerResponse{Error: err.Error()}, nil
	}
	return &fnpb.StartWorkerResponse{}, nil
}

// StopWorker does nothing: a runner says only the worker's id, which several have. A worker ends when its
// runner closes the connection, which it does when it asks this.
func (p *Pool) StopWorker(context.Context, *fnpb.StopWorkerRequest) (*fnpb.StopWorkerResponse, error) {
	return &fnpb.StopWorkerResponse{}, nil
}

// Goroutines starts workers in this process.
func Goroutines(ctx context.Context, p *Pool, r *fnpb.StartWorkerRequest) error {
	if r.GetControlEndpoint().GetUrl() == "" {
		return errors.New("no control endpoint")
	}
	p.workers.Go(func() {
		if err := work(ctx, r); err != nil && ctx.Err() == nil {
			p.told(fmt.Sprintf("worker %s of %s has ended: %v", r.GetWorkerId(), r.GetControlEndpoint().GetUrl(), err))
		}
	})
	return nil
}

// work is one worker's life.
func work(ctx context.Context, r *fnpb.StartWorkerRequest) (err error) {
	defer func() { // Beam gives up on some broken connections by a panic, which must not end the others' workers
		if bug := recover(); bug != nil {
			err = fmt.Errorf("%v", bug)
		}
	}()
	ctx = grpcx.WriteWorkerID(ctx, r.GetWorkerId())
	var o harness.Options
	if at := r.GetProvisionEndpoint().GetUrl(); at != "" {
		info, err := tools.ProvisionInfo(ctx, at)
		if err != nil {
			return fmt.Errorf("ask %s what the runner can do: %w", at, err)
		}
		o.StatusEndpoint, o.RunnerCapabilities = info.GetStatusEndpoint().GetUrl(), info.GetRunnerCapabilities()
	}
	return harness.MainWithOptions(ctx, r.GetLoggingEndpoint().GetUrl(), r.GetControlEndpoint().GetUrl(), o)
}
