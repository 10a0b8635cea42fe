package main

import (
	"math"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// A remaining estimates how long a run still takes. What every unit takes is expected beforehand, from its
// work and the machine's speed; the run itself shows by which factor units of each pace are slower.
//
//	factor(pace)  = (prior·√all + took) / (prior + expected), over what the run has done of that pace
//	all           = (prior + took) / (prior + expected), over all that it has done
//	time left     = Σ factor(pace)·expected, over what it has not done
//
// The priors are shares of what is expected: the first units do not decide alone. Of a pace that was not
// seen yet it is not known whether the machine is slower, or the other paces were wrongly estimated: it is
// put halfway.
type remaining struct {
	units map[unitName]*unitWork
	total float64 // expected seconds of all units
	rest  float64 // the same of what is not done
	paces map[string]*paced
	last  time.Time // of the last event: what lies between two of them belongs to the second

	shown time.Time // when the run ends, as it was last said
	at    time.Time // when that was
}

type unitName struct {
	stage string // its ID
	unit  int
}

// unitWork is what a unit is expected to take, and how much of it is done.
type unitWork struct {
	pace     string
	expected float64
	done     float64 // share
}

// paced is what the run knows of a pace, in seconds.
type paced struct{ expected, left, done, took float64 }

const (
	// priorShare is how much of what is expected counts as if it had been seen.
	priorShare = .03
	// settle is the time in which what is said moves to what is estimated, as a share of what is left.
	settle = 1. / 20
)

func newRemaining(costs pipelines.Costs, now time.Time) *remaining {
	r := &remaining{units: map[unitName]*unitWork{}, paces: map[string]*paced{}, last: now, at: now}
	for stage, units := range costs {
		for i, c := range units {
			r.units[unitName{stage, i}] = &unitWork{pace: c.Pace, expected: c.Seconds}
			p := r.paces[c.Pace]
			if p == nil {
				p = &paced{}
				r.paces[c.Pace] = p
			}
			p.expected, p.left, r.total = p.expected+c.Seconds, p.left+c.Seconds, r.total+c.Seconds
		}
	}
	r.rest = r.total
	return r
}

// event takes note of how much of a unit is done.
func (r *remaining) event(ev pipelines.Event, now time.Time) {
	u := r.units[unitName{ev.ID, ev.Unit}]
	if u == nil || ev.Note != "" || ev.Begins {
		return
	}
	share := 1.
	if ev.Part > 0 {
		share = ev.Part
	}
	more := max(0, share-u.done) * u.expected
	u.done = max(u.done, share)
	p := r.paces[u.pace]
	p.left, r.rest = p.left-more, r.rest-more
	if !ev.Hit {
		p.done += more
		p.took += now.Sub(r.last).Seconds()
	}
	r.last = now
}

// share is how much of the run is done, by what it was expected to take.
func (r *remaining) share() float64 {
	if r.total <= 0 {
		return 0
	}
	return min(max(1-r.rest/r.total, 0), 1)
}

// estimate is the time that is left, from what was seen alone.
func (r *remaining) estimate() float64 {
	prior, done, took := priorShare*r.total, 0., 0.
	for _, p := range r.paces {
		done, took = done+p.done, took+p.took
	}
	all, left := 1., 0.
	if prior > 0 {
		all = (prior + took) / (prior + done)
	}
	for _, p := range r.paces {
		factor := math.Sqrt(all)
		if prior := priorShare * p.expected; prior+p.done > 0 {
			factor = (prior*factor + p.took) / (prior + p.done)
		}
		left += factor * max(p.left, 0)
	}
	return left
}

// left is what to say about the time that is left: it follows the estimate slowly, so that it counts down.
func (r *remaining) left(now time.Time) time.Duration {
	estimate := r.estimate()
	end := r.last.Add(seconds(estimate)) // the time since the last event is not lost
	if end.Before(now) {
		end = now
	}
	if r.shown.IsZero() {
		r.shown = end
	}
	pace := max(settle*estimate, 1)
	r.shown = r.shown.Add(time.Duration((1 - math.Exp(-now.Sub(r.at).Seconds()/pace)) * float64(end.Sub(r.shown))))
	r.at = now
	return max(0, r.shown.Sub(now))
}

func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }
