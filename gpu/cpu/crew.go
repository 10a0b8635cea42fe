package cpu

import (
	"sync"
	"sync/atomic"
)

// A crew is the threads of one forward pass. A pass has some hundred short jobs with little between
// them: who waits stays awake for a while, since waking up costs more than a job of a small model takes,
// and then sleeps, since whom it waits for may need the processor.
type crew struct {
	threads int
	scratch []scratch // one for each thread

	begun atomic.Int64 // jobs
	busy  atomic.Int64 // helpers that have not finished the job
	next  atomic.Int64 // task of the job
	tasks int64
	do    func(s *scratch, task int) // nil: helpers go home
	gone  sync.WaitGroup

	asleep atomic.Int64 // who waits for changed
	mu     sync.Mutex
	change sync.Cond // of begun or busy
}

// newCrew starts the helpers; dismiss ends them.
func newCrew(threads int, rooms []scratch) *crew {
	c := &crew{threads: threads, scratch: rooms}
	c.change.L = &c.mu
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
	c.changed()
	c.work(&c.scratch[0])
	c.until(func() bool { return c.busy.Load() == 0 })
}

func (c *crew) dismiss() {
	c.do = nil
	c.begun.Add(1)
	c.changed()
	c.gone.Wait()
}

func (c *crew) help(s *scratch) {
	for job := int64(1); ; job++ {
		c.until(func() bool { return c.begun.Load() >= job })
		if c.do == nil {
			return
		}
		c.work(s)
		if c.busy.Add(-1) == 0 {
			c.changed()
		}
	}
}

func (c *crew) work(s *scratch) {
	for i := c.next.Add(1) - 1; i < c.tasks; i = c.next.Add(1) - 1 {
		c.do(s, int(i))
	}
}

// patience is how often a condition is looked at before its thread sleeps: some fifty microseconds.
const patience = 1 << 11

// until waits for a condition that changed announces.
func (c *crew) until(met func() bool) {
	for range patience {
		if met() {
			return
		}
		pause()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asleep.Add(1)
	for !met() {
		c.change.Wait()
	}
	c.asleep.Add(-1)
}

// changed wakes who sleeps. Who falls asleep has counted itself before it looks a last time, and holds
// the lock until it sleeps.
func (c *crew) changed() {
	if c.asleep.Load() > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.change.Broadcast()
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
