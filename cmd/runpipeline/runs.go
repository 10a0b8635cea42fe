package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// runsCommand lists the records of a store's runs, or prints one.
func runsCommand(ctx context.Context, a *app, args []string) error {
	f := newFlags("runs", a.stderr)
	location := storeFlag(f)
	asJSON := f.Bool("json", false, "print JSON: the records as they are stored")
	name, args, more := leading(args)
	if err := parse(f, args, more); err != nil {
		return err
	}
	name = cmp.Or(name, f.Arg(0))
	runs, err := a.recordedRuns(ctx, *location)
	if err != nil {
		return err
	}
	if name == "" {
		if *asJSON {
			return printJSON(a, append([]*pipelines.RunRecord{}, runs...))
		}
		a.runTable(runs)
		return nil
	}
	r, err := pipelines.PickRun(runs, name)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(a, r)
	}
	return a.runDetails(r)
}

// leading takes an argument that may stand before the flags. more is how many may stand behind them.
func leading(args []string) (first string, rest []string, more int) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return args[0], args[1:], 0
	}
	return "", args, 1
}

// recordedRuns opens a store that must be there and reads the records of its runs. Those that are damaged are told of.
func (a *app) recordedRuns(ctx context.Context, location string) ([]*pipelines.RunRecord, error) {
	store, err := openExisting(ctx, location)
	if err != nil {
		return nil, err
	}
	return pipelines.Runs(ctx, store, func(run string, err error) { a.warn(fmt.Sprintf("run %s: %v", run, err)) })
}

func (a *app) runTable(runs []*pipelines.RunRecord) {
	if len(runs) == 0 {
		a.stderr.line("no run is recorded here")
		return
	}
	a.stdout.line("%-25s %-16s %8s %-11s %s", "run", "begun (UTC)", "took", "state", "what")
	for _, r := range runs {
		a.stdout.line("%-25s %-16s %8s %-11s %s", r.Run, r.Begun.UTC().Format("2006-01-02 15:04"), took(r), r.State, what(r))
	}
}

// took is the run's time as people say it.
func took(r *pipelines.RunRecord) string {
	d := r.Took()
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// what says in a line what a run was about, and what came of it.
func what(r *pipelines.RunRecord) string {
	text := r.Models() + ": " + stagesOf(r)
	if n := len(r.Cells); n > 1 {
		text += fmt.Sprintf("; %d experiments", n)
	} else if n == 1 && r.Cells[0].Result != "" {
		text += "; result " + r.Cells[0].Result[:8] + parts(", ", r.Cells[0].Verdict)
	}
	if r.Error != "" {
		first, _, _ := strings.Cut(r.Error, "\n")
		text += "; " + first
	}
	return text
}

// stagesOf counts a run's stages: "21 stages, 12 there before it, 9 made".
func stagesOf(r *pipelines.RunRecord) string {
	hits, made, units := 0, 0, 0
	for _, s := range r.Stages {
		switch {
		case s.State == pipelines.Hit:
			hits++
		case s.Key != "":
			made++
		}
		units += s.Ran
	}
	return fmt.Sprintf("%d stages, %d there before, %d made, %d units computed", len(r.Stages), hits, made, units)
}

func (a *app) runDetails(r *pipelines.RunRecord) error {
	out := a.stdout
	out.line("run      %s", r.Run)
	out.line("state    %s%s", r.State, parts(": ", r.Error))
	out.line("begun    %s, took %s", r.Begun.UTC().Format(time.RFC3339), took(r))
	out.line("program  %s", r.Program)
	out.line("machine  %s", r.Machine)
	out.line("device   %s", r.Device)
	out.line("runner   %s", r.Runner)
	for _, c := range r.Cells {
		out.line("result   %s%s%s", cmp.Or(c.Result, "none"), parts(" ", c.Verdict), parts(" of ", c.Settings))
	}
	out.line("stages   %s", stagesOf(r))
	out.line("  %-16s %-9s %-8s %5s %6s %5s %10s %10s  %s", "stage", "before", "key", "units", "found", "run", "bytes", "time", "why")
	for _, s := range r.Stages {
		key := s.Key
		if len(key) > 8 {
			key = key[:8]
		}
		out.line("  %-16s %-9s %-8s %5d %6d %5d %10d %10s  %s", s.Stage, s.State, key, s.Units, s.Hits, s.Ran, s.Bytes,
			time.Duration(s.Elapsed*float64(time.Second)).Round(time.Millisecond), strings.Join(s.Why, "; "))
	}
	config, err := json.MarshalIndent(r.Config, "  ", "  ")
	out.line("configuration")
	out.line("  %s", config)
	return err
}
