package transforms

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// Workers of a run that another process began tell that process what they do by notes in the store, the one place
// that both reach:
//
//	runs/RUN/units/TIME-RANDOM    an event
//	runs/RUN/failed/TIME-RANDOM   a failure, with what kind it is
//	runs/RUN/stages/ID            a stage, written before the job is submitted
//	runs/RUN/stop                 that no more units are to begin, and why
//
// The process that began the run reads and removes the first two, writes the others and removes them when the job has
// ended. No result depends on a note: an event that is lost costs a line of progress, a stage that is lost an error.

// A Failed is a failure as a worker writes it down.
type Failed struct {
	Stage string `json:"stage"`
	Unit  int    `json:"unit"`           // −1: of the stage as a whole
	Text  string `json:"error"`          // what happened
	Kind  string `json:"kind,omitempty"` // which of failureKinds it is
}

// failureKinds are the errors whose type matters beyond a process: for the exit code, and for whether it is of any
// use to try again. final ones would meet every other worker as well, or need a person.
var failureKinds = []struct {
	name  string
	err   error
	final bool
}{
	{"corrupt", cache.ErrCorrupt, true},
	{"mismatch", cache.ErrMismatch, true},
	{"missing", checkpoint.ErrNotFound, true},
	{"format", checkpoint.ErrFormat, true},
	{"device", gpu.ErrNoDevice, true},
	{"room", ErrRoom, true},
	{"texts", ErrTexts, false}, // of one stage alone
	{"scale", ErrNoScale, false},
	{"memory", gpu.ErrMemory, false},
	{"absent", fs.ErrNotExist, false},
}

// final tells a failure after which it is of no use to try again.
func final(err error) bool {
	for _, k := range failureKinds {
		if errors.Is(err, k.err) {
			return k.final
		}
	}
	return stopped(err)
}

// failed describes an error for another process.
func failed(stage string, unit int, err error) Failed {
	f := Failed{Stage: stage, Unit: unit, Text: err.Error()}
	for _, k := range failureKinds {
		if errors.Is(err, k.err) {
			f.Kind = k.name
			break
		}
	}
	return f
}

// A remoteError is an error of another process: its text, and which of failureKinds it was.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }

// Err is the failure as an error of the type that it had where it happened.
func (f Failed) Err() error {
	e := &remoteError{text: f.Text}
	for _, k := range failureKinds {
		if k.name == f.Kind {
			e.is = k.err
		}
	}
	return e
}

// Final tells a failure after which it was of no use to try again.
func (f Failed) Final() bool { return final(f.Err()) }

// noteStamp makes names of notes that are in order of time, as far as clocks agree, and never alike.
func noteStamp() string {
	var b [6]byte
	rand.Read(b[:])
	return time.Now().UTC().Format("20060102T150405.000000000") + "-" + hex.EncodeToString(b[:])
}

func stagesPrefix(run string) string { return "runs/" + run + "/stages/" }
func unitsPrefix(run string) string  { return "runs/" + run + "/units/" }
func failedPrefix(run string) string { return "runs/" + run + "/failed/" }
func stopNote(run string) string     { return "runs/" + run + "/stop" }

// How often a worker looks for the mark that stops its run, and says how far a unit is.
const (
	lookEvery = 2 * time.Second
	partEvery = 5 * time.Second
)

// A remote is what the units of one run share on a worker.
type remote struct {
	name  string
	ended tally

	mu      sync.Mutex
	looked  time.Time // for the mark
	stopped bool
	said    map[string]time.Time // when a unit last said how far it is
	stages  map[string]Stage     // that were read, by ID
}

var remotes sync.Map // run name → *remote; a run that is followed by another leaves some hundred bytes behind

// elsewhere is a run that another process began, for the length of one bundle's element.
func elsewhere(ctx context.Context, env Env) *run {
	known, old := remotes.LoadOrStore(env.Run, &remote{name: env.Run, said: map[string]time.Time{}, stages: map[string]Stage{}})
	m := known.(*remote)
	if !old {
		remotes.Range(func(_, other any) bool {
			other.(*remote).forget() // one that goes on reads them again
			return true
		})
	}
	r := &run{name: env.Run, elsewhere: true, remote: m, env: env, ended: &m.ended, graph: newGraph(nil)}
	r.ctx, r.stop = context.WithCancel(ctx)
	r.events = func(e Event) { m.tell(ctx, env, e) }
	return r
}

// forget lets go of the stages that were read: a worker outlives many runs.
func (m *remote) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.stages)
}

// store opens the run's store, as every unit does.
func (e Env) store(ctx context.Context) (cache.Store, error) {
	return stores.get(e.Cache, func() (cache.Store, error) {
		s, err := cache.Open(context.WithoutCancel(ctx), e.Cache)
		return troubled{s}, trouble(err)
	})
}

// tell writes an event down. Of how far units are, a few are enough.
func (m *remote) tell(ctx context.Context, env Env, e Event) {
	if e.Part > 0 {
		key := fmt.Sprintf("%s %d", e.Stage, e.Unit)
		m.mu.Lock()
		early := time.Since(m.said[key]) < partEvery
		if !early {
			m.said[key] = time.Now()
		}
		m.mu.Unlock()
		if early {
			return
		}
	}
	if text, err := json.Marshal(toWire(e)); err == nil {
		env.note(ctx, unitsPrefix(m.name)+noteStamp(), text)
	}
}

// note sets a note, also for a run that is being stopped. One that cannot be written is tried once more.
func (e Env) note(ctx context.Context, name string, text []byte) {
	ctx = context.WithoutCancel(ctx)
	store, err := e.store(ctx)
	if err != nil {
		return
	}
	if store.SetNote(ctx, name, text) != nil {
		_ = store.SetNote(ctx, name, text)
	}
}

// failed writes a failure down; one after which it is of no use to try again stops the run on all workers.
func (m *remote) failed(ctx context.Context, env Env, f Failed, final bool) {
	if text, err := json.Marshal(f); err == nil {
		env.note(ctx, failedPrefix(m.name)+noteStamp(), text)
	}
	if final {
		env.note(ctx, stopNote(m.name), []byte("a unit failed\n"))
		m.mu.Lock()
		m.stopped = true
		m.mu.Unlock()
	}
}

// asked tells whether the run was told to stop, looking at most every few seconds. A run that was told so stays
// stopped: its name is never used again.
func (m *remote) asked(ctx context.Context, env Env) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped || time.Since(m.looked) < lookEvery {
		return m.stopped
	}
	m.looked = time.Now()
	store, err := env.store(ctx)
	if err == nil {
		_, m.stopped, err = store.Note(ctx, stopNote(m.name))
		m.stopped = m.stopped || errors.Is(err, cache.ErrCorrupt)
	}
	return m.stopped
}

// watch ends the run's units on this worker when the run is told to stop. The returned function ends the watching.
func (r *run) watch() (end func()) {
	if r.remote == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if r.remote.asked(r.ctx, r.env) {
					r.stop()
					return
				}
			}
		}
	}()
	return func() {
		close(done)
		r.stop()
	}
}

// wireEvent is an event as a note has it.
type wireEvent struct {
	Stage   string  `json:"stage"`
	ID      string  `json:"id"`
	Unit    int     `json:"unit"`
	Key     string  `json:"key,omitempty"`
	Hit     bool    `json:"hit,omitempty"`
	Begins  bool    `json:"begins,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`
	Took    int64   `json:"took_ns,omitempty"`
	Part    float64 `json:"part,omitempty"`
	Note    string  `json:"note,omitempty"`
	Warning bool    `json:"warning,omitempty"`
	Failed  *Failed `json:"failed,omitempty"`
}

func toWire(e Event) wireEvent {
	w := wireEvent{Stage: e.Stage, ID: e.ID, Unit: e.Unit, Hit: e.Hit, Begins: e.Begins, Bytes: e.Bytes, Took: int64(e.Took), Part: e.Part, Note: e.Note, Warning: e.Warning}
	if e.Key != (cache.ActionKey{}) {
		w.Key = e.Key.String()
	}
	if e.Err != nil {
		f := failed(e.Stage, e.Unit, e.Err)
		w.Failed = &f
	}
	return w
}

func (w wireEvent) event() (Event, error) {
	e := Event{Stage: w.Stage, ID: w.ID, Unit: w.Unit, Hit: w.Hit, Begins: w.Begins, Bytes: w.Bytes, Took: time.Duration(w.Took), Part: w.Part, Note: w.Note, Warning: w.Warning}
	if w.Failed != nil {
		e.Err = w.Failed.Err()
	}
	if w.Key == "" {
		return e, nil
	}
	var err error
	e.Key, err = cache.ParseActionKey(w.Key)
	return e, err
}

// Reports is the other end: what a run's workers wrote down.
type Reports struct {
	store cache.Store
	run   string
	taken map[string]bool // notes that were read and could not be removed
}

// ReportsOf reads what the workers of a run write down.
func ReportsOf(store cache.Store, run string) *Reports {
	return &Reports{store: store, run: run, taken: map[string]bool{}}
}

// Events gives and removes what came since it was last called, in order of time.
func (p *Reports) Events(ctx context.Context) (events []Event, err error) {
	err = p.take(ctx, unitsPrefix(p.run), func(text []byte) error {
		var w wireEvent
		if err := json.Unmarshal(text, &w); err != nil {
			return err
		}
		e, err := w.event()
		events = append(events, e)
		return err
	})
	return events, err
}

// Failures is the same for what failed.
func (p *Reports) Failures(ctx context.Context) (failures []Failed, err error) {
	err = p.take(ctx, failedPrefix(p.run), func(text []byte) error {
		var f Failed
		err := json.Unmarshal(text, &f)
		failures = append(failures, f)
		return err
	})
	return failures, err
}

// take reads and removes notes, each once. Those that are damaged or of no known form are removed and passed over; one
// that a failing store keeps from being read or removed is left for the next time, and keeps the others from nothing.
func (p *Reports) take(ctx context.Context, prefix string, read func(text []byte) error) error {
	var names []string
	problem := p.store.Notes(ctx, prefix, func(name string) error { names = append(names, name); return nil })
	for _, name := range names {
		if !p.taken[name] {
			text, ok, err := p.store.Note(ctx, name)
			if err != nil && !errors.Is(err, cache.ErrCorrupt) {
				problem = cmp.Or(problem, err)
				continue
			}
			if err == nil && ok {
				_ = read(text)
			}
			p.taken[name] = true
		}
		if err := p.store.RemoveNote(ctx, name); err != nil {
			problem = cmp.Or(problem, err)
			continue
		}
		delete(p.taken, name)
	}
	return problem
}

// Stop tells the run's workers that no more units are to begin, and why.
func (p *Reports) Stop(ctx context.Context, why string) error {
	return p.store.SetNote(ctx, stopNote(p.run), []byte(why+"\n"))
}

// Clear removes what is left. stopped says that no worker computes for the run any more: only then is the mark that
// stops them removed as well. A store that fails is asked again, since nobody else will.
func (p *Reports) Clear(ctx context.Context, stopped bool) (err error) {
	nothing := func([]byte) error { return nil }
	for range tries {
		err = cmp.Or(p.take(ctx, unitsPrefix(p.run), nothing), p.take(ctx, failedPrefix(p.run), nothing))
		if stopped {
			err = cmp.Or(err, p.take(ctx, stagesPrefix(p.run), nothing), p.store.RemoveNote(ctx, stopNote(p.run)))
		}
		if err == nil {
			return nil
		}
	}
	return err
}
