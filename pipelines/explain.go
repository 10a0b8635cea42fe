package pipelines

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/transforms"
)

// An Explanation is how something in a store came about, or why it is not there.
type Explanation struct {
	Stage   string          `json:"stage,omitempty"` // of the configured experiment
	State   State           `json:"state,omitempty"`
	Why     []string        `json:"why,omitempty"` // it is not there
	Key     cache.ActionKey `json:"key,omitzero"`
	Recipe  []cache.Field   `json:"recipe"` // kind and version first
	Inputs  []ExplainInput  `json:"inputs"`
	Outputs []cache.Output  `json:"outputs"`
	Chosen  string          `json:"chosen,omitempty"` // the output that was asked for
	Runs    []string        `json:"runs"`             // that refer to it, the latest first
}

// An ExplainInput is a digest in a recipe, and what is known of it.
type ExplainInput struct {
	Name   string       `json:"name"` // of the recipe's field
	Digest cache.Digest `json:"digest"`
	Of     []string     `json:"of"` // what made it: "outputs of capture 3f9a12c4", "shard of capture unit 81c07d11"
}

// Explain says how a stage of the experiment came about, an artifact by its name, or whatever has a key or a digest that
// begins with so many digits. What an experiment has not is explained by the change that caused the miss.
func (e *Experiment) Explain(ctx context.Context, store cache.Store, ref string) ([]Explanation, error) {
	plan, err := e.Plan(ctx, store)
	if err != nil {
		return nil, err
	}
	all, err := listActions(ctx, store)
	if err != nil {
		return nil, err
	}
	x := explainer{all: all, names: map[cache.ActionKey]string{}, runs: map[cache.ActionKey][]string{}}
	for _, step := range plan.Steps {
		if step.State == Hit {
			x.names[step.Key] = step.Stage.Name
		}
	}
	x.index()
	runs, err := Runs(ctx, store, func(string, error) {}) // fsck tells of those
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		keys, err := r.keys()
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			x.runs[k] = append(x.runs[k], r.Run)
		}
	}
	var stages []string
	for _, step := range plan.Steps {
		if stages = append(stages, step.Stage.Name); step.Stage.Name == ref {
			return []Explanation{x.step(step, plan)}, nil
		}
	}
	found, err := e.Artifacts(ctx, store)
	if err != nil {
		return nil, err
	}
	if o, ok := found[ref]; ok {
		return x.outputs(o.Digest.String()), nil
	}
	if explained := x.outputs(ref); len(explained) > 0 {
		return explained, nil
	}
	near := strictjson.Nearest(ref, append(stages, names(found)...))
	return nil, Problems{fmt.Sprintf("%q is no stage, no artifact of this experiment, and not the beginning (8 digits or more) of a key or a digest that is stored; the nearest name is %q", ref, near)}
}

func listActions(ctx context.Context, store cache.Store) (all []cache.Action, err error) {
	err = store.Actions(ctx, func(a cache.Action, err error) error {
		all = append(all, a)
		return err
	})
	return all, err
}

// An explainer knows what the store has.
type explainer struct {
	all   []cache.Action
	names map[cache.ActionKey]string   // of stages of the experiment
	runs  map[cache.ActionKey][]string // that refer to an action
	made  map[cache.Digest][]string    // what made it
}

// step explains a stage of a plan, stored or not.
func (x *explainer) step(s Step, plan *Plan) Explanation {
	if s.State == Hit {
		for _, a := range x.all {
			if a.Key == s.Key {
				return x.action(a)
			}
		}
	}
	e := Explanation{Stage: s.Stage.Name, State: s.State, Why: s.Why, Key: s.Key, Recipe: []cache.Field{}, Inputs: []ExplainInput{}, Outputs: []cache.Output{}, Runs: []string{}}
	if s.State == Unneeded {
		e.Why = []string{"everything that would read it is stored"}
	}
	if inputs, missing := plan.inputs(s.Stage); missing == nil { // else its recipe is not known yet
		x.recipe(&e, s.Stage.Recipe(inputs))
	}
	return e
}

// hexStart is the beginning of a key or a digest that is long enough to mean it.
var hexStart = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// outputs explains whatever has the key, or an output with the digest, that begins so.
func (x *explainer) outputs(start string) (found []Explanation) {
	if !hexStart.MatchString(start) {
		return nil
	}
	for _, a := range x.all {
		at := slices.IndexFunc(a.Outputs, func(o cache.Output) bool { return strings.HasPrefix(o.Digest.String(), start) })
		if at < 0 && !strings.HasPrefix(a.Key.String(), start) {
			continue
		}
		e := x.action(a)
		if at >= 0 {
			e.Chosen = a.Outputs[at].Name
		}
		found = append(found, e)
	}
	return found
}

// action explains a stored action.
func (x *explainer) action(a cache.Action) Explanation {
	e := Explanation{Stage: x.names[a.Key], Key: a.Key, Outputs: a.Outputs, Runs: append([]string{}, x.runs[a.Key]...)}
	if e.Stage != "" {
		e.State = Hit
	}
	if r, err := cache.ParseRecipe(a.Recipe); err == nil { // it was read from the store
		x.recipe(&e, r)
	}
	return e
}

// recipe takes a recipe's fields and finds out what its digests are of.
func (x *explainer) recipe(e *Explanation, r *cache.Recipe) {
	e.Recipe, e.Inputs = r.Fields(), []ExplainInput{}
	for _, f := range e.Recipe {
		for _, d := range cache.DigestsIn(f.Value) {
			e.Inputs = append(e.Inputs, ExplainInput{Name: f.Name, Digest: d, Of: append([]string{}, x.made[d]...)})
		}
	}
}

// index finds out what made each digest that recipes may hold: an output, or all outputs of a stage.
func (x *explainer) index() {
	x.made = map[cache.Digest][]string{}
	for _, a := range x.all {
		who := fmt.Sprintf("%s %s", a.Kind(), a.Key.Short())
		if name := x.names[a.Key]; name != "" {
			who = fmt.Sprintf("%s (%s)", name, a.Key.Short())
		}
		all := transforms.Manifest(a.Outputs).Digest()
		x.made[all] = append(x.made[all], "all outputs of "+who)
		for _, o := range a.Outputs {
			x.made[o.Digest] = append(x.made[o.Digest], o.Name+" of "+who)
		}
	}
}
