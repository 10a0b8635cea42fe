package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
)

func exportCommand(ctx context.Context, a *app, args []string) error {
	var x experimentFlags
	var o pipelines.ExportOptions
	f := newFlags("export", a.stderr)
	x.register(f)
	f.StringVar(&o.Name, "artifact", "", "`name` (vectors/ridge/silly, fit/map, …) or digest; without one, the list of names")
	out := f.String("out", "", "`file` to write; its extension gives the format: .safetensors, .gguf or .json")
	format := f.String("format", "", "safetensors, gguf or json, if the file's name does not say")
	f.IntVar(&o.Draw, "draw", 0, "which random draw or permutation, where there are several")
	f.Float64Var(&o.Alpha, "alpha", 0, "scale the vector so that strength 1 is this alpha (0: the values as stored)")
	f.StringVar(&o.Unit, "alpha_unit", "", "unit of -alpha (default: the configuration's)")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	e, store, err := x.stored(ctx, a)
	if err != nil {
		return err
	}
	if o.Name == "" {
		exports, err := e.Exports(ctx, store)
		return a.list(exports, err)
	}
	if *out == "" {
		return pipelines.Problems{"-out: missing"}
	}
	if problem := cannotReplace("-out", *out); problem != "" {
		return pipelines.Problems{problem}
	}
	if o.Unit == "" {
		o.Unit = e.AlphaUnit
	}
	to, err := formatOf(*format, *out)
	if err != nil {
		return pipelines.Problems{err.Error()}
	}
	exported, err := e.Export(ctx, store, o)
	if err != nil {
		return err
	}
	if err := replaceFile(*out, func(w io.Writer) error { return exported.Write(w, to) }); err != nil {
		return err
	}
	a.wrote(*out, to, exported)
	return nil
}

// wrote says what is in a file now, and how another program applies it.
func (a *app) wrote(file string, format export.Format, x pipelines.Exported) {
	if m := x.Map; m != nil {
		fmt.Fprintf(a.stdout, "%s: map from %s to %s, %d × %d values\n", file, m.Source.At(), m.Target.At(), m.Rows, m.Cols)
		return
	}
	v := x.Vector
	fmt.Fprintf(a.stdout, "%s: vector of %s for %s, %s, %d values of length %.4g\n", file, cmp.Or(v.Row.Persona, "no named persona"), v.Meta.At(), cmp.Or(v.Row.Condition, "carried"), len(v.Row.Values), v.Row.Norm)
	if format == export.GGUF {
		a.notes(pipelines.LlamaCpp(file, *v))
	}
}

// formatOf is the format that a flag names, else the one of the file's name.
func formatOf(flag, file string) (export.Format, error) {
	to, err := pipelines.ParseFormat(cmp.Or(flag, file))
	if err != nil {
		return to, fmt.Errorf("-format: %w", err)
	}
	return to, nil
}

// stored loads an experiment and the store that must hold something of it. No model runs, so a device other than "cpu"
// is not opened if the record of the run beside the results says what recipes have of it, unless its plugin is named.
func (x *experimentFlags) stored(ctx context.Context, a *app) (*pipelines.Experiment, cache.Store, error) {
	c, err := x.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	if text := recorded(c.OutputDir).Device; c.DevicePlugin == "" && c.NamedDevice(text) {
		a.stderr.line("device %s: what is stored of %s, which made %s; it was not opened", c.Device, text, c.OutputDir)
		c.Device = text
	}
	e, err := experiment(ctx, c, false)
	if err != nil {
		return nil, nil, err
	}
	a.deviceLine(e.DeviceLine())
	store, err := openExisting(ctx, x.cache)
	return e, store, err
}

// list prints the names of artifacts with their kinds, sizes and digests.
func (a *app) list(found map[string]cache.Output, err error) error {
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w: nothing of this experiment is stored yet: run it first", pipelines.ErrMissing)
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		o := found[name]
		a.stdout.line("%-40s %-12s %6d rows %9d bytes  %s", name, o.Kind, o.Rows, o.Bytes, o.Digest)
	}
	return err
}

func showCommand(ctx context.Context, a *app, args []string) error {
	var x experimentFlags
	f := newFlags("show", a.stderr)
	x.register(f)
	rows := f.Int("n", 10, "how many rows to show; −1: all")
	name, more := "", 1
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") { // the name may come before the flags
		name, args, more = args[0], args[1:], 0
	}
	if err := parse(f, args, more); err != nil {
		return err
	}
	if name == "" {
		name = f.Arg(0)
	}
	e, store, err := x.stored(ctx, a)
	if err != nil {
		return err
	}
	if name == "" {
		found, err := e.Artifacts(ctx, store)
		return a.list(found, err)
	}
	return e.Show(ctx, store, name, *rows, a.stdout)
}
