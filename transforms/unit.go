package transforms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
)

// Env is what a worker needs besides the stage: where the store is and which run this is. None of
// it may change a byte of an artifact.
type Env struct {
	Run     string // names the run in this process; see [Begin]
	Cache   string // the store's location, as cache.Open takes it
	Retries bool   // the runner tries again what fails, so it is told of errors
}

// fail ends the run with an error and gives what the runner is told of it. A runner that does not
// try again, or would try in vain, is told nothing: all further units return at once, the pipeline runs empty, and the
// stage is not committed. Prism, told of a failed bundle, closes the channels of the others while
// they are being written to, which can crash the process.
func (e Env) fail(r *run, stage string, unit int, err error) error {
	r.keep(stage, unit, err)
	if e.Retries && !final(err) && !r.over() {
		return err
	}
	r.stop()
	return nil
}

// A Unit is one piece of work of a stage, as its function sees it.
type Unit struct {
	Stage Stage
	Index int
	Store cache.Store

	inputs []Manifest
	run    *run
	work   Work
	models map[string]bool // that it computes with, by their keys; guarded by the pool's lock
	told   time.Time       // when the unit last said how far it is
}

// Input is the manifest of a stage that this one reads. It panics if the stage is not among Stage.Inputs.
func (u *Unit) Input(stage string) Manifest {
	i := slices.Index(u.Stage.Inputs, stage)
	if i < 0 {
		panic(fmt.Sprintf("transforms: stage %s does not read %s", u.Stage.Name, stage))
	}
	return u.inputs[i]
}

// InputAt is the output of that name of unit index of an input, for stages cut alike.
func (u *Unit) InputAt(stage string, index int, name string) (cache.Output, error) {
	return u.Need(stage, unitName(index, name))
}

// unitName is the name that a unit's output has in a manifest. Units do not know their own index: the same
// unit may be the third of one experiment and the fifth of another.
func unitName(index int, name string) string { return fmt.Sprintf("%04d.%s", index, name) }

// UnitOutput is the other way round: which unit's output has that name in a manifest, and its own name.
func UnitOutput(name string) (index int, output string, err error) {
	number, output, _ := strings.Cut(name, ".")
	if index, err = strconv.Atoi(number); err != nil || index < 0 || name != unitName(index, output) {
		return 0, "", fmt.Errorf("output %q is of no unit: %w", name, artifacts.ErrFormat)
	}
	return index, output, nil
}

// Need is the output of that name of an input.
func (u *Unit) Need(stage, name string) (cache.Output, error) {
	if o, ok := u.Input(stage).Find(name); ok {
		return o, nil
	}
	return cache.Output{}, fmt.Errorf("stage %s reads %q of %s, which has no such output", u.Stage.Name, name, stage)
}

// Recipe begins the recipe of this unit's kind. What the unit depends on is added by its function:
// less than the stage as a whole does, so that one changed input repeats few units.
func (u *Unit) Recipe() *cache.Recipe {
	return cache.NewRecipe(u.Stage.Kind+" unit", kinds[u.Stage.Kind].version)
}

// A Product is one output of a unit before it is stored.
type Product struct {
	Name, Kind string
	Rows       int64
	Write      func(io.Writer) error
}

// Do gives the action that holds the unit's outputs: at once if the store has it, else by
// computing the products, storing them and committing the action.
func (u *Unit) Do(ctx context.Context, r *cache.Recipe, compute func(context.Context) ([]Product, error)) (cache.ActionKey, error) {
	key, begun := r.Key(), time.Now()
	outputs, ok, err := u.Store.Lookup(ctx, key)
	if err != nil {
		return key, err
	}
	if ok {
		u.ended(Event{Stage: u.Stage.Name, ID: u.Stage.ID, Unit: u.Index, Key: key, Hit: true})
		return key, nil
	}
	if err := u.room(ctx); err != nil {
		return key, err
	}
	u.event(Event{Stage: u.Stage.Name, ID: u.Stage.ID, Unit: u.Index, Key: key, Begins: true})
	var waited time.Duration
	products, err := compute(gpu.WithWaited(gpu.WithProgress(ctx, u.share), &waited))
	if err != nil {
		return key, err
	}
	var bytes int64
	for _, p := range products {
		digest, n, err := u.Store.Create(ctx, p.Write)
		if err != nil {
			return key, err
		}
		outputs = append(outputs, cache.Output{Name: p.Name, Kind: p.Kind, Digest: digest, Bytes: n, Rows: p.Rows})
		bytes += n
	}
	if err := u.Store.Commit(ctx, r, outputs); err != nil {
		return key, err
	}
	u.ended(Event{Stage: u.Stage.Name, ID: u.Stage.ID, Unit: u.Index, Key: key, Bytes: bytes, Took: time.Since(begun) - waited})
	return key, nil
}

// load reads and decodes an output, checking that it is of the kind that the reader expects.
func load[T any](ctx context.Context, s cache.Store, o cache.Output, kind string, decode func(io.Reader) (T, error)) (T, error) {
	var zero T
	if o.Kind != kind {
		return zero, fmt.Errorf("read %s %s as %s: %w", o.Kind, o.Name, kind, artifacts.ErrFormat)
	}
	v, err := artifacts.Fetch(ctx, s, o.Digest, decode)
	if err != nil {
		return zero, fmt.Errorf("read %s %s: %w", o.Kind, o.Name, err)
	}
	return v, nil
}

// An Event tells that a unit was found (Hit) or computed, or, with Unit −1, that a stage's manifest
// was found or committed; or, before that, that a unit was not found and begins to be computed, or how far
// it is.
type Event struct {
	Stage  string // its name
	ID     string // the stage's, of all that have that name
	Unit   int
	Key    cache.ActionKey
	Hit    bool
	Begins bool
	Bytes  int64
	Took   time.Duration // without the time for which another unit had the device; of a stage, where a run tells of it, that of its units
	Part   float64       // how much of a unit is done that is still at work, between 0 and 1; 0 at its end
	Note   string        // a message without a unit's end: "loading gemma-3-270m"

	Warning bool // the note is one that even whoever asked for quiet must see

	Err error // why the unit could not be computed, with its type; the others go on
}

// Ends reports an event that tells of the end of a unit or a stage that is stored then, not of one that is at work or
// failed.
func (e Event) Ends() bool { return e.Note == "" && e.Part == 0 && !e.Begins && e.Err == nil }

// A run is what the units of one run share within a process.
type run struct {
	name   string
	ctx    context.Context
	stop   context.CancelFunc
	events func(Event)

	ended     *tally  // units that this process has finished, by stage's ID
	elsewhere bool    // it was begun by another process
	remote    *remote // then: what its units share on this worker
	env       Env     // and where it is

	mu      sync.Mutex
	stopped error            // what ended the run, typed: Beam carries errors between its parts as text
	dead    error            // the first failure of a unit
	needs   map[string]Stage // the stages that are not finished, by ID
	users   map[Model]int    // how many of them run a model
	graph   *graph
}

var runs sync.Map // run name → *run

// Begin makes a run known to the units of this process: they stop when ctx is cancelled and report
// to events, which may be called from several goroutines. The stages come in the order of the data. Models that none of
// them needs any more are closed, at the latest at the run's end. The returned function ends the run and gives the
// first typed errors: what stopped it, and what a unit alone failed with, which events were told of.
func Begin(ctx context.Context, name string, events func(Event), stages ...Stage) (end func() (stopped, failed error)) {
	r := &run{name: name, events: events, ended: new(tally), needs: map[string]Stage{}, users: map[Model]int{}, graph: newGraph(stages)}
	for _, s := range stages {
		r.needs[s.ID] = s
		for _, m := range s.Models() {
			r.users[m]++
		}
	}
	r.ctx, r.stop = context.WithCancel(ctx)
	runs.Store(name, r)
	return func() (stopped, failed error) {
		runs.Delete(name)
		closePanels(name)
		r.stop()
		r.mu.Lock()
		defer r.mu.Unlock()
		for m := range r.users { // of stages that were not finished
			closeModel(m)
		}
		return r.stopped, r.dead
	}
}

// lookupRun finds the run: one that this process began, or else another's.
func lookupRun(ctx context.Context, env Env) *run {
	if r, ok := runs.Load(env.Run); ok {
		return r.(*run)
	}
	return elsewhere(ctx, env)
}

// over tells whether the run was stopped on purpose, so that nothing is to be tried again.
func (r *run) over() bool {
	if r.remote != nil {
		return r.remote.asked(r.ctx, r.env)
	}
	return r.ctx.Err() != nil
}

func (u *Unit) event(e Event) { u.run.events(e) }

// A tally counts by name. The empty one, nil, counts nothing.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tally) add(name string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[name]++
}

func (t *tally) of(name string) int {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n[name]
}

// ended tells of the unit's end.
func (u *Unit) ended(e Event) {
	u.run.ended.add(u.Stage.ID)
	u.event(e)
}

// shareEvery is the least time between two events that say how far a unit is. Tests change it.
var shareEvery = 100 * time.Millisecond

// share says how far the unit is. It is called by one goroutine at a time.
func (u *Unit) share(part float64) {
	now := time.Now()
	if !(part > 0 && part < 1) || now.Sub(u.told) < shareEvery {
		return
	}
	u.told = now
	u.event(Event{Stage: u.Stage.Name, ID: u.Stage.ID, Unit: u.Index, Part: part})
}

// note reports something worth a line while a unit is at work.
func (u *Unit) note(format string, args ...any) {
	u.run.events(Event{Stage: u.Stage.Name, ID: u.Stage.ID, Unit: u.Index, Note: fmt.Sprintf(format, args...)})
}

// warn reports something that changes what the run can find.
func (u *Unit) warn(text string) {
	u.run.events(Event{Stage: u.Stage.Name, ID: u.Stage.ID, Unit: u.Index, Note: text, Warning: true})
}

// finished closes the models that were opened for a stage and that no other one of the run needs.
func (r *run) finished(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, ok := r.needs[id]
	if !ok {
		return
	}
	delete(r.needs, id)
	for _, m := range done.Models() {
		if r.users[m]--; r.users[m] == 0 {
			delete(r.users, m)
			closeModel(m)
		}
	}
}

// keep remembers the first error that ended the run and is not its own interruption. Where another process began the
// run, it is written down for it.
func (r *run) keep(stage string, unit int, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	if r.remote != nil {
		r.remote.failed(r.ctx, r.env, failed(stage, unit, err), final(err))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = cmp.Or(r.stopped, err)
}

// failed tells of a unit that could not be computed. If none could with the stage's settings, what only experiments
// with these settings need is not computed either.
func (r *run) failed(s Stage, unit int, err error) {
	r.mu.Lock()
	r.dead = cmp.Or(r.dead, err)
	if hopeless(err) {
		r.graph.giveUp(s.ID)
	}
	r.mu.Unlock()
	r.events(Event{Stage: s.Name, ID: s.ID, Unit: unit, Err: err})
}

// idle reports a stage that would be computed for nothing.
func (r *run) idle(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.graph.idle[id]
}
