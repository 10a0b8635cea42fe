package pipelines

import (
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
)

// State says what will become of a stage.
type State string

// A stage is a Hit if its manifest is stored, a Run if it is not, Open if that depends on bytes
// that are not made yet, and Unneeded if everything that would read it is there.
const (
	Hit      State = "hit"
	Run      State = "run"
	Open     State = "open"
	Unneeded State = "unneeded"
)

// A Step is one stage in a plan.
type Step struct {
	Stage    transforms.Stage
	State    State
	Why      []string // what changed since the stage last ran, or why its state is open
	Key      cache.ActionKey
	Manifest transforms.Manifest // of a hit
}

// A Plan is what a run would do, stage by stage in the order of the data.
type Plan struct {
	Steps []Step

	at    map[string]int // where a stage is, by its ID
	sweep *Sweep         // nil: of an experiment
}

// Where says which cells of a sweep a stage belongs to, by what the sweep names; nothing if it belongs to all of them.
func (p *Plan) Where(id string) string {
	if p.sweep == nil {
		return ""
	}
	return where(p.sweep.Cells, p.sweep.members[id])
}

// ByName gives the steps of the same name together, in the order of the data: more than one of a name only in the plan
// of a sweep.
func (p *Plan) ByName() (groups [][]Step) {
	for _, s := range p.Steps {
		if n := len(groups); n > 0 && groups[n-1][0].Stage.Name == s.Stage.Name {
			groups[n-1] = append(groups[n-1], s)
			continue
		}
		groups = append(groups, []Step{s})
	}
	return groups
}

// Plan looks every stage up. It changes nothing.
func (e *Experiment) Plan(ctx context.Context, store cache.Store) (*Plan, error) {
	plan, err := e.Alone().Plan(ctx, store)
	if err != nil {
		return nil, err
	}
	return plan.Of(e), nil
}

// Plan looks every stage of every cell up, shared ones once. It changes nothing.
func (s *Sweep) Plan(ctx context.Context, store cache.Store) (*Plan, error) {
	p := &Plan{at: map[string]int{}, sweep: s}
	looked := lookups{store: store}
	for _, stage := range s.stages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		step := Step{Stage: stage}
		inputs, missing := p.inputs(stage)
		for _, name := range missing {
			step.State, step.Why = Open, append(step.Why, name+" comes first")
		}
		if step.State != Open {
			if err := looked.look(ctx, &step, inputs); err != nil {
				return nil, err
			}
		}
		p.at[stage.ID] = len(p.Steps)
		p.Steps = append(p.Steps, step)
	}
	last := map[string]bool{}
	for _, e := range s.Experiments {
		last[e.last()] = true
	}
	p.drop(last)
	return p, nil
}

// inputs gives the manifests of what a stage reads, in its order, and the names of those that are not there.
func (p *Plan) inputs(stage transforms.Stage) (there []transforms.Manifest, missing []string) {
	for i, id := range stage.Reads {
		if in := p.Steps[p.at[id]]; in.State == Hit {
			there = append(there, in.Manifest)
		} else {
			missing = append(missing, stage.Inputs[i])
		}
	}
	return there, missing
}

// last is the ID of the stage that makes the results.
func (e *Experiment) last() string { return e.stages[len(e.stages)-1].ID }

// Of is the part of a sweep's plan that is an experiment's own: what it does not need itself is [Unneeded].
func (p *Plan) Of(e *Experiment) *Plan {
	own := &Plan{at: map[string]int{}}
	for _, stage := range e.stages {
		step := p.Steps[p.at[stage.ID]]
		step.Stage = stage
		own.at[stage.ID] = len(own.Steps)
		own.Steps = append(own.Steps, step)
	}
	own.drop(map[string]bool{e.last(): true})
	return own
}

// Lookups remember what the store remembers under a name: stages of many cells have the same.
type lookups struct {
	store    cache.Store
	recalled once[string, remembered]
}

type remembered struct {
	recipe string
	ok     bool
}

// look finds a stage whose inputs are known, or says why it is not there.
func (l *lookups) look(ctx context.Context, step *Step, inputs []transforms.Manifest) error {
	r := step.Stage.Recipe(inputs)
	step.Key = r.Key()
	outputs, ok, err := l.store.Lookup(ctx, step.Key)
	if err != nil {
		return fmt.Errorf("plan %s: %w", step.Stage.Name, err)
	}
	if ok {
		step.State, step.Manifest = Hit, outputs
		return nil
	}
	step.State = Run
	old, err := l.recalled.get(step.Stage.Memory(), func() (old remembered, err error) {
		old.recipe, old.ok, err = cache.Recall(ctx, l.store, step.Stage.Memory())
		return old, err
	})
	if err != nil {
		return fmt.Errorf("plan %s: %w", step.Stage.Name, err)
	}
	if !old.ok {
		step.Why = []string{"first time"}
		return nil
	}
	step.Why = reasons(cache.Diff(old.recipe, r.String()))
	return nil
}

// maxReasons is how many changes explain something; more of them are another experiment.
const maxReasons = 4

func reasons(changes []string) []string {
	switch n := len(changes); {
	case n == 0:
		return []string{"an output was removed from the store"}
	case n > maxReasons:
		return []string{fmt.Sprintf("first time with these settings: %d differ from the last run of these models", n)}
	}
	return changes
}

// drop marks the stages that nobody needs: walking back from the last ones, a hit needs nothing.
func (p *Plan) drop(needed map[string]bool) {
	for i := len(p.Steps) - 1; i >= 0; i-- {
		step := &p.Steps[i]
		if !needed[step.Stage.ID] && step.State != Hit {
			step.State, step.Why = Unneeded, nil
		}
		if needed[step.Stage.ID] && step.State != Hit {
			for _, id := range step.Stage.Before() {
				needed[id] = true
			}
		}
	}
}

// Done reports that nothing has to be run.
func (p *Plan) Done() bool {
	return !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.State == Run || s.State == Open })
}

// Count gives how many stages are in a state.
func (p *Plan) Count(state State) (n int) {
	for _, s := range p.Steps {
		if s.State == state {
			n++
		}
	}
	return n
}

// step is that of a stage of an experiment.
func (p *Plan) step(name string) Step {
	for _, s := range p.Steps {
		if s.Stage.Name == name {
			return s
		}
	}
	return Step{}
}

// Last is the final step, whose manifest names the results.
func (p *Plan) Last() Step { return p.Steps[len(p.Steps)-1] }
