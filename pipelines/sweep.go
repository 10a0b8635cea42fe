package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
)

// A Sweep is experiments that are planned and run together: what several of them need is there once. An experiment alone
// is a sweep of one.
type Sweep struct {
	Cells       []Cell
	Experiments []*Experiment // of the cells, in their order

	stages  []transforms.Stage // of all, shared ones once, in the order of the data
	members map[string][]int   // by a stage's ID, the cells that have it
	common  *common
}

// NewSweep finds the models of all cells and lays out their stages, as [NewExperiment] does for one. All that is wrong
// with any of them is reported at once.
func NewSweep(ctx context.Context, cells []Cell, metadataOnly bool) (*Sweep, error) {
	shared, wrong := &common{}, troubles{cells: cells}
	var experiments []*Experiment
	for i, c := range cells {
		e, err := newExperiment(ctx, c.Config, metadataOnly, shared)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		wrong.add(i, err)
		experiments = append(experiments, e)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return join(cells, experiments, shared), nil
}

// Alone is the sweep that has the experiment only.
func (e *Experiment) Alone() *Sweep {
	return join([]Cell{{Config: e.Config}}, []*Experiment{e}, e.common)
}

// join makes one graph of the experiments' stages. They keep the order that each experiment has: all that are called
// alike stand together, so that a model is opened once for them.
func join(cells []Cell, experiments []*Experiment, shared *common) *Sweep {
	s := &Sweep{Cells: cells, Experiments: experiments, members: map[string][]int{}, common: shared}
	named := map[string][]int{} // name → cells that have such a stage
	place := make([]map[string]int, len(experiments))
	for i, e := range experiments {
		place[i] = map[string]int{}
		for k, stage := range e.stages {
			named[stage.Name] = append(named[stage.Name], i)
			place[i][stage.Name] = k
		}
	}
	at := map[string]int{}
	for _, name := range experiments[0].order {
		for _, i := range named[name] {
			stage := experiments[i].stages[place[i][name]]
			k, ok := at[stage.ID]
			if !ok {
				k = len(s.stages)
				at[stage.ID] = k
				s.stages = append(s.stages, stage)
			} else {
				s.stages[k].Gates = union(s.stages[k].Gates, stage.Gates)
			}
			s.members[stage.ID] = append(s.members[stage.ID], i)
		}
	}
	return s
}

// union adds to a list what it has not. Lists that are shared are not changed.
func union(list, more []string) []string {
	for _, x := range more {
		if !slices.Contains(list, x) {
			list = append(slices.Clip(list), x)
		}
	}
	return list
}

// Named reports a sweep that a configuration asks for, if only of one cell.
func (s *Sweep) Named() bool { return len(s.Cells[0].Settings) > 0 }

// owner is the first experiment that has a stage.
func (s *Sweep) owner(id string) *Experiment { return s.Experiments[s.members[id][0]] }

// each asks every experiment, with its part of the plan, and gathers what is wrong.
func (s *Sweep) each(plan *Plan, ask func(e *Experiment, plan *Plan) error) error {
	wrong := troubles{cells: s.Cells}
	for i, e := range s.Experiments {
		wrong.add(i, ask(e, plan.Of(e)))
	}
	return wrong.err()
}

// lines are what the experiments have to say to the user, each line once.
func (s *Sweep) lines(say func(e *Experiment) []string) (all []string) {
	said := map[string]bool{}
	for _, e := range s.Experiments {
		for _, line := range say(e) {
			if line != "" && !said[line] {
				said[line] = true
				all = append(all, line)
			}
		}
	}
	return all
}

// CanRun reports stages that run models on a device that is known by its text alone.
func (s *Sweep) CanRun(plan *Plan) error { return s.each(plan, (*Experiment).canRun) }

// Warnings are lines for the user when a device is much slower than it could be.
func (s *Sweep) Warnings() []string {
	return s.lines(func(e *Experiment) []string { return []string{e.Warning()} })
}

// DeviceLines say for people which devices were taken, nothing for "cpu".
func (s *Sweep) DeviceLines() []string {
	return s.lines(func(e *Experiment) []string { return []string{e.DeviceLine()} })
}

// Notes tell what is odd about the models' files and was passed over.
func (s *Sweep) Notes() []string { return s.lines((*Experiment).Notes) }

// Doubts say what the configurations alone tell of results that will be missing or inconclusive.
func (s *Sweep) Doubts() []string { return s.lines((*Experiment).Doubts) }

// VocabularyWarnings are lines for the user about models whose texts may have other tokens than they know.
func (s *Sweep) VocabularyWarnings(ctx context.Context) ([]string, error) {
	var failed error
	asked := map[transforms.TextModel]bool{}
	lines := s.lines(func(e *Experiment) []string {
		if asked[e.Source.Text()] && asked[e.Target.Text()] {
			return nil
		}
		asked[e.Source.Text()], asked[e.Target.Text()] = true, true
		lines, err := e.VocabularyWarnings(ctx)
		if failed == nil {
			failed = err
		}
		return lines
	})
	return lines, failed
}

// JudgeNotes are lines for the user about what leaves this machine in a run: the hosts, and what goes there in all.
func (s *Sweep) JudgeNotes(plan *Plan) (lines []string) {
	questions, seen := map[string]int{}, map[string]bool{}
	var hosts []string
	for _, e := range s.Experiments {
		own := plan.Of(e)
		step := own.step("judge")
		if !asksJudge(own) || seen[step.Stage.ID] {
			continue
		}
		seen[step.Stage.ID] = true
		who := fmt.Sprintf("%s at %s", e.Judge.Model, e.Judge.endpoint().Host())
		if questions[who] == 0 {
			hosts = append(hosts, who)
		}
		questions[who] += e.questions()
	}
	for _, who := range hosts {
		lines = append(lines, fmt.Sprintf("the generated texts go to the judge %s, in up to %d questions", who, questions[who]))
	}
	return lines
}

// checkTexts reports prompts and persona texts that a model reads as nothing, and judges that cannot be asked, before any
// work.
func (s *Sweep) checkTexts(ctx context.Context) error {
	wrong := troubles{cells: s.Cells}
	for i, e := range s.Experiments {
		if err := e.checkTexts(ctx); err != nil && !wrong.add(i, err) {
			return err
		}
	}
	return wrong.err()
}

// repeatWarnings says again what the gates said when they let a generation pass, if there is more to generate.
func (s *Sweep) repeatWarnings(ctx context.Context, store cache.Store, plan *Plan, progress func(Event)) error {
	said := map[string]bool{}
	for _, e := range s.Experiments {
		own := plan.Of(e)
		gate := own.step("gate")
		if state := own.step("generate").State; gate.State != Hit || state != Run && state != Open || said[gate.Stage.ID] || progress == nil {
			continue
		}
		said[gate.Stage.ID] = true
		y, err := yardstick(ctx, store, own)
		if err != nil {
			return err
		}
		if y == nil {
			continue
		}
		for _, text := range y.Warnings() {
			progress(Event{Stage: "gate", ID: gate.Stage.ID, Note: text, Warning: true})
		}
	}
	return nil
}

// swept lists what the sweep gives each key, as it was written: "layer_idx 8, 12".
func (s *Sweep) swept() string {
	var parts []string
	for k, setting := range s.Cells[0].Settings {
		var values []string
		for _, c := range s.Cells {
			if text := c.Settings[k].Text(); !slices.Contains(values, text) {
				values = append(values, text)
			}
		}
		parts = append(parts, setting.Key+" "+strings.Join(values, ", "))
	}
	return strings.Join(parts, " × ")
}
