package eigen

import (
	"runtime"
	"sync/atomic"

	"github.com/persona-transfer/runpipeline/vigil"
)

// A crew is the threads of one decomposition. A reduction has a short job for every column, microseconds in
// small matrices.
//
// The caller takes tasks from the first on, its helpers from the last: with few threads each finds its part
// of the matrix in its own cache, column after column, and who is held up leaves tasks to the others.
type crew struct {
	tasks atomic.Uint64 // number of the job; in 16 bits each the first task that nobody has taken, and where they end
	left  atomic.Int64  // tasks of the job that are not done
	over  atomic.Bool   // helpers go home
	do    func(task int)

	helpers int
	vigil   *vigil.Vigil // for changes of tasks, left or over
}

// lonely is the order of matrices that one thread decomposes before another has woken up.
const lonely = 64

// newCrew starts a helper for every processor but the caller's, for a matrix that is worth it; dismiss ends
// them.
func newCrew(n int) *crew {
	c := &crew{vigil: vigil.New()}
	if n > lonely {
		c.helpers = runtime.GOMAXPROCS(0) - 1
	}
	for range c.helpers {
		go c.help()
	}
	return c
}

func (c *crew) dismiss() {
	c.over.Store(true)
	c.vigil.Changed()
}

// each does task 0 to n−1, in any order. A crew that is nil does them one after the other.
func (c *crew) each(n int, do func(task int)) {
	if c == nil || c.helpers == 0 || n <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	if n > 0xffff {
		panic("eigen: too many tasks")
	}
	c.do = do
	c.left.Store(int64(n))
	c.tasks.Store((c.tasks.Load()>>32+1)<<32 | uint64(n))
	c.vigil.Changed()
	c.work(true)
	c.vigil.Until(func() bool { return c.left.Load() == 0 })
}

// blocks does do(from, to) for parts of 0 to n−1, each of at most size.
func (c *crew) blocks(n, size int, do func(from, to int)) {
	c.each((n+size-1)/size, func(task int) { do(task*size, min(n, (task+1)*size)) })
}

func (c *crew) help() {
	for {
		c.vigil.Until(func() bool { from, to := c.free(); return from < to || c.over.Load() })
		if c.over.Load() {
			return
		}
		c.work(false)
	}
}

func (c *crew) free() (from, to uint64) {
	tasks := c.tasks.Load()
	return tasks >> 16 & 0xffff, tasks & 0xffff
}

// work does tasks of the job until all are taken. Who has taken one keeps the job from ending: only then may
// it look at what the job is.
func (c *crew) work(first bool) {
	for {
		tasks := c.tasks.Load()
		from, to := tasks>>16&0xffff, tasks&0xffff
		if from >= to {
			return
		}
		task, next := from, tasks+1<<16
		if !first {
			task, next = to-1, tasks-1
		}
		if !c.tasks.CompareAndSwap(tasks, next) {
			continue
		}
		c.do(int(task))
		if c.left.Add(-1) == 0 {
			c.vigil.Changed()
		}
	}
}
