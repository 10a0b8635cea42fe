package vigil

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestNobodySleepsThroughAChange passes a number between two threads, now and then after so long a pause that
// the other has fallen asleep.
func TestNobodySleepsThroughAChange(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	const turns = 2000
	v, turn := New(), atomic.Int64{}
	done := make(chan struct{}, 2)
	pass := func(mine int64) {
		for i := mine; i < turns; i += 2 {
			v.Until(func() bool { return turn.Load() == i })
			if i%100 < 2 {
				time.Sleep(time.Millisecond)
			}
			turn.Add(1)
			v.Changed()
		}
	}
	for mine := range int64(2) {
		go func() { pass(mine); done <- struct{}{} }()
	}
	for range 2 {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("after %d of %d turns somebody sleeps", turn.Load(), turns)
		}
	}
}
