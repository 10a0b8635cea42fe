package pipelines

import "time"

// A stall tells when nothing has happened for too long. It adds up the time between its ticks, each of which counts
// for no more than twice what it should be: a clock that is set forward by an hour, or a machine that slept, is no hour
// without progress, and one that is set back undoes none.
type stall struct {
	limit, tick time.Duration // limit 0: never
	now         func() time.Time
	last        time.Time
	quiet       time.Duration
}

func newStall(limit, tick time.Duration, now func() time.Time) *stall {
	return &stall{limit: limit, tick: tick, now: now, last: now()}
}

// check is called about once a tick and says whether there has been no progress for the limit.
func (s *stall) check(progress bool) bool {
	now := s.now()
	passed := min(max(0, now.Sub(s.last)), 2*s.tick)
	s.last = now
	if progress {
		s.quiet = 0
		return false
	}
	s.quiet += passed
	return s.limit > 0 && s.quiet >= s.limit
}
