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
type Plan struct{ Steps []Step }

// Plan looks every stage up. It changes nothing.
func (e *Experiment) Plan(ctx context.Context, store cache.Store) (*Plan, error) {
	p := &Plan{}
	at := map[string]int{}
	for _, s := range e.stages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		step := Step{Stage: s}
		var inputs []transforms.Manifest
		for _, name := range s.Inputs {
			if in := p.Steps[at[name]]; in.State == Hit {
				inputs = append(inputs, in.Manifest)
			} else {
				step.State, step.Why = Open, append(step.Why, name+" comes first")
			}
		}
		if step.State != Open {
			if err := look(ctx, store, &step, inputs); err != nil {
				return nil, err
			}
		}
		at[s.Name] = len(p.Steps)
		p.Steps = append(p.Steps, step)
	}
	p.drop(at)
	return p, nil
}

// look finds a stage whose inputs are known, or says why it is not there.
func look(ctx context.Context, store cache.Store, step *Step, inputs []transforms.Manifest) error {
	r := step.Stage.Recipe(inputs)
	step.Key = r.Key()
	outputs, ok, err := store.Lookup(ctx, step.Key)
	if err != nil {
		return fmt.Errorf("plan %s: %w", step.Stage.Name, err)
	}
	if ok {
		step.State, step.Manifest = Hit, outputs
		return nil
	}
	step.State = Run
	old, ok, err := cache.Recall(ctx, store, step.Stage.Memory())
	if err != nil {
		return fmt.Errorf("plan %s: %w", step.Stage.Name, err)
	}
	if !ok {
		step.Why = []string{"first time"}
		return nil
	}
	step.Why = reasons(cache.Diff(old, r.String()))
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

// drop marks the stages that nobody needs: walking back from the last one, a hit needs nothing.
func (p *Plan) drop(at map[string]int) {
	needed := map[string]bool{p.Steps[len(p.Steps)-1].Stage.Name: true}
	for i := len(p.Steps) - 1; i >= 0; i-- {
		step := &p.Steps[i]
		if !needed[step.Stage.Name] && step.State != Hit {
			step.State, step.Why = Unneeded, nil
		}
		if needed[step.Stage.Name] && step.State != Hit {
			for _, name := range step.Stage.Before() {
				needed[name] = true
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

// step is that of a stage.
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
