package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
	"github.com/persona-transfer/runpipeline/transforms"
)

// ErrStage reports that a stage could not be finished. What was finished is kept.
var ErrStage = errors.New("stage not finished")

// ErrNoScale reports that the gate kept the generation from beginning, since none of its texts could have
// what the primary endpoint measures. It comes with ErrStage.
var ErrNoScale = transforms.ErrNoScale

// Options of one run. None of them may change a byte of a result.
type Options struct {
	Cache    string            // folder of the store
	Runner   string            // one of Runners
	Beam     map[string]string // the runner's own flags, such as endpoint
	Progress func(Event)       // called from one goroutine at a time
	Program  string            // what runs it, for the record

	FlinkREST string        // where Flink's own interface is, http://host:port; "": not known
	Stall     time.Duration // how long a remote run may go on without anything happening; 0: for ever
	Tell      func(string)  // is told what was done about a remote job, a line at a time; nil: nobody is
}

// An Event is progress: a unit is under way, was found or computed, or a stage was committed (Unit −1).
type Event = transforms.Event

// A Result is what a finished experiment leaves.
type Result struct {
	Report []byte                  // report.json
	Rows   func(w io.Writer) error // one JSON line for each generated text
	Texts  []artifacts.Sample      // the same texts, in their order
	Stages []StageRecord           // what was done for it in this run
	Plan   *Plan                   // every step a hit
}

// A StageRecord says what a run did for one stage. It is the only place where durations are kept.
type StageRecord struct {
	Stage   string  `json:"stage"`
	Key     string  `json:"key,omitempty"` // under which the store names everything that the stage made
	State   State   `json:"state"`         // before the run
	Units   int     `json:"units"`
	Hits    int     `json:"unit_hits"`
	Ran     int     `json:"units_run"`
	Bytes   int64   `json:"bytes_written"`
	Seconds float64 `json:"unit_seconds"` // summed over units
	Elapsed float64 `json:"seconds"`      // from the first unit's beginning to the end of the last, units side by side counted once
}

// Computed says whether the run did anything at all for its result.
func (r *Result) Computed() bool {
	return slices.ContainsFunc(r.Stages, func(s StageRecord) bool { return s.State == Run || s.State == Open })
}

var (
	beamInit sync.Once
	running  sync.Mutex // two Beam runs in one process race
)

// initBeam starts Beam, once in a process.
func initBeam(runner string) {
	beamInit.Do(func() {
		beam.Init()
		setupLogging(runner)
	})
}

// Run computes what is missing and returns the results. The first error of a unit is returned with
// its type, wrapped in [ErrStage]; whatever was finished stays in the store.
func (e *Experiment) Run(ctx context.Context, o Options) (*Result, error) {
	done, err := e.Alone().Run(ctx, o)
	if err != nil {
		return nil, err
	}
	return done.Cells[0].Load(ctx)
}

// A SweepResult is what a sweep left that came to its end.
type SweepResult struct {
	Cells  []CellResult  // in the order of the cells
	Stages []StageRecord // of all of them, what they share once
	Plan   *Plan
}

// A CellResult is what a cell left, or why it left nothing.
type CellResult struct {
	Err    error         // wraps ErrStage or ErrConfig; nil: there is a result
	Stages []StageRecord // what this run did for the cell, if only for others as well
	Plan   *Plan         // the cell's own

	store cache.Store
}

// Run computes what is missing, for all cells in one pipeline, and returns what each of them came to. A cell that
// cannot be finished keeps no other one from it; an error is of what ended the run for all of them.
func (s *Sweep) Run(ctx context.Context, o Options) (done *SweepResult, err error) {
	store, err := cache.Open(ctx, o.Cache)
	if err != nil {
		return nil, err
	}
	plan, err := s.Plan(ctx, store)
	if err != nil {
		return nil, err
	}
	before, record := plan, newRecord(plan)
	if record.log, err = newRunLog(store, o, plan, record, s); err != nil {
		return nil, err
	}
	defer func() { record.log.end(ctx, done, err, o.Progress) }()
	if !plan.Done() {
		if err := s.check(ctx, plan, o); err != nil {
			return nil, err
		}
		if err := s.repeatWarnings(ctx, store, plan, o.Progress); err != nil {
			return nil, err
		}
		failure := s.execute(ctx, store, plan, o, record)
		if failure != nil && (inProcess(o.Runner) || ctx.Err() != nil) {
			return nil, failure
		}
		if plan, err = s.Plan(ctx, store); err != nil {
			return nil, err
		}
		if failure != nil && !plan.Done() { // else what failed was tried again
			return nil, failure
		}
	}
	done = &SweepResult{Plan: plan, Stages: record.list(before, plan)}
	for _, e := range s.Experiments {
		own := plan.Of(e)
		c := CellResult{Plan: own, Stages: record.list(before.Of(e), own), store: store}
		if !own.Done() {
			c.Err = record.cause(own)
		}
		done.Cells = append(done.Cells, c)
	}
	return done, nil
}

// check reports what keeps a plan from being run.
func (s *Sweep) check(ctx context.Context, plan *Plan, o Options) error {
	if err := s.CanRun(plan); err != nil {
		return err
	}
	if inProcess(o.Runner) { // elsewhere the workers see for themselves
		if err := s.need(plan).fits(ctx); err != nil {
			return err
		}
	}
	if err := s.checkTexts(ctx); err != nil {
		return err
	}
	return s.each(plan, (*Experiment).checkJudge)
}

// execute stores the configuration's texts, builds the stages that are missing and runs them.
func (s *Sweep) execute(ctx context.Context, store cache.Store, plan *Plan, o Options, rec *record) error {
	if isDryRun(o) {
		return dryRun(ctx, plan, o)
	}
	if err := s.storeInputs(ctx, store); err != nil {
		return err
	}
	if err := ready(o.Runner); err != nil {
		return err
	}
	running.Lock()
	defer running.Unlock()
	name := rec.log.begin(ctx)
	forget, err := setFlags(o, name)
	if err != nil {
		return err
	}
	defer forget()
	initBeam(o.Runner)
	env := transforms.Env{Run: name, Cache: o.Cache, Retries: !inProcess(o.Runner)}
	p, root := beam.NewPipelineWithRoot()
	build(root, env, plan)
	if o.Runner == "direct" {
		if err := directRuns(p); err != nil {
			return err
		}
	}
	tell := func(ev Event) { rec.add(ev, o.Progress) }
	end := func() (stopped, failed error) { return nil, nil }
	if inProcess(o.Runner) || strings.EqualFold(o.Beam["environment_type"], "loopback") { // units are computed here
		end = transforms.Begin(ctx, env.Run, tell, plan.missing()...)
	}
	var runnerErr error
	if inProcess(o.Runner) { // an interruption stops the units, and the pipeline runs empty
		if _, runnerErr = beam.Run(context.WithoutCancel(ctx), o.Runner, p); runnerErr != nil {
			runnerErr = fmt.Errorf("%s runner: %w", o.Runner, runnerErr)
		}
	} else {
		runnerErr = typed(s.elsewhere(ctx, o, store, env.Run, p, plan, tell))
	}
	stopped, _ := end() // what failed alone is in rec
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case stopped != nil:
		return fmt.Errorf("%w: %w", ErrStage, stopped)
	case runnerErr != nil:
		return fmt.Errorf("%w: %w", ErrStage, runnerErr)
	}
	return nil
}

// elsewhere runs a pipeline on a remote runner, whose workers read from the store what the stages are.
func (s *Sweep) elsewhere(ctx context.Context, o Options, store cache.Store, run string, p *beam.Pipeline, plan *Plan, event func(Event)) error {
	if err := transforms.Publish(ctx, store, run, plan.missing()); err != nil {
		_ = transforms.ReportsOf(store, run).Clear(context.WithoutCancel(ctx), true)
		return err
	}
	return follow(ctx, o, store, run, p, event)
}

// storeInputs stores the texts of the configurations.
func (s *Sweep) storeInputs(ctx context.Context, store cache.Store) error {
	there := map[cache.Digest]bool{}
	for _, e := range s.Experiments {
		for d, b := range e.inputs {
			if there[d] {
				continue
			}
			there[d] = true
			if ok, err := store.Has(ctx, d); err != nil {
				return err
			} else if ok {
				continue
			}
			if _, _, err := store.Create(ctx, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
				return err
			}
		}
	}
	return nil
}

// cause gives the text of err from where the sentinel begins.
func cause(err, sentinel error) string {
	text := err.Error()
	if i := strings.Index(text, sentinel.Error()); i >= 0 {
		return text[i:]
	}
	return text
}

// build adds the stages that are missing, each reading the manifests that are there and waiting for
// those that are not.
func build(s beam.Scope, env transforms.Env, plan *Plan) {
	built, known := map[string]beam.PCollection{}, map[string]string{}
	for _, step := range plan.Steps {
		switch step.State {
		case Hit:
			known[step.Stage.ID] = step.Key.String()
		case Run, Open:
			keys := map[string]string{}
			var open []beam.PCollection
			for _, id := range step.Stage.Before() {
				if c, ok := built[id]; ok {
					open = append(open, c)
				} else if key, ok := known[id]; ok {
					keys[id] = key
				}
			}
			built[step.Stage.ID] = transforms.Apply(s, env, step.Stage, keys, open)
		}
	}
}

// checkTexts reports prompts and persona texts that a model reads as nothing, before any work.
func (e *Experiment) checkTexts(ctx context.Context) error {
	var problems Problems
	for _, s := range e.sides() {
		t, err := s.Text().Tokenizer(ctx)
		if err != nil {
			return err
		}
		if s.Template && t.ChatTemplate() == "" {
			problems = append(problems, fmt.Sprintf("chat_template: model %s has none", modelName(s.Ref)))
			continue
		}
		if s.Template && asksForDate(t) {
			problems = append(problems, fmt.Sprintf("template_date: the chat template of model %s writes today's date, and a run must give the same tomorrow: set it to a date, YYYY-MM-DD", modelName(s.Ref)))
			continue
		}
		for _, name := range e.PersonaDatasets.Names() {
			set := e.PersonaDatasets.Sets[name]
			for _, text := range slices.Concat(set.Positive, set.Negative) {
				problems = append(problems, e.unreadable(s, t, "persona_datasets."+name, text)...)
			}
		}
		if s == &e.Target { // the source reads no prompt
			for _, p := range e.TestPrompts.List[:e.NTestPrompts] {
				problems = append(problems, e.unreadable(s, t, "test_prompts", p.Text)...)
			}
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return slices.Compact(problems)
	}
	return nil
}

// asksForDate reports a chat template that cannot be written without a date.
func asksForDate(t *tokenizer.Tokenizer) bool {
	_, err := t.Chat([]tokenizer.Message{{Role: "user", Content: "text"}}, true)
	return errors.Is(err, tokenizer.ErrNoDate)
}

// unreadable reports a text that a model reads as nothing. Each text is read once, whatever cells have it.
func (e *Experiment) unreadable(s *Side, t *tokenizer.Tokenizer, key, text string) Problems {
	_, err := e.common.readable.get(readKey{s.Text(), text}, func() (struct{}, error) {
		return struct{}{}, transforms.CheckText(t, s.Template, text)
	})
	if err != nil {
		return Problems{key + ": " + strings.TrimPrefix(err.Error(), transforms.ErrTexts.Error()+": ")}
	}
	return nil
}

// Load reads the results of a cell that has any.
func (c *CellResult) Load(ctx context.Context) (*Result, error) {
	if c.Err != nil {
		return nil, c.Err
	}
	last := c.Plan.Last().Manifest
	report, ok := last.Find("report")
	rows, ok2 := last.Find("rows")
	if !ok || !ok2 {
		return nil, fmt.Errorf("read results: the evaluation lacks its report or its rows: %w", artifacts.ErrFormat)
	}
	text, err := c.store.Read(ctx, report.Digest)
	if err != nil {
		return nil, err
	}
	samples, err := artifacts.Fetch(ctx, c.store, rows.Digest, artifacts.DecodeEvaluation)
	if err != nil {
		return nil, err
	}
	return &Result{Report: text, Rows: samples.WriteJSONL, Texts: samples.Rows, Stages: c.Stages, Plan: c.Plan}, nil
}

// A record gathers what a run does.
type record struct {
	mu     sync.Mutex
	stages map[string]*StageRecord // by the stage's ID
	begun  map[string]time.Time
	failed []Event // units, in the order of time
	log    *runLog
}

func newRecord(p *Plan) *record {
	r := &record{stages: map[string]*StageRecord{}, begun: map[string]time.Time{}}
	for _, s := range p.Steps {
		r.stages[s.Stage.ID] = &StageRecord{Stage: s.Stage.Name, State: s.State, Units: s.Stage.Units}
	}
	return r
}

func (r *record) add(ev Event, progress func(Event)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stages[ev.ID]
	switch {
	case s == nil:
	case ev.Unit >= 0:
		r.clock(s, ev)
	default: // what gathers a stage's units may wait for other stages
		ev.Took = time.Duration(s.Elapsed * float64(time.Second))
	}
	r.log.event(ev)
	if s != nil && ev.Unit >= 0 && ev.Ends() {
		if ev.Hit {
			s.Hits++
		} else {
			s.Ran++
		}
		s.Bytes += ev.Bytes
		s.Seconds += ev.Took.Round(time.Millisecond).Seconds()
	}
	if ev.Err != nil {
		r.failed = append(r.failed, ev)
	}
	if progress != nil {
		progress(ev)
	}
}

// clock brings a stage's elapsed time up to now, when an event of one of its units has come.
func (r *record) clock(s *StageRecord, ev Event) {
	begun := time.Now().Add(-ev.Took)
	if at, ok := r.begun[ev.ID]; ok && at.Before(begun) {
		begun = at
	}
	r.begun[ev.ID] = begun
	s.Elapsed = time.Since(begun).Round(time.Millisecond).Seconds()
}

// list gives the records of a plan's stages, with their keys in that of a finished run.
func (r *record) list(before, after *Plan) []StageRecord {
	var out []StageRecord
	for i, step := range before.Steps {
		s := *r.stages[step.Stage.ID]
		s.State = step.State
		if now := after.Steps[i]; now.State == Hit {
			s.Key = now.Key.String()
		}
		out = append(out, s)
	}
	return out
}

// cause is why a plan is not done: the first failure of a unit of one of its stages, as far as this process knows it.
func (r *record) cause(p *Plan) error {
	for _, ev := range r.failed {
		if _, ok := p.at[ev.ID]; !ok {
			continue
		}
		if errors.Is(ev.Err, transforms.ErrTexts) {
			return Problems{strings.TrimPrefix(cause(ev.Err, transforms.ErrTexts), transforms.ErrTexts.Error()+": ")}
		}
		return fmt.Errorf("%w: %w", ErrStage, ev.Err)
	}
	for _, s := range p.Steps {
		if s.State == Run {
			return fmt.Errorf("%w: %s", ErrStage, s.Stage.Name)
		}
	}
	return fmt.Errorf("%w: %s", ErrStage, p.Last().Stage.Name)
}
