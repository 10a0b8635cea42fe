package cpu

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestEveryTaskIsDoneOnce runs many jobs of few tasks on more threads than there are processors, with
// pauses in which helpers fall asleep: no task is left out, none is done twice, and no job ends before
// its tasks.
func TestEveryTaskIsDoneOnce(t *testing.T) {
	const threads = 5
	c := newCrew(threads, make([]scratch, threads))
	defer c.dismiss()
	for job := range 300 {
		n := job % 17
		done := make([]atomic.Int32, n)
		c.each(n, func(s *scratch, i int) {
			if job%50 == 7 && i%3 == 0 {
				time.Sleep(time.Millisecond) // who is done first falls asleep
			}
			room(&s.tile, 8)[0]++ // a thread's own memory, which the race detector watches
			done[i].Add(1)
		})
		for i := range done {
			if k := done[i].Load(); k != 1 {
				t.Fatalf("job %d: task %d was done %d times", job, i, k)
			}
		}
		if job%60 == 0 {
			time.Sleep(2 * time.Millisecond) // helpers fall asleep
		}
	}
}
