package pipelines

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
)

// A runLog writes the record of a run: when it begins, when a stage is committed, every half minute, and at its end. The
// record is advisory, so a store that does not take it stops no run; it is told of once.
type runLog struct {
	store   cache.Store
	rec     *record
	release func()
	changed chan struct{} // a stage was committed
	stop    context.CancelFunc
	stopped sync.WaitGroup
	sweep   *Sweep

	mu     sync.Mutex
	r      RunRecord
	units  map[string][]cache.ActionKey // by the stage's ID; of stages that are not committed
	keys   map[string]cache.ActionKey   // of those that are
	ids    []string                     // of r.Stages
	failed error
}

// newRunLog prepares the record of a run with a plan. Nothing is written before it begins.
func newRunLog(store cache.Store, o Options, plan *Plan, rec *record, s *Sweep) (*runLog, error) {
	config := s.Cells[0].Config
	config.DevicePlugin = "" // a place of this machine that decides nothing; a store may be shared
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("record the configuration: %w", err)
	}
	l := &runLog{store: store, rec: rec, release: func() {}, changed: make(chan struct{}, 1), stop: func() {}, sweep: s,
		units: map[string][]cache.ActionKey{}, keys: map[string]cache.ActionKey{},
		r: RunRecord{State: Running, Begun: wallClock().UTC(), Program: o.Program, Runner: o.Runner, Device: s.Experiments[0].DeviceText(), Machine: thisMachine(), Config: text}}
	for _, step := range plan.Steps {
		l.ids = append(l.ids, step.Stage.ID)
		l.r.Stages = append(l.r.Stages, RunStage{StageRecord: StageRecord{Stage: step.Stage.Name, State: step.State, Units: step.Stage.Units}, Why: step.Why})
		if step.State == Hit {
			l.keys[step.Stage.ID] = step.Key
		}
	}
	return l, nil
}

// begin names the run, writes its record and keeps it fresh until its end.
func (l *runLog) begin(ctx context.Context) string {
	l.name(ctx)
	release, err := cache.Hold(l.store, l.r.Run)
	if err == nil {
		l.release = release
	}
	l.keep(err)
	l.write(ctx)
	going, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.stopped.Go(func() {
		beat := time.NewTicker(beatEvery)
		defer beat.Stop()
		for {
			select {
			case <-going.Done():
				return
			case <-beat.C:
			case <-l.changed:
			}
			l.write(going)
		}
	})
	return l.r.Run
}

// name gives the run a name that comes after those of all runs of the store, whatever the clock says.
func (l *runLog) name(ctx context.Context) {
	at := l.r.Begun
	if names, err := runNames(ctx, l.store); err == nil && len(names) > 0 {
		last, _, _ := cutLast(names[len(names)-1])
		if t, err := time.Parse(runTime, last); err == nil && !at.Truncate(time.Second).After(t) {
			at = t.Add(time.Second)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r.Run = runNameAt(at)
}

// runNameAt names a run: later ones come later, and no two are alike.
func runNameAt(at time.Time) string {
	var tail [4]byte
	rand.Read(tail[:])
	return at.Format(runTime) + "-" + hex.EncodeToString(tail[:])
}

// runTime is how a run's name begins.
const runTime = "20060102T150405Z"

func cutLast(name string) (before, after string, ok bool) {
	if len(name) <= len(runTime) {
		return name, "", false
	}
	return name[:len(runTime)], name[len(runTime):], true
}

// event notes a unit that is there, and a stage that is committed.
func (l *runLog) event(ev Event) {
	if l == nil || !ev.Ends() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ev.Unit >= 0 {
		l.units[ev.ID] = append(l.units[ev.ID], ev.Key)
		return
	}
	delete(l.units, ev.ID)
	l.keys[ev.ID] = ev.Key
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// end writes the record for the last time. A run that was refused before it began leaves none; one that had nothing to do
// does, since it needs what is there. done is nil where err ended all of its cells.
func (l *runLog) end(ctx context.Context, done *SweepResult, err error, progress func(Event)) {
	begun := l.r.Run != ""
	if !begun && err != nil {
		return
	}
	l.stop()
	l.stopped.Wait()
	defer l.release()
	ctx = context.WithoutCancel(ctx)
	if !begun {
		l.name(ctx)
	}
	var cells []RunCell
	for i, c := range l.sweep.Cells {
		cell := RunCell{Settings: c.Text()}
		if done != nil {
			cell = runCell(ctx, l.store, done.Cells[i].Plan, c.Text())
			err = cmp.Or(err, done.Cells[i].Err)
		}
		cells = append(cells, cell)
	}
	l.mu.Lock()
	l.r.State, l.r.Cells = Done, cells
	if err != nil {
		l.r.State, l.r.Error = Failed, err.Error()
	}
	if errors.Is(err, context.Canceled) {
		l.r.State = Interrupted
	}
	l.mu.Unlock()
	l.write(ctx)
	if begun && l.failed != nil && progress != nil {
		progress(Event{Note: fmt.Sprintf("the record of this run is not whole, so \"runs\" and \"gc\" do not know all of it: %v", l.failed), Warning: true})
	}
}

// write writes the record as it is now.
func (l *runLog) write(ctx context.Context) {
	stages := l.rec.snapshot(l.ids) // before the lock: events come under the record's own
	l.mu.Lock()
	l.r.Beat = wallClock().UTC()
	l.r.Beats++
	for i, id := range l.ids {
		s := &l.r.Stages[i]
		s.StageRecord, s.Found = stages[i], l.units[id]
		if key, ok := l.keys[id]; ok {
			s.Key = key.String()
		}
	}
	text, err := l.r.encode()
	l.mu.Unlock()
	if err == nil {
		err = l.store.SetNote(ctx, recordName(l.r.Run), text)
	}
	if ctx.Err() == nil {
		l.keep(err)
	}
}

// keep keeps the first failure.
func (l *runLog) keep(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

// snapshot gives what was done so far for stages.
func (r *record) snapshot(ids []string) (out []StageRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		out = append(out, *r.stages[id])
	}
	return out
}

// runCell says what a finished plan came to.
func runCell(ctx context.Context, store cache.Store, plan *Plan, settings string) RunCell {
	c := RunCell{Settings: settings}
	last := plan.Last()
	if last.State != Hit {
		return c
	}
	c.Result = last.Key.String()
	if report, ok := last.Manifest.Find("report"); ok {
		if text, err := store.Read(ctx, report.Digest); err == nil {
			c.Verdict = verdictOf(text)
		}
	}
	return c
}

// verdictOf is the word for what a report came to, as people read it: "success". It is empty where the report says none.
func verdictOf(report []byte) string {
	var e struct {
		Evaluation struct {
			Pooled struct{ Verdict struct{ Meaning string } }
		}
	}
	if json.Unmarshal(report, &e) != nil {
		return ""
	}
	word, _, _ := strings.Cut(e.Evaluation.Pooled.Verdict.Meaning, ":")
	return word
}
