package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/transforms"
)

// pollEvery is how often the store is asked what the workers of a remote run did.
const pollEvery = time.Second

// stopsWithin is how long units that are under way may take to end when a run is stopped. Workers look for the mark
// that stops them every two seconds. cancelAfter is how long a job may take to run empty by itself before it is
// cancelled.
const (
	stopsWithin = 10 * time.Second
	cancelAfter = 4 * time.Second
)

// A followed is a run whose units other processes compute: it reads in the store what they do, and stops them.
type followed struct {
	o       Options
	job     string // its name, as Flink has it
	reports *transforms.Reports
	event   func(Event)
	stall   *stall
	done    chan error // gets what the runner says at the end

	failures []transforms.Failed
}

// jobName is a run's name in the letters that Beam leaves as they are.
func jobName(run string) string {
	return "runpipeline" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(run))
}

// follow runs a pipeline on a remote runner and tells events as they come. Its error has the type of what failed on a
// worker. Whether the run succeeded its manifests say, not the error: a failure may have been tried again.
func follow(ctx context.Context, o Options, store cache.Store, run string, p *beam.Pipeline, event func(Event)) error {
	f := &followed{o: o, job: jobName(run), reports: transforms.ReportsOf(store, run), event: event, done: make(chan error, 1),
		stall: newStall(o.Stall, pollEvery, time.Now)}
	// The runner's client is ended only when the job has been: its end would leave the job alone.
	client, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	go func() {
		_, err := beam.Run(client, o.Runner, p)
		f.done <- err
	}()
	return f.wait(ctx, leave)
}

// wait follows the run to its end.
func (f *followed) wait(ctx context.Context, leave context.CancelFunc) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-f.done:
			f.poll(ctx)
			f.clear(ctx, true)
			return f.cause(ctx, err)
		case <-ctx.Done():
			f.stop(ctx, "the run was interrupted", leave)
			return context.Cause(ctx)
		case <-tick.C:
			if f.stall.check(f.poll(ctx)) {
				f.stop(ctx, "nothing happened", leave)
				return fmt.Errorf("%s runner: no worker has begun, ended or said anything for %s, so the run was stopped (-stall): are there workers, and do they reach the store?", f.o.Runner, f.o.Stall)
			}
		}
	}
}

// poll tells what the workers did since the last time, and says whether that was anything. A store that cannot be
// read now is asked again: workers would find it so too.
func (f *followed) poll(ctx context.Context) (any bool) {
	ctx = context.WithoutCancel(ctx)
	events, _ := f.reports.Events(ctx)
	for _, e := range events {
		f.event(e)
	}
	failures, _ := f.reports.Failures(ctx)
	f.failures = append(f.failures, failures...)
	return len(events)+len(failures) > 0
}

// cause is the error of a run that has ended: what failed on a worker, else what the runner says.
func (f *followed) cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i := range f.failures { // the last one, since the others may have been tried again; a final one before all
		failure := f.failures[len(f.failures)-1-i]
		if i == 0 || failure.Final() {
			err = failure.Err()
		}
		if failure.Final() {
			break
		}
	}
	if err == nil {
		return nil
	}
	if len(f.failures) == 0 {
		return fmt.Errorf("%s runner: %w", f.o.Runner, err)
	}
	return err
}

// stop tells the workers to begin nothing more, waits until what is under way has ended, and cancels the job.
func (f *followed) stop(ctx context.Context, why string, leave context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if err := f.reports.Stop(ctx, why); err != nil {
		f.tell("the workers could not be told to stop: %v", err)
	}
	ended, patience := false, stopsWithin
	if f.o.FlinkREST != "" {
		ended = f.ends(ctx, cancelAfter)
		patience -= cancelAfter
		if !ended {
			if done, err := (flink{f.o.FlinkREST}).cancel(ctx, f.job); err != nil {
				f.tell("cancel job %s at %s: %v", f.job, f.o.FlinkREST, err)
			} else {
				f.tell("%s", done)
			}
		}
	}
	if ended = ended || f.ends(ctx, patience); !ended {
		f.tell("job %s has not ended yet; its workers were told to begin nothing more", f.job)
	}
	leave()
	f.poll(ctx)
	f.clear(ctx, ended)
}

// ends waits until the runner says that the job has ended.
func (f *followed) ends(ctx context.Context, within time.Duration) bool {
	patience := time.NewTimer(within)
	defer patience.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-f.done:
			return true
		case <-patience.C:
			return false
		case <-tick.C:
			f.poll(ctx)
		}
	}
}

func (f *followed) clear(ctx context.Context, ended bool) {
	if err := f.reports.Clear(context.WithoutCancel(ctx), ended); err != nil {
		f.tell("notes of the run are left in the store: %v", err)
	}
}

func (f *followed) tell(format string, args ...any) {
	if f.o.Tell != nil {
		f.o.Tell(fmt.Sprintf(format, args...))
	}
}

// typed gives errors of workers the types that callers of this package know.
func typed(err error) error {
	for _, missing := range []error{ErrNoDevice, checkpoint.ErrNotFound} {
		if errors.Is(err, missing) {
			return fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	return err
}
