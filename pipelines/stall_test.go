package pipelines

import (
	"testing"
	"time"
)

// TestStallCountsWhatPassed: no progress for the limit is noticed at the limit, whatever a clock does meanwhile.
func TestStallCountsWhatPassed(t *testing.T) {
	const tick = time.Second
	for _, c := range []struct {
		name  string
		jumps map[int]time.Duration // at which tick the clock is set, by how much
		lives map[int]bool          // at which there is progress
		fires int                   // at which tick; 0: not within a hundred
	}{
		{"nothing happens", nil, nil, 10},
		{"forward by an hour", map[int]time.Duration{5: time.Hour}, nil, 9}, // that tick counts twice
		{"forward by an hour beside progress", map[int]time.Duration{5: time.Hour}, map[int]bool{5: true}, 15},
		{"back by an hour", map[int]time.Duration{5: -time.Hour}, nil, 11},
		{"progress now and then", nil, map[int]bool{9: true, 18: true, 27: true}, 37},
	} {
		clock := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
		s := newStall(10*time.Second, tick, func() time.Time { return clock })
		fired := 0
		for i := 1; i <= 100 && fired == 0; i++ {
			clock = clock.Add(tick + c.jumps[i])
			if s.check(c.lives[i]) {
				fired = i
			}
		}
		if fired != c.fires {
			t.Errorf("%s: it ends the run at tick %d, want %d", c.name, fired, c.fires)
		}
	}
	clock := time.Now()
	never := newStall(0, tick, func() time.Time { return clock })
	for range 1000 {
		clock = clock.Add(time.Hour)
		if never.check(false) {
			t.Fatal("without a limit it ends the run")
		}
	}
}
