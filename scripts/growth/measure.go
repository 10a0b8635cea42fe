package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"time"
)

// A quantity is one kind of work whose size is varied.
type quantity struct {
	varied, work string
	sizes        []int // increasing
	time, memory expectation

	// open prepares the work of one size, from nothing: what an earlier size left is not its memory.
	open func(ctx context.Context, size int) (*job, error)
}

func (q quantity) String() string { return q.varied + ", " + q.work }

// A job is the work of one size.
type job struct {
	run   func(ctx context.Context) error // the same each time
	close func()                          // may be nil
}

// A row is what was measured of a quantity: for each size.
type row struct {
	quantity
	seconds []float64
	bytes   []float64
}

// Each measurement takes so long, or one run if that takes longer: short runs are repeated.
const (
	timed   = 100 * time.Millisecond
	sampled = 200 * time.Millisecond
)

// measure runs a quantity's work: the first round also measures its memory.
func measure(ctx context.Context, q quantity, rounds int) (row, error) {
	r := row{quantity: q, seconds: make([]float64, len(q.sizes)), bytes: make([]float64, len(q.sizes))}
	for round := range rounds {
		for i, size := range q.sizes {
			if err := r.once(ctx, round, i); err != nil {
				return r, fmt.Errorf("size %d: %w", size, err)
			}
		}
	}
	return r, nil
}

// once measures size i.
func (r *row) once(ctx context.Context, round, i int) error {
	j, err := r.open(ctx, r.sizes[i])
	if err != nil {
		return err
	}
	if j.close != nil {
		defer j.close()
	}
	if round == 0 {
		r.seconds[i] = math.Inf(1)
		if r.bytes[i], err = peak(ctx, j.run); err != nil {
			return err
		}
	}
	runtime.GC() // what was left lying is not collected on this work's time
	for begun := time.Now(); ; {
		at := time.Now()
		if err := j.run(ctx); err != nil {
			return err
		}
		r.seconds[i] = min(r.seconds[i], time.Since(at).Seconds())
		if time.Since(begun) > timed {
			return ctx.Err()
		}
	}
}

// peak is by how many bytes that are alive the heap grows at most while run runs. Runs that are short are
// repeated, so that the collector meets them at other places.
func peak(ctx context.Context, run func(ctx context.Context) error) (float64, error) {
	before := alive()
	top := before
	for begun := time.Now(); time.Since(begun) < sampled; {
		end, most := make(chan struct{}), make(chan uint64)
		go watch(end, most)
		err := run(ctx)
		close(end)
		top = max(top, <-most) // what one run leaves is gone before the next
		if err != nil {
			return 0, err
		}
	}
	return float64(top - before), nil
}

// watch counts what is alive until the end, and then says how much it was at most. What is allocated while
// the collector marks counts as alive: for a run shorter than that, the count is of all that it allocates.
func watch(end <-chan struct{}, most chan<- uint64) {
	top := uint64(0)
	for {
		select {
		case <-end:
			most <- max(top, alive())
			return
		default:
			at := time.Now()
			top = max(top, alive())
			time.Sleep(time.Since(at)) // the work goes on in the other half of the time
		}
	}
}

// alive collects garbage and gives the bytes that were marked.
func alive() uint64 {
	runtime.GC()
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
