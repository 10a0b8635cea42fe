package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/persona-transfer/runpipeline/cache"
)

// A Stage is one step of the experiment as data.
type Stage struct {
	Name     string          // unique in an experiment: "capture.source"
	Kind     string          // what its units do: "capture"
	Settings json.RawMessage // the kind's settings struct; fields tagged key:"-" are not part of the recipe
	Inputs   []string        // names of the stages it reads; their order is part of the key
	After    string          // name of a stage that must be there before it begins, or empty; it reads nothing of it, and its key knows nothing of it
	Units    int             // how many units it is cut into, fixed before the run
	Family   string          // of experiments that are alike enough for a plan to say what changed between them

	// What tells the stages of several experiments apart; see [Link].
	ID    string
	Reads []string // IDs of the stages in Inputs
	Gates []string // IDs of the stages that are After in the experiments that share this one: it begins when one of them is there
}

// Memory is the name under which the stage's last recipe is remembered.
func (s Stage) Memory() string {
	if s.Family == "" {
		return s.Name
	}
	return s.Name + " of " + s.Family
}

// Before gives the IDs of the stages that this one waits for.
func (s Stage) Before() []string { return slices.Concat(s.Reads, s.Gates) }

// Link identifies the stages of one experiment, which come in the order of the data. A stage's ID says everything that
// its result follows from: its kind and version, its settings, its units and the IDs of what it reads, since the bytes
// of these are not known before they are made. Stages of other experiments that have the same one are the same stage.
// The name is in it as well: what a stage is to its experiment decides what people read of it. What it comes after is
// not: an experiment that may not begin keeps no other one from it. It panics on a stage that is not among those before.
func Link(stages []Stage) {
	ids := map[string]string{}
	for i := range stages {
		s := &stages[i]
		r := cache.NewRecipe("stage "+s.Kind, kinds[s.Kind].version).Text("name", s.Name).Text("settings", string(s.Settings)).Int("units", int64(s.Units))
		s.Reads, s.Gates = nil, nil
		for _, name := range s.Inputs {
			s.Reads = append(s.Reads, earlier(ids, s, name))
			r.Text(name, ids[name])
		}
		if s.After != "" {
			s.Gates = []string{earlier(ids, s, s.After)}
		}
		s.ID = r.Key().String()
		ids[s.Name] = s.ID
	}
}

func earlier(ids map[string]string, s *Stage, name string) string {
	id, ok := ids[name]
	if !ok {
		panic(fmt.Sprintf("transforms: stage %q waits for %q, which is not before it", s.Name, name))
	}
	return id
}

// NewStage makes a stage of a registered kind. It panics on an unknown kind or on settings of
// another type than the kind's, which only a mistake in the caller can cause.
func NewStage(name, kind string, settings any, units int, inputs ...string) Stage {
	k, ok := kinds[kind]
	if !ok {
		panic(fmt.Sprintf("transforms: no kind %q", kind))
	}
	if got := reflect.TypeOf(settings); got != k.settings {
		panic(fmt.Sprintf("transforms: stage %q has settings of type %s, want %s", name, got, k.settings))
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		panic(fmt.Sprintf("transforms: settings of stage %q: %v", name, err))
	}
	return Stage{Name: name, Kind: kind, Settings: raw, Inputs: inputs, Units: units}
}

// Recipe is the stage's full description. The inputs are the manifests of the stages that it
// reads, by content and in the order of Inputs: an equal result upstream changes nothing here.
func (s Stage) Recipe(inputs []Manifest) *cache.Recipe {
	k := kinds[s.Kind]
	settings := k.decode(s.Settings)
	r := cache.NewRecipe(s.Kind, k.version).Struct(settings).Int("units", int64(s.Units))
	for i, m := range inputs {
		r.Input(s.Inputs[i], m.Digest())
	}
	return r
}

// A Manifest lists the outputs of a committed stage in unit order.
type Manifest []cache.Output

// Digest identifies the content of all outputs, whatever made them.
func (m Manifest) Digest() cache.Digest {
	var text []byte
	for _, o := range m {
		text = fmt.Appendf(text, "%d:%s %s %s\n", len(o.Name), o.Name, o.Kind, o.Digest)
	}
	return cache.Sum(text)
}

// Find gives the output of that name.
func (m Manifest) Find(name string) (cache.Output, bool) {
	for _, o := range m {
		if o.Name == name {
			return o, true
		}
	}
	return cache.Output{}, false
}

// A kind is one sort of work: its version, the type of its settings, how much there is to do in a unit, and
// what a unit does.
type kind struct {
	version  int
	many     bool // stages of this kind are cut into units, if only into one
	settings reflect.Type
	decode   func(json.RawMessage) any
	work     func(settings any, unit int) Work
	run      func(ctx context.Context, u *Unit, settings any) (cache.ActionKey, error)
}

// A cut says whether stages of a kind are cut into units.
type cut bool

const (
	whole cut = false
	many  cut = true
)

var kinds = map[string]kind{}

// register makes a kind known to every process that links this package, remote workers included.
// Stages of a whole kind are one unit, whose outputs keep their names in the manifest.
func register[S any](name string, version int, many cut, work func(s S, unit int) Work, run func(ctx context.Context, u *Unit, s S) (cache.ActionKey, error)) {
	kinds[name] = kind{
		version:  version,
		many:     bool(many),
		settings: reflect.TypeFor[S](),
		decode: func(raw json.RawMessage) any {
			var s S
			if err := json.Unmarshal(raw, &s); err != nil {
				panic(fmt.Sprintf("transforms: settings of a %s stage: %v", name, err))
			}
			return s
		},
		work: func(settings any, unit int) Work { return work(settings.(S), unit) },
		run: func(ctx context.Context, u *Unit, settings any) (cache.ActionKey, error) {
			return run(ctx, u, settings.(S))
		},
	}
}
