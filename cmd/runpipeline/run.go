package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
)

// experimentFlags say which experiment, with which store.
type experimentFlags struct {
	config, cache string
	set           list
	device        deviceFlags
}

// cacheUsage explains -cache, in every command.
const cacheUsage = "`place` of the artifact store: a folder, s3://BUCKET/FOLDER, gs://… or azblob://… (default: runpipeline in the user's cache folder)"

func (x *experimentFlags) register(f *flag.FlagSet) {
	f.StringVar(&x.config, "config", "", "configuration `file` (default: the embedded experiment)")
	f.Var(&x.set, "set", "override one `key=value` of the configuration, for instance -set n_seeds=1; may be repeated")
	f.StringVar(&x.cache, "cache", "", cacheUsage)
	x.device.register(f, "")
}

type runFlags struct {
	experimentFlags
	runner, trace string
	remote        remoteFlags
	json, quiet   bool
}

func (x *runFlags) register(f *flag.FlagSet) {
	x.experimentFlags.register(f)
	f.StringVar(&x.runner, "runner", "direct", "Beam `runner`: "+strings.Join(pipelines.Runners, ", ")+" (direct: in this process, no port; prism opens ports to everyone)")
	x.remote.register(f)
	f.BoolVar(&x.json, "json", false, "print JSON instead of a table")
	f.BoolVar(&x.quiet, "quiet", false, "no progress")
	f.StringVar(&x.trace, "trace", "", "append JSON lines to this `file`: before a unit is computed, and when it is found or stored")
}

// read reads the configuration.
func (x *experimentFlags) read(ctx context.Context) (pipelines.Config, error) {
	set, err := x.device.settings()
	if err != nil {
		return pipelines.Config{}, err
	}
	return pipelines.LoadConfig(ctx, x.config, append(slices.Clone(x.set), set...))
}

// load reads the configuration and finds the models.
func (x *experimentFlags) load(ctx context.Context, metadataOnly bool) (*pipelines.Experiment, error) {
	c, err := x.read(ctx)
	if err != nil {
		return nil, err
	}
	return experiment(ctx, c, metadataOnly)
}

// sweep reads the configurations and finds the models of all of them.
func (x *experimentFlags) sweep(ctx context.Context, metadataOnly bool) (*pipelines.Sweep, error) {
	set, err := x.device.settings()
	if err != nil {
		return nil, err
	}
	cells, err := pipelines.LoadSweep(ctx, x.config, append(slices.Clone(x.set), set...))
	if err != nil {
		return nil, err
	}
	s, err := pipelines.NewSweep(ctx, cells, metadataOnly)
	return s, noDevice(err, cells[0].Config)
}

// experiment finds a configuration's device and models.
func experiment(ctx context.Context, c pipelines.Config, metadataOnly bool) (*pipelines.Experiment, error) {
	e, err := pipelines.NewExperiment(ctx, c, metadataOnly)
	return e, noDevice(err, c)
}

// noDevice says what helps without a device.
func noDevice(err error, c pipelines.Config) error {
	if errors.Is(err, pipelines.ErrNoDevice) && !errors.Is(err, pipelines.ErrConfig) {
		return hinted{err, "what is stored of a run on it is found without it by -device TEXT, where TEXT is what its recipes have: " + deviceTexts(c)}
	}
	return err
}

// deviceTexts says what to write for a device that is not here.
func deviceTexts(c pipelines.Config) string {
	if text := recorded(c.OutputDir).Device; c.NamedDevice(text) {
		return fmt.Sprintf("%s, as %s says", text, filepath.Join(c.OutputDir, runFile))
	}
	return fmt.Sprintf("the run said it, and its %s has it", runFile)
}

// folder is where the store is: its location, which may be that of a bucket.
func (x *experimentFlags) folder() (string, error) {
	if x.cache != "" {
		at, err := cache.Location(x.cache)
		if err != nil {
			return "", storeProblem(err)
		}
		return at, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", pipelines.Problems{"no user cache folder (" + err.Error() + "); name one with -cache"}
	}
	return filepath.Join(base, "runpipeline"), nil
}

func (x *runFlags) options() (pipelines.Options, error) {
	o := pipelines.Options{Runner: x.runner, FlinkREST: x.remote.flinkREST, Stall: x.remote.stall, Program: builtFrom()}
	var problems pipelines.Problems
	o.Beam, problems = x.remote.flags()
	if !slices.Contains(pipelines.Runners, x.runner) {
		problems = append(problems, fmt.Sprintf("-runner %s: want one of %s", x.runner, strings.Join(pipelines.Runners, ", ")))
	}
	if x.runner == "dataflow" {
		o.Beam = pipelines.DataflowFlags(o.Beam)
	}
	if len(problems) == 0 {
		problems = pipelines.CheckRunner(x.runner, o.Beam)
	}
	if len(problems) > 0 {
		return o, problems
	}
	var err error
	if o.Cache, err = x.folder(); err != nil {
		return o, err
	}
	if problems := pipelines.CheckStore(o); len(problems) > 0 {
		return o, problems
	}
	return o, nil
}

func runCommand(ctx context.Context, a *app, args []string) error {
	var x runFlags
	f := newFlags("run", a.stderr)
	x.register(f)
	if err := parse(f, args, 0); err != nil {
		return err
	}
	a.downloads.quiet = x.quiet
	o, err := x.options()
	if err != nil {
		return err
	}
	o.Tell = func(line string) { a.stderr.line("note: %s", line) }
	s, err := x.sweep(ctx, false)
	if err != nil {
		return err
	}
	dir := s.Cells[0].Config.OutputDir // no cell has another
	if err := writable(dir); err != nil {
		return err
	}
	store, err := cache.Open(ctx, o.Cache)
	if err != nil {
		return storeProblem(err)
	}
	if !x.quiet {
		for _, text := range s.DeviceLines() {
			a.deviceLine(text)
		}
	}
	plan, err := s.Plan(ctx, store)
	if err != nil {
		return err
	}
	if err := s.CanRun(plan); err != nil {
		return err
	}
	trace, err := openTrace(x.trace)
	if err != nil {
		return err
	}
	defer trace.close()
	if !plan.Done() {
		note, err := pipelines.CheckCluster(ctx, o)
		if err != nil {
			return err
		}
		if note != "" && !x.quiet {
			a.notes([]string{note})
		}
	}
	if err := a.remarks(ctx, s, plan, x.runner); err != nil {
		return err
	}
	bar, err := a.newBar(ctx, x.quiet, s, plan)
	if err != nil {
		return err
	}
	bar.plan()
	o.Progress = func(ev pipelines.Event) { bar.event(ev); trace.event(ev) }
	begun := time.Now()
	done, err := s.Run(ctx, o)
	bar.end()
	if dry := (*pipelines.NotSubmitted)(nil); errors.As(err, &dry) {
		return a.notSubmitted(dry)
	}
	if err != nil {
		return err
	}
	took := time.Since(begun)
	if s.Named() {
		err = a.finishSweep(ctx, &x, s, done, bar, took)
	} else {
		err = a.finishRun(ctx, &x, s, done, bar, took)
	}
	return cmp.Or(err, trace.close())
}

// remarks says what there is to know before a run.
func (a *app) remarks(ctx context.Context, s *pipelines.Sweep, plan *pipelines.Plan, runner string) error {
	if !plan.Done() {
		for _, text := range s.Warnings() {
			a.warn(text)
		}
		a.warn(pipelines.RunnerWarning(runner))
	}
	vocabularies, err := s.VocabularyWarnings(ctx)
	if err != nil {
		return err
	}
	for _, text := range vocabularies {
		a.warn(text)
	}
	if !plan.Done() {
		a.notes(s.Notes())
		a.notes(s.JudgeNotes(plan))
		for _, text := range s.Doubts() {
			a.stderr.line("warning: %s", text)
		}
	}
	return nil
}

// finishRun writes and prints the results of an experiment alone.
func (a *app) finishRun(ctx context.Context, x *runFlags, s *pipelines.Sweep, done *pipelines.SweepResult, bar *progress, took time.Duration) error {
	result, err := done.Cells[0].Load(ctx)
	if err != nil {
		return err
	}
	dir := s.Cells[0].Config.OutputDir
	kept, err := writeResults(dir, result, recordOf(s.Experiments[0], result, took))
	if err != nil {
		return err
	}
	bar.summary(result.Stages, took)
	if x.json {
		_, err = a.stdout.Write(result.Report)
	} else {
		err = report.Table(a.stdout, result.Report, result.Texts, a.stdout.width())
	}
	bar.place("report.json, rows.jsonl and run.json", dir, report.Page, kept)
	return err
}

// recordOf is what a run did for an experiment.
func recordOf(e *pipelines.Experiment, r *pipelines.Result, took time.Duration) runRecord {
	return runRecord{Version: builtFrom(), Experiment: r.Plan.Last().Key.String(),
		Seconds: took.Round(time.Millisecond).Seconds(), Device: e.DeviceText(), Config: e.Config, Stages: r.Stages}
}

// notSubmitted prints the job of a dry run.
func (a *app) notSubmitted(dry *pipelines.NotSubmitted) error {
	a.stderr.line("dry run: nothing was submitted and nothing stored; the job that Dataflow would get is on standard output")
	_, err := fmt.Fprintln(a.stdout, dry.Job)
	return err
}

// notes tells what was passed over.
func (a *app) notes(list []string) {
	for _, text := range list {
		a.stderr.line("note: %s", text)
	}
}

func storeProblem(err error) error {
	if errors.Is(err, cache.ErrCorrupt) {
		return err
	}
	return pipelines.Problems{"-cache: " + err.Error()}
}

// writable makes the output folder and tries to write to it, before any work is done.
func writable(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".writable-*"); err == nil {
			f.Close()
			return os.Remove(f.Name())
		}
	}
	return pipelines.Problems{fmt.Sprintf("output_dir: cannot write to %s: %v", dir, unwrapPath(err))}
}

func unwrapPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// A trace is a file with a line for each beginning and end of a unit. It keeps the first failure to write.
type trace struct {
	f   *os.File
	err error
}

func openTrace(path string) (*trace, error) {
	if path == "" {
		return &trace{}, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, pipelines.Problems{"-trace: " + err.Error()}
	}
	return &trace{f: f}, nil
}

func (t *trace) event(ev pipelines.Event) {
	if t.f == nil || !ev.Ends() && !ev.Begins || t.err != nil {
		return
	}
	line, _ := json.Marshal(map[string]any{"stage": ev.Stage, "unit": ev.Unit, "key": ev.Key.String(), "hit": ev.Hit, "begins": ev.Begins})
	_, t.err = fmt.Fprintf(t.f, "%s\n", line)
}

// close closes the file, if there is one, and tells whether all of it was written.
func (t *trace) close() error {
	if t.f == nil {
		return nil
	}
	if err := t.f.Close(); t.err == nil {
		t.err = err
	}
	if t.err != nil {
		return fmt.Errorf("write trace %s: %w", t.f.Name(), unwrapPath(t.err))
	}
	return nil
}

// planCommand takes every flag of run, so that the word can be put into any of its command lines.
func planCommand(ctx context.Context, a *app, args []string) error {
	var x runFlags
	f := newFlags("plan", a.stderr)
	x.register(f)
	if err := parse(f, args, 0); err != nil {
		return err
	}
	a.downloads.quiet = x.quiet
	o, err := x.options()
	if err != nil {
		return err
	}
	s, err := x.sweep(ctx, true)
	if err != nil {
		return err
	}
	if !x.quiet {
		for _, text := range s.DeviceLines() {
			a.deviceLine(text)
		}
	}
	store, err := openForPlan(ctx, o.Cache)
	if err != nil {
		return storeProblem(err)
	}
	plan, err := s.Plan(ctx, store)
	if err != nil {
		return err
	}
	costs, err := s.Costs(ctx, plan)
	if err != nil {
		return err
	}
	facts, err := s.Facts(ctx, store, plan, costs)
	if err != nil {
		return err
	}
	if x.json {
		return report.PlanJSON(a.stdout, facts, plan, costs)
	}
	return report.Plan(a.stdout, facts, plan, costs, a.stdout.width())
}

// openForPlan opens the store without making one: planning leaves nothing behind.
func openForPlan(ctx context.Context, location string) (cache.Store, error) {
	if errors.Is(noFolder(location), os.ErrNotExist) {
		return cache.NewMemory(), nil
	}
	return cache.Open(ctx, location)
}

// noFolder tells why there is no folder, if opening the store would make one; elsewhere opening makes nothing.
func noFolder(location string) error {
	if cache.Scheme(location) != "" {
		return nil
	}
	_, err := os.Stat(location)
	return err
}

// warn prints a line of warning, if there is one.
func (a *app) warn(text string) {
	if text != "" {
		a.stderr.line("warning: %s", text)
	}
}
