package main

import (
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// A played stage is what a run was expected to take and takes, in seconds a unit.
type played struct {
	stage, pace    string
	units          int
	expected, took float64
	found          int // of these units that the store has
}

// TestTimeLeftIsNearTheTruth plays runs second by second. From a tenth of the run on, what is said of the
// time that is left is within a factor of two of the truth, and it never rises by more than a share of the
// whole: once above all what can be known in advance is wrong, one pace against the other.
func TestTimeLeftIsNearTheTruth(t *testing.T) {
	real := []played{ // SmolLM2 to Gemma 3, as it was measured on two cores
		{"capture.source", "reading", 10, 5.2, 5.2, 0}, {"capture.target", "reading", 10, 3.4, 3.4, 0},
		{"gram", "algebra", 10, .6, .6, 0}, {"fit", "algebra", 1, 8, 8, 0}, {"personas", "reading", 4, 1.9, 1.9, 0},
		{"anchors", "writing", 1, 22, 22, 0}, {"generate", "writing", 57, 5.5, 5.5, 0}, {"score", "scoring", 58, 5.4, 5.4, 0}, {"evaluate", "counting", 1, .6, .6, 0}}
	scaled := func(factor map[string]float64) []played {
		var out []played
		for _, s := range real {
			if f, ok := factor[s.pace]; ok {
				s.took *= f
			}
			out = append(out, s)
		}
		return out
	}
	found := func() []played { // most of the generation is there, the run goes on with the rest of it
		return []played{{"generate", "writing", 58, 5.5, 5.5, 50}, {"score", "scoring", 8, 5.4, 5.4, 0}}
	}
	for name, c := range map[string]struct {
		stages []played
		rise   float64
	}{
		"as expected":         {real, .02},
		"a machine half busy": {scaled(map[string]float64{"reading": 2, "algebra": 2, "writing": 2, "scoring": 2, "counting": 2}), .3},
		"a faster machine":    {scaled(map[string]float64{"reading": .5, "algebra": .5, "writing": .5, "scoring": .5, "counting": .5}), .02},
		"writing is slow":     {scaled(map[string]float64{"writing": 1.7}), .25},
		"reading is slow":     {scaled(map[string]float64{"reading": 2}), .3},
		"reading is fast":     {scaled(map[string]float64{"reading": .5}), .5},
		"scoring is fast":     {scaled(map[string]float64{"scoring": .5}), .02},
		"most is found":       {found(), .02},
		"one unit":            {[]played{{"anchors", "writing", 1, 100, 130, 0}}, .25},
	} {
		t.Run(name, func(t *testing.T) { play(t, c.stages, c.rise) })
	}
}

func play(t *testing.T, stages []played, rise float64) {
	costs, whole := pipelines.Costs{}, 0.
	for _, s := range stages {
		for range s.units {
			costs[s.stage] = append(costs[s.stage], pipelines.Cost{Pace: s.pace, Seconds: s.expected})
		}
		whole += s.took * float64(s.units-s.found)
	}
	start := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	at := func(x float64) time.Time { return start.Add(seconds(x)) }
	r := newRemaining(costs, at(0))
	now, lowest, share := 0., whole*10, 0.
	look := func() {
		said, truth := r.left(at(now)).Seconds(), whole-now
		if now >= whole/10 && truth > 1 && (said > 2*truth || said < truth/2) {
			t.Errorf("after %.0f of %.0f seconds: %.0f left, want %.0f", now, whole, said, truth)
		}
		if said > lowest+rise*whole {
			t.Errorf("after %.0f of %.0f seconds: %.0f left, where it was %.0f before", now, whole, said, lowest)
		}
		lowest = min(lowest, said)
		if s := r.share(); s < share || s > 1 {
			t.Errorf("after %.0f seconds: %.2f done, where it was %.2f before", now, s, share)
		} else {
			share = s
		}
	}
	for _, s := range stages {
		for unit := range s.units {
			if unit < s.found {
				r.event(pipelines.Event{ID: s.stage, Unit: unit, Hit: true}, at(now))
				continue
			}
			end := now + s.took
			r.event(pipelines.Event{ID: s.stage, Unit: unit, Begins: true}, at(now))
			look()
			for part := .1; part < .95; part += .1 {
				for ; now+1 < end-s.took*(1-part); now++ {
					look()
				}
				r.event(pipelines.Event{ID: s.stage, Unit: unit, Part: part}, at(end-s.took*(1-part)))
			}
			for ; now+1 < end; now++ {
				look()
			}
			now = end
			r.event(pipelines.Event{ID: s.stage, Unit: unit}, at(now))
			look()
		}
	}
	if r.share() < .999 {
		t.Errorf("at the end %.3f is done", r.share())
	}
}
