package transforms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamregister "github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"golang.org/x/sync/errgroup"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
)

// A UnitRef asks for neighbouring units of a stage.
type UnitRef struct {
	Stage  string // Stage.ID, as in all elements
	Index  int    // of the first
	Count  int
	Inputs []string // hexadecimal action keys of the manifests that the stage reads, in the order of Stage.Inputs
}

// A UnitDone says under which action a unit's outputs are stored.
type UnitDone struct {
	Stage  string
	Index  int
	Inputs []string // as in UnitRef
	Key    string   // hexadecimal action key
}

// A StageDone says under which action a stage's manifest is stored.
type StageDone struct {
	Stage string
	Key   string
}

// A Failure is the dead letter of a unit that could not be computed.
type Failure struct {
	Stage string
	Index int
	Error string
}

// Apply adds a stage to the pipeline and gives its [StageDone], a collection of at most one
// element. known holds, by ID, the manifests' action keys of the stages before it that are committed already; the
// others are stages of the same pipeline, given by their StageDone in open.
func Apply(s beam.Scope, env Env, stage Stage, known map[string]string, open []beam.PCollection) beam.PCollection {
	s = s.Scope(stage.Name + "/" + stage.ID[:min(12, len(stage.ID))])
	upstream := beam.CreateList(s, []StageDone{{}})
	if len(open) > 0 {
		upstream = beam.Flatten(s, open...)
	}
	// The wait is a step of its own: Prism burns a core for as long as a bundle that has a side
	// input is at work, so the bundles that take long must have none.
	at := stageAt{Env: env, Name: stage.Name, ID: stage.ID}
	units := beam.ParDo(s, &readyFn{At: at, Known: known}, beam.Impulse(s), beam.SideInput{Input: upstream})
	done, dead := beam.ParDo2(s, &unitFn{At: at}, beam.Reshuffle(s, units))
	beam.ParDo0(s, drop, beam.Reshuffle(s, dead))
	committed := beam.ParDo(s, &manifestFn{At: at}, beam.GroupByKey(s, beam.ParDo(s, keyed, done)))
	// Java runners fuse a Flatten into each of the steps before it and then find two producers of one
	// collection, which they refuse ("unzipped_flatten"); they do not fuse across a Reshuffle.
	return beam.Reshuffle(s, committed)
}

// readyFn waits for the stages that a stage reads or comes after, then asks for its units. Where one that it reads is
// incomplete, or all that it comes after, it asks for nothing, so this stage commits nothing either.
type readyFn struct {
	At    stageAt
	Known map[string]string
}

// ProcessElement gathers the keys of the inputs' manifests.
func (fn *readyFn) ProcessElement(ctx context.Context, _ []byte, upstream func(*StageDone) bool, emit func(UnitRef)) error {
	run := lookupRun(ctx, fn.At.Env)
	defer run.watch()()
	if run.over() {
		return nil
	}
	stage, err := run.stage(ctx, fn.At)
	if err != nil {
		return fn.At.Env.fail(run, fn.At.Name, -1, err)
	}
	keys := maps.Clone(fn.Known)
	if keys == nil {
		keys = map[string]string{}
	}
	for d := (StageDone{}); upstream(&d); {
		keys[d.Stage] = d.Key
	}
	var inputs []string
	for _, id := range stage.Reads {
		key, ok := keys[id]
		if !ok {
			return nil
		}
		inputs = append(inputs, key)
	}
	there := func(id string) bool { return keys[id] != "" }
	if len(stage.Gates) > 0 && !slices.ContainsFunc(stage.Gates, there) {
		return nil
	}
	work := stage.Works()
	for i := 0; i < stage.Units; {
		n := together(work[i:])
		emit(UnitRef{Stage: stage.ID, Index: i, Count: n, Inputs: inputs})
		i += n
	}
	return nil
}

// A worker that is asked for a few units has two of them at work: while one has the device, the other is
// prepared or stored. Units that take much memory come alone.
const (
	fewUnits  = 4
	atWork    = 2
	lightUnit = 128 << 20 // bytes
)

// together is how many of the units to come are asked for at a time.
func together(work []Work) (n int) {
	for n < min(fewUnits, len(work)) && work[n].Bytes <= lightUnit {
		n++
	}
	return max(1, n)
}

// unitFn computes units. Beam ships it as JSON: the exported fields are all it knows.
type unitFn struct{ At stageAt }

// ProcessElement looks units up or computes them. A failure of a unit itself goes to the dead
// letters, so that the others go on; an interruption or a store that fails ends the run.
func (fn *unitFn) ProcessElement(ctx context.Context, ref UnitRef, done func(UnitDone), dead func(Failure)) error {
	run := lookupRun(ctx, fn.At.Env)
	defer run.watch()()
	if run.over() {
		return nil // the pipeline runs empty
	}
	if err := run.ctx.Err(); err != nil { // of another run's bundle, which its runner gave up
		return err
	}
	if run.idle(fn.At.ID) {
		return nil
	}
	stage, err := run.stage(run.ctx, fn.At)
	if err != nil {
		return fn.At.Env.fail(run, fn.At.Name, -1, err)
	}
	store, inputs, err := resolve(run.ctx, fn.At.Env, stage, ref.Inputs)
	if err != nil {
		return fn.At.Env.fail(run, stage.Name, -1, err)
	}
	keys, errs := make([]cache.ActionKey, ref.Count), make([]error, ref.Count)
	group, going := errgroup.WithContext(run.ctx)
	group.SetLimit(atWork)
	for i := range ref.Count {
		group.Go(func() error {
			if going.Err() != nil { // the run ends: no further ones
				return nil
			}
			keys[i], errs[i] = compute(&Unit{Stage: stage, Index: ref.Index + i, Store: store, inputs: inputs, run: run})
			if infrastructure(errs[i]) {
				return errs[i]
			}
			return nil
		})
	}
	_ = group.Wait() // it is among errs
	for i, err := range errs {
		index := ref.Index + i
		switch {
		case run.ctx.Err() != nil:
			return fn.At.Env.fail(run, stage.Name, index, cmp.Or(err, run.ctx.Err()))
		case infrastructure(err):
			return fn.At.Env.fail(run, stage.Name, index, err)
		case err != nil:
			run.failed(stage, index, err)
			dead(Failure{Stage: ref.Stage, Index: index, Error: err.Error()})
		default:
			done(UnitDone{Stage: ref.Stage, Index: index, Inputs: ref.Inputs, Key: keys[i].String()})
		}
	}
	return nil
}

// compute is what a unit is there for.
func compute(u *Unit) (cache.ActionKey, error) {
	k := kinds[u.Stage.Kind]
	settings := k.decode(u.Stage.Settings)
	defer u.release()
	if u.work = k.work(settings, u.Index); u.work.Pace == Algebra {
		defer gpu.Hold(int(u.work.Bytes))()
	}
	key, err := guard(func() (cache.ActionKey, error) { return k.run(u.run.ctx, u, settings) })
	if err != nil {
		err = fmt.Errorf("%s, unit %d of %d: %w", u.Stage.Name, u.Index+1, u.Stage.Units, err)
	}
	return key, err
}

// manifestFn commits a stage once all of its units are there.
type manifestFn struct{ At stageAt }

// ProcessElement gathers a stage's units. Duplicate bundles may report a unit twice, in any order.
func (fn *manifestFn) ProcessElement(ctx context.Context, _ string, units func(*UnitDone) bool, emit func(StageDone)) error {
	run := lookupRun(ctx, fn.At.Env)
	defer run.watch()()
	stage, err := run.stage(run.ctx, fn.At)
	if err != nil {
		return fn.At.Env.fail(run, fn.At.Name, -1, err)
	}
	keys := map[int]string{}
	var read []string
	for u := (UnitDone{}); units(&u); {
		keys[u.Index], read = u.Key, u.Inputs
	}
	if len(keys) != stage.Units {
		return nil
	}
	store, inputs, err := resolve(run.ctx, fn.At.Env, stage, read)
	if err != nil {
		return fn.At.Env.fail(run, stage.Name, -1, err)
	}
	var manifest Manifest
	for i := range stage.Units {
		outputs, err := outputsOf(run.ctx, store, keys[i])
		if err != nil {
			return fn.At.Env.fail(run, stage.Name, -1, err)
		}
		for _, o := range outputs {
			if kinds[stage.Kind].many {
				o.Name = unitName(i, o.Name)
			}
			manifest = append(manifest, o)
		}
	}
	r := stage.Recipe(inputs)
	_, hit, err := store.Lookup(run.ctx, r.Key())
	if err == nil {
		err = store.Commit(run.ctx, r, manifest)
	}
	if err == nil {
		err = cache.Remember(run.ctx, store, stage.Memory(), r.Key())
	}
	if err != nil {
		return fn.At.Env.fail(run, stage.Name, -1, err)
	}
	run.events(Event{Stage: stage.Name, ID: stage.ID, Unit: -1, Key: r.Key(), Hit: hit})
	run.finished(stage.ID)
	emit(StageDone{Stage: stage.ID, Key: r.Key().String()})
	return nil
}

// resolve opens the store and reads the manifests of the stage's inputs.
func resolve(ctx context.Context, env Env, stage Stage, keys []string) (cache.Store, []Manifest, error) {
	store, err := env.store(ctx)
	if err != nil {
		return nil, nil, err
	}
	inputs := make([]Manifest, 0, len(keys))
	for i, key := range keys {
		m, err := outputsOf(ctx, store, key)
		if err != nil {
			return nil, nil, fmt.Errorf("%s reads %s: %w", stage.Name, stage.Inputs[i], err)
		}
		inputs = append(inputs, m)
	}
	return store, inputs, nil
}

func outputsOf(ctx context.Context, store cache.Store, key string) ([]cache.Output, error) {
	k, err := cache.ParseActionKey(key)
	if err != nil {
		return nil, err
	}
	outputs, ok, err := store.Lookup(ctx, k)
	if err == nil && !ok {
		err = fmt.Errorf("action %s is not in the store", key)
	}
	return outputs, err
}

func keyed(d UnitDone) (string, UnitDone) { return d.Stage, d }
func drop(Failure)                        {}

// Opaque coders: a Java runner decodes Beam rows itself and not always as Go writes them. Workers
// find coder functions by symbol name, hence one concrete pair for each type.
func encUnitRef(v UnitRef) ([]byte, error)           { return json.Marshal(v) }
func decUnitRef(b []byte) (v UnitRef, err error)     { err = json.Unmarshal(b, &v); return }
func encUnitDone(v UnitDone) ([]byte, error)         { return json.Marshal(v) }
func decUnitDone(b []byte) (v UnitDone, err error)   { err = json.Unmarshal(b, &v); return }
func encStageDone(v StageDone) ([]byte, error)       { return json.Marshal(v) }
func decStageDone(b []byte) (v StageDone, err error) { err = json.Unmarshal(b, &v); return }
func encFailure(v Failure) ([]byte, error)           { return json.Marshal(v) }
func decFailure(b []byte) (v Failure, err error)     { err = json.Unmarshal(b, &v); return }

func init() {
	for _, t := range []reflect.Type{reflect.TypeFor[UnitRef](), reflect.TypeFor[UnitDone](), reflect.TypeFor[StageDone](), reflect.TypeFor[Failure]()} {
		beam.RegisterType(t)
	}
	beam.RegisterCoder(reflect.TypeFor[UnitRef](), encUnitRef, decUnitRef)
	beam.RegisterCoder(reflect.TypeFor[UnitDone](), encUnitDone, decUnitDone)
	beam.RegisterCoder(reflect.TypeFor[StageDone](), encStageDone, decStageDone)
	beam.RegisterCoder(reflect.TypeFor[Failure](), encFailure, decFailure)
	beamregister.DoFn4x1[context.Context, []byte, func(*StageDone) bool, func(UnitRef), error](&readyFn{})
	beamregister.DoFn4x1[context.Context, UnitRef, func(UnitDone), func(Failure), error](&unitFn{})
	beamregister.DoFn4x1[context.Context, string, func(*UnitDone) bool, func(StageDone), error](&manifestFn{})
	beamregister.Function1x2(keyed)
	beamregister.Function1x0(drop)
	beamregister.Emitter1[UnitRef]()
	beamregister.Emitter1[UnitDone]()
	beamregister.Emitter1[StageDone]()
	beamregister.Emitter1[Failure]()
	beamregister.Iter1[UnitDone]()
	beamregister.Iter1[StageDone]()
}
