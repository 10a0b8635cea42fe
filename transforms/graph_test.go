package transforms

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// experimentOf is a small experiment: what it reads, a gate, something that takes long, and a result. Those of one
// letter share what has the same letter.
func experimentOf(read, gate, long, last toy) []Stage {
	stage := func(name string, s toy, inputs ...string) Stage {
		s.Text += " " + name
		return NewStage(name, "test", s, 1, inputs...)
	}
	stages := []Stage{stage("read", read), stage("gate", gate), stage("long", long, "read"), stage("last", last, "long", "read")}
	stages[2].After = "gate"
	Link(stages)
	return stages
}

// TestLinkTellsStagesApart changes one thing of an experiment at a time: its stage and what reads it become others, and
// nothing else does. What a stage comes after is no part of it.
func TestLinkTellsStagesApart(t *testing.T) {
	plain := experimentOf(toy{}, toy{}, toy{}, toy{})
	for what, c := range map[string]struct {
		stages []Stage
		other  []string
	}{
		"the same":             {experimentOf(toy{}, toy{}, toy{}, toy{}), nil},
		"another text":         {experimentOf(toy{Text: "x"}, toy{}, toy{}, toy{}), []string{"read", "long", "last"}},
		"another gate":         {experimentOf(toy{}, toy{Text: "x"}, toy{}, toy{}), []string{"gate"}},
		"another result":       {experimentOf(toy{}, toy{}, toy{}, toy{Text: "x"}), []string{"last"}},
		"no part of the key":   {experimentOf(toy{}, toy{}, toy{Fail: []int{7}}, toy{}), []string{"long", "last"}},
		"inputs change places": {reordered(), []string{"last"}},
		"more units":           {widened(), []string{"long", "last"}},
	} {
		var other []string
		for i, s := range c.stages {
			if s.ID != plain[i].ID {
				other = append(other, s.Name)
			}
		}
		if !slices.Equal(other, c.other) {
			t.Errorf("%s: %v are other stages, want %v", what, other, c.other)
		}
	}
	long, gate := plain[2], plain[1]
	if want := []string{plain[0].ID, gate.ID}; !slices.Equal(long.Before(), want) {
		t.Errorf("long waits for %v, want %v", long.Before(), want)
	}
}

func reordered() []Stage {
	stages := experimentOf(toy{}, toy{}, toy{}, toy{})
	slices.Reverse(stages[3].Inputs)
	Link(stages)
	return stages
}

func widened() []Stage {
	stages := experimentOf(toy{}, toy{}, toy{}, toy{})
	stages[2].Units++
	Link(stages)
	return stages
}

// TestLinkRefusesWhatIsNotBefore is a mistake in the list of stages.
func TestLinkRefusesWhatIsNotBefore(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a stage that reads one that is not there is linked")
		}
	}()
	Link([]Stage{toyStage("b", 1, toy{}, "a")})
}

// joined are the stages of two experiments, shared ones once and waiting for either gate.
func joined(a, b []Stage) []Stage {
	var all []Stage
	for i := range a {
		all = append(all, a[i])
		if b[i].ID != a[i].ID {
			all = append(all, b[i])
		} else if b[i].Gates != nil && b[i].Gates[0] != a[i].Gates[0] {
			last := &all[len(all)-1]
			last.Gates = append(slices.Clone(last.Gates), b[i].Gates...)
		}
	}
	return all
}

// TestAnExperimentThatCannotSucceedKeepsNoOtherFromIt joins two that share stages. One is refused by its gate, or by
// what it reads: what the other needs is computed, with what both share, and what only the one needs is not.
func TestAnExperimentThatCannotSucceedKeepsNoOtherFromIt(t *testing.T) {
	never := toy{Text: "x", Never: []int{0}}
	for what, c := range map[string]struct {
		stages         []Stage
		ran, committed []string // without read, of which one is computed before a gate says no, or not
	}{
		"its gate, and nothing else is shared": {joined(experimentOf(toy{Text: "x"}, never, toy{}, toy{}), experimentOf(toy{}, toy{}, toy{}, toy{})),
			[]string{"gate/0", "last/0", "long/0"}, []string{"gate", "last", "long"}},
		"its gate, and what comes after it is shared": {joined(experimentOf(toy{}, never, toy{}, toy{}), experimentOf(toy{}, toy{}, toy{}, toy{Text: "y"})),
			[]string{"gate/0", "last/0", "last/0", "long/0"}, []string{"gate", "last", "last", "long"}},
		"what it reads": {joined(experimentOf(never, toy{}, toy{}, toy{}), experimentOf(toy{}, toy{}, toy{}, toy{})),
			[]string{"gate/0", "last/0", "long/0"}, []string{"gate", "last", "long"}},
	} {
		t.Run(what, func(t *testing.T) {
			onRunners(t, func(t *testing.T, run func(context.Context, string, ...Stage) trialRun) {
				r := run(t.Context(), t.TempDir(), c.stages...)
				read := func(s string) bool { return strings.HasPrefix(s, "read") }
				r.ran, r.committed = slices.DeleteFunc(r.ran, read), slices.DeleteFunc(r.committed, read)
				r.check(t, what, c.ran, nil, c.committed)
				if !errors.Is(r.err, ErrTexts) || len(r.failed) != 1 {
					t.Errorf("%v failed with %v, want one unit with ErrTexts", r.failed, r.err)
				}
			})
		})
	}
}

// TestWhatLeadsNowhereIsIdle gives stages up: what only lost results need is idle, what another needs is not.
func TestWhatLeadsNowhereIsIdle(t *testing.T) {
	one, two := experimentOf(toy{Text: "x"}, toy{Text: "x"}, toy{}, toy{}), experimentOf(toy{Text: "x"}, toy{}, toy{}, toy{Text: "y"})
	stages := joined(one, two)
	g := newGraph(stages)
	g.giveUp(one[1].ID) // the gate of one
	for i, s := range one {
		if want := s.Name == "gate"; g.idle[s.ID] != want {
			t.Errorf("one gate is lost: %s (%d) is idle: %t, want %t", s.Name, i, g.idle[s.ID], want)
		}
	}
	g.giveUp(two[1].ID)
	for _, s := range stages {
		if !g.idle[s.ID] {
			t.Errorf("both gates are lost: %s is not idle", s.Name)
		}
	}
}

// TestNothingIsComputedForALostResult gives up the first stage of one result: what else it needs is left alone, though
// nothing of it waits for that stage.
func TestNothingIsComputedForALostResult(t *testing.T) {
	stages := []Stage{toyStage("few", 1, toy{Never: []int{0}}), toyStage("other", 3, toy{}), toyStage("last", 1, toy{}, "few", "other")}
	r := runStages(t, t.Context(), "direct", t.TempDir(), stages...)
	r.check(t, "a lost result", nil, nil, nil)
	if !errors.Is(r.err, ErrTexts) || !slices.Equal(r.failed, []string{"few/0"}) {
		t.Errorf("%v, failed %v; want ErrTexts of few", r.err, r.failed)
	}
}
