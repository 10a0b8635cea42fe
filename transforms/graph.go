package transforms

import "slices"

// A graph is the stages of a run, and which of them there is no use for any more.
type graph struct {
	stages []Stage        // in the order of the data
	at     map[string]int // of each, by ID
	read   map[string]bool
	lost   map[string]bool // given up, or waiting for what is
	idle   map[string]bool // lost, or needed by nothing but lost ones
}

func newGraph(stages []Stage) *graph {
	g := &graph{stages: stages, at: map[string]int{}, read: map[string]bool{}, lost: map[string]bool{}, idle: map[string]bool{}}
	for i, s := range stages {
		g.at[s.ID] = i
		for _, id := range s.Before() {
			g.read[id] = true
		}
	}
	return g
}

// stage is the one of that ID.
func (g *graph) stage(id string) (Stage, bool) {
	i, ok := g.at[id]
	if !ok {
		return Stage{}, false
	}
	return g.stages[i], true
}

// giveUp notes a stage that cannot be finished. Lost with it is what reads it, and what comes after it and nothing
// else; idle is then whatever leads to lost stages only.
func (g *graph) giveUp(id string) {
	g.lost[id] = true
	for _, s := range g.stages {
		lost := func(id string) bool { return g.lost[id] }
		open := func(id string) bool { return !g.lost[id] }
		if slices.ContainsFunc(s.Reads, lost) || len(s.Gates) > 0 && !slices.ContainsFunc(s.Gates, open) {
			g.lost[s.ID] = true
		}
	}
	wanted := map[string]bool{}
	for _, s := range slices.Backward(g.stages) {
		if g.lost[s.ID] || g.read[s.ID] && !wanted[s.ID] {
			g.idle[s.ID] = true
			continue
		}
		for _, id := range s.Before() {
			wanted[id] = true
		}
	}
}
