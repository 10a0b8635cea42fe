package pipelines

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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
	Elapsed float64 `json:"seconds"`      // from the first unit's beginning to the last event, units side by side counted once
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
	store, err := cache.Open(ctx, o.Cache)
	if err != nil {
		return nil, err
	}
	plan, err := e.Plan(ctx, store)
	if err != nil {
		return nil, err
	}
	record := newRecord(plan)
	if !plan.Done() {
		if err := e.CanRun(plan); err != nil {
			return nil, err
		}
		if inProcess(o.Runner) { // elsewhere the workers see for themselves
			if err := e.need(plan).fits(ctx); err != nil {
				return nil, err
			}
		}
		if err := e.checkTexts(ctx); err != nil {
			return nil, err
		}
		if err := e.checkJudge(plan); err != nil {
			return nil, err
		}
		if err := repeatWarnings(ctx, store, plan, o.Progress); err != nil {
			return nil, err
		}
		if err := e.execute(ctx, store, plan, o, record); err != nil {
			return nil, err
		}
		if plan, err = e.Plan(ctx, store); err != nil {
			return nil, err
		}
		if !plan.Done() {
			return nil, fmt.Errorf("%w: %s", ErrStage, unfinished(plan))
		}
	}
	return e.result(ctx, store, plan, record)
}

// repeatWarnings says again what the gate said when it let a generation pass, if there is more to generate.
func repeatWarnings(ctx context.Context, store cache.Store, plan *Plan, progress func(Event)) error {
	if s := plan.step("generate").State; plan.step("gate").State != Hit || s != Run && s != Open || progress == nil {
		return nil
	}
	y, err := yardstick(ctx, store, plan)
	if err != nil || y == nil {
		return err
	}
	for _, text := range y.Warnings() {
		progress(Event{Stage: "gate", Note: text, Warning: true})
	}
	return nil
}

func unfinished(p *Plan) string {
	for _, s := range p.Steps {
		if s.State == Run {
			return s.Stage.Name
		}
	}
	return p.Last().Stage.Name
}

// execute stores the configuration's texts, builds the stages that are missing and runs them.
func (e *Experiment) execute(ctx context.Context, store cache.Store, plan *Plan, o Options, rec *record) error {
	for d, b := range e.inputs {
		if ok, err := store.Has(ctx, d); err != nil {
			return err
		} else if ok {
			continue
		}
		if _, _, err := store.Create(ctx, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
			return err
		}
	}
	if err := ready(o.Runner); err != nil {
		return err
	}
	running.Lock()
	defer running.Unlock()
	forget, err := setFlags(o)
	if err != nil {
		return err
	}
	defer forget()
	initBeam(o.Runner)
	env := transforms.Env{Run: runName(), Cache: o.Cache, Retries: !inProcess(o.Runner)}
	p, s := beam.NewPipelineWithRoot()
	build(s, env, plan)
	if o.Runner == "direct" {
		if err := directRuns(p); err != nil {
			return err
		}
	}
	end := transforms.Begin(ctx, env.Run, func(ev Event) { rec.add(ev, o.Progress) }, plan.missing()...)
	beamCtx := ctx
	if inProcess(o.Runner) { // an interruption stops the units, and the pipeline runs empty
		beamCtx = context.WithoutCancel(ctx)
	}
	_, beamErr := beam.Run(beamCtx, o.Runner, p)
	err = end()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		if errors.Is(err, transforms.ErrTexts) {
			return Problems{strings.TrimPrefix(cause(err, transforms.ErrTexts), transforms.ErrTexts.Error()+": ")}
		}
		return fmt.Errorf("%w: %w", ErrStage, err)
	case beamErr != nil:
		return fmt.Errorf("%w: %s runner: %w", ErrStage, o.Runner, beamErr)
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
			known[step.Stage.Name] = step.Key.String()
		case Run, Open:
			keys := map[string]string{}
			var open []beam.PCollection
			for _, name := range step.Stage.Before() {
				if c, ok := built[name]; ok {
					open = append(open, c)
				} else if key, ok := known[name]; ok {
					keys[name] = key
				}
			}
			built[step.Stage.Name] = transforms.Apply(s, env, step.Stage, keys, open)
		}
	}
}

func runName() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
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
				problems = append(problems, unreadable(t, s.Template, "persona_datasets."+name, text)...)
			}
		}
		if s == &e.Target { // the source reads no prompt
			for _, p := range e.TestPrompts.List[:e.NTestPrompts] {
				problems = append(problems, unreadable(t, s.Template, "test_prompts", p.Text)...)
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

func unreadable(t *tokenizer.Tokenizer, template bool, key, text string) Problems {
	if err := transforms.CheckText(t, template, text); err != nil {
		return Problems{key + ": " + strings.TrimPrefix(err.Error(), transforms.ErrTexts.Error()+": ")}
	}
	return nil
}

// result reads the last stage's outputs.
func (e *Experiment) result(ctx context.Context, store cache.Store, plan *Plan, rec *record) (*Result, error) {
	last := plan.Last().Manifest
	report, ok := last.Find("report")
	rows, ok2 := last.Find("rows")
	if !ok || !ok2 {
		return nil, fmt.Errorf("read results: the evaluation lacks its report or its rows: %w", artifacts.ErrFormat)
	}
	text, err := store.Read(ctx, report.Digest)
	if err != nil {
		return nil, err
	}
	samples, err := artifacts.Fetch(ctx, store, rows.Digest, artifacts.DecodeEvaluation)
	if err != nil {
		return nil, err
	}
	return &Result{Report: text, Rows: samples.WriteJSONL, Texts: samples.Rows, Stages: rec.list(plan), Plan: plan}, nil
}

// A record gathers what a run does.
type record struct {
	mu     sync.Mutex
	order  []string
	stages map[string]*StageRecord
	begun  map[string]time.Time
}

func newRecord(p *Plan) *record {
	r := &record{stages: map[string]*StageRecord{}, begun: map[string]time.Time{}}
	for _, s := range p.Steps {
		r.order = append(r.order, s.Stage.Name)
		r.stages[s.Stage.Name] = &StageRecord{Stage: s.Stage.Name, State: s.State, Units: s.Stage.Units}
	}
	return r
}

func (r *record) add(ev Event, progress func(Event)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock(ev)
	if s := r.stages[ev.Stage]; s != nil && ev.Unit >= 0 && ev.Ends() {
		if ev.Hit {
			s.Hits++
		} else {
			s.Ran++
		}
		s.Bytes += ev.Bytes
		s.Seconds += ev.Took.Round(time.Millisecond).Seconds()
	}
	if progress != nil {
		progress(ev)
	}
}

// clock brings the elapsed time of the event's stage up to now.
func (r *record) clock(ev Event) {
	s := r.stages[ev.Stage]
	if s == nil {
		return
	}
	begun := time.Now().Add(-ev.Took)
	if at, ok := r.begun[ev.Stage]; ok && at.Before(begun) {
		begun = at
	}
	r.begun[ev.Stage] = begun
	s.Elapsed = time.Since(begun).Round(time.Millisecond).Seconds()
}

// list gives the records of all stages, with their keys in the plan of a finished run.
func (r *record) list(p *Plan) []StageRecord {
	var out []StageRecord
	for _, name := range r.order {
		s := *r.stages[name]
		if step := p.step(name); step.State == Hit {
			s.Key = step.Key.String()
		}
		out = append(out, s)
	}
	return out
}
