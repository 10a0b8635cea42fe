package eigen

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestEveryTaskIsDoneOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, threads := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(threads)
		c := newCrew(2 * lonely)
		for job := range 300 {
			counts := make([]atomic.Int64, job%40)
			c.each(len(counts), func(i int) { counts[i].Add(1) })
			for i := range counts {
				if n := counts[i].Load(); n != 1 {
					t.Fatalf("%d threads, job %d: task %d is done %d times", threads, job, i, n)
				}
			}
			if job%100 == 0 {
				time.Sleep(time.Millisecond) // helpers fall asleep
			}
		}
		c.dismiss()
	}
}

func TestBlocksCoverEverything(t *testing.T) {
	for n := range 40 {
		var c *crew
		next := 0
		c.blocks(n, 7, func(from, to int) {
			if from != next || to <= from || to > from+7 {
				t.Errorf("%d in blocks of 7: %d to %d after %d", n, from, to, next)
			}
			next = to
		})
		if next != n {
			t.Errorf("%d in blocks of 7 end at %d", n, next)
		}
	}
}

func TestHelpersGoHome(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		c := newCrew(2 * lonely)
		c.each(3, func(int) {})
		c.dismiss()
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines are left of %d", runtime.NumGoroutine(), before)
}
