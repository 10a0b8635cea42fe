package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A crew is the threads of one forward pass. A pass has some hundred short jobs with little between
// them: helpers wait for the next one awake, since waking them would cost more than a job of a small
// model takes.
type crew struct {
	threads int
	kernels *kernels
	scratch []scratch // one for each thread

	begun atomic.Int64 // jobs
	busy  atomic.Int64 // helpers that have not finished the job
	next  atomic.Int64 // task of the job
	tasks int64
	do    func(s *scratch, task int) // nil: helpers go home
	gone  sync.WaitGroup
}

// newCrew starts the helpers; dismiss ends them.
func newCrew(threads int, k *kernels, rooms []scratch) *crew {
	c := &crew{threads: threads, kernels: k, scratch: rooms}
	for i := 1; i < threads; i++ {
		c.gone.Go(func() { c.help(&c.scratch[i]) })
	}
	return c
}

// each does task 0 to n−1, in any order, on all threads.
func (c *crew) each(n int, do func(s *scratch, task int)) {
	if c.threads == 1 || n <= 1 {
		for i := range n {
			do(&c.scratch[0], i)
		}
		return
	}
	c.do, c.tasks = do, int64(n)
	c.next.Store(0)
	c.busy.Store(int64(c.threads - 1))
	c.begun.Add(1)
	c.work(&c.scratch[0])
	for i := 1; c.busy.Load() > 0; i++ {
		pause(i)
	}
}

func (c *crew) dismiss() {
	c.do = nil
	c.begun.Add(1)
	c.gone.Wait()
}

func (c *crew) help(s *scratch) {
	for job := int64(1); ; job++ {
		for i := 1; c.begun.Load() < job; i++ {
			pause(i)
		}
		if c.do == nil {
			return
		}
		c.work(s)
		c.busy.Add(-1)
	}
}

func (c *crew) work(s *scratch) {
	for i := c.next.Add(1) - 1; i < c.tasks; i = c.next.Add(1) - 1 {
		c.do(s, int(i))
	}
}

// pause lets other goroutines run now and then; i counts the calls of one wait.
func pause(i int) {
	if i%64 == 0 {
		runtime.Gosched()
	}
}

// scratch is a thread's own memory. Its slices keep what they had and grow when more is asked for.
type scratch struct {
	wide, tile, scores, query []float32
}

// room returns n values of a slice that it may replace by a longer one.
func room(x *[]float32, n int) []float32 {
	if cap(*x) < n {
		*x = make([]float32, n+n/4)
	}
	return (*x)[:n]
}
