package cputime

import (
	"runtime"
	"testing"
	"time"
)

// TestStandsStillWhileNothingIsDone sleeps, then works.
func TestStandsStillWhileNothingIsDone(t *testing.T) {
	start := Now()
	time.Sleep(200 * time.Millisecond)
	if took := Now() - start; took > 100*time.Millisecond && runtime.GOOS != "windows" {
		t.Errorf("%v of processor time while asleep", took)
	}
	start = Now()
	x := uint64(1)
	for began := time.Now(); Now()-start < 20*time.Millisecond; x = x*x + 1 {
		if time.Since(began) > time.Minute {
			t.Fatalf("a minute of work counts as %v (%d)", Now()-start, x)
		}
	}
}
