package cpu

import (
	"sync/atomic"

	"github.com/persona-transfer/runpipeline/vigil"
)

// A crew is the threads of one forward pass. A pass has some hundred short jobs with little between them. Nobody
// waits for a helper that has nothing to do: on a busy machine it may be long until that one runs.
type crew struct {
	threads int
	scratch []scratch // one for each thread

	state atomic.Uint64 // number of the job, and in the lower half how many of its tasks nobody has taken
	left  atomic.Int64  // tasks of the job that are not done
	over  atomic.Bool   // helpers go home
	tasks int
	do    func(s *scratch, task int)

	vigil *vigil.Vigil // for changes of state, left or over
}

// newCrew starts the helpers; dismiss ends them.
func newCrew(threads int, rooms []scratch) *crew {
	c := &crew{threads: threads, scratch: rooms, vigil: vigil.New()}
	for i := 1; i < threads; i++ {
		go c.help(&c.scratch[i])
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
	c.do, c.tasks = do, n
	c.left.Store(int64(n))
	c.state.Store((c.state.Load()>>32+1)<<32 | uint64(uint32(n)))
	c.vigil.Changed()
	c.work(&c.scratch[0])
	c.vigil.Until(func() bool { return c.left.Load() == 0 })
}

func (c *crew) dismiss() {
	c.over.Store(true)
	c.vigil.Changed()
}

func (c *crew) help(s *scratch) {
	for {
		c.vigil.Until(func() bool { return uint32(c.state.Load()) != 0 || c.over.Load() })
		if c.over.Load() {
			return
		}
		c.work(s)
	}
}

// work does tasks of the job until all are taken. Who has taken one keeps the job from ending: only then
// may it look at what the job is.
func (c *crew) work(s *scratch) {
	for {
		state := c.state.Load()
		free := int(uint32(state))
		if free == 0 {
			return
		}
		if !c.state.CompareAndSwap(state, state-1) {
			continue
		}
		c.do(s, c.tasks-free)
		if c.left.Add(-1) == 0 {
			c.vigil.Changed()
		}
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
