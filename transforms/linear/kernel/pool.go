package kernel

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

// Each does task 0 to n−1 on all processors, in any order. Little work, in operations, is done by the caller
// alone.
func Each(n int, work float64, do func(task int)) {
	threads := min(runtime.GOMAXPROCS(0), n)
	if work < lightWork {
		threads = 1
	}
	if threads <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	run := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	for range threads - 1 {
		group.Go(run)
	}
	run()
	group.Wait()
}

// lightWork is the multiply-adds for which another thread is not worth waking: some ten microseconds.
const lightWork = 1 << 18

// rooms are buffers that were used before, of 2ⁱ numbers each.
var rooms [64]sync.Pool

// room gives a buffer of n numbers, of any values; release gives it back.
func room(n int) *[]float64 {
	class := bits.Len(uint(max(n, 1) - 1))
	if b, ok := rooms[class].Get().(*[]float64); ok {
		*b = (*b)[:n]
		return b
	}
	b := make([]float64, n, 1<<class)
	return &b
}

func release(b *[]float64) { rooms[bits.Len(uint(cap(*b)-1))].Put(b) }
