// Package vigil is how threads that share short jobs wait for each other: awake for some fifty microseconds, since
// waking up costs more than such a job takes, and then asleep, since whom they wait for may need the processor.
package vigil

import (
	"sync"
	"sync/atomic"
)

// A Vigil is where threads wait for a change of what they share, which is theirs to read and write atomically.
type Vigil struct {
	asleep atomic.Int64 // who waits for change
	mu     sync.Mutex
	change *sync.Cond
}

// New is where nobody waits yet.
func New() *Vigil {
	v := new(Vigil)
	v.change = sync.NewCond(&v.mu)
	return v
}

// patience is how often a condition is looked at before its thread sleeps: some fifty microseconds.
const patience = 1 << 11

// Until waits for a condition that [Vigil.Changed] announces.
func (v *Vigil) Until(met func() bool) {
	for range patience {
		if met() {
			return
		}
		pause()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asleep.Add(1)
	for !met() {
		v.change.Wait()
	}
	v.asleep.Add(-1)
}

// Changed wakes who sleeps. Who falls asleep has counted itself before it looks a last time, and holds the lock
// until it sleeps.
func (v *Vigil) Changed() {
	if v.asleep.Load() > 0 {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.change.Broadcast()
	}
}
