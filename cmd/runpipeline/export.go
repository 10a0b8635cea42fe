package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

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
	e, err := x.load(ctx, false)
	if err != nil {
		return err
	}
	dir, err := x.folder()
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("%w: nothing is stored in %s: run the experiment first", pipelines.ErrMissing, dir)
	}
	store, err := cache.OpenLocal(dir)
	if err != nil {
		return storeProblem(err)
	}
	if o.Name == "" {
		return a.listExports(ctx, e, store)
	}
	if *out == "" {
		return pipelines.Problems{"-out: missing"}
	}
	if *format == "" {
		*format = *out
	}
	if o.Unit == "" {
		o.Unit = e.AlphaUnit
	}
	if o.Format, err = pipelines.ParseFormat(*format); err != nil {
		return pipelines.Problems{"-format: " + err.Error()}
	}
	return replaceFile(filepath.Dir(*out), filepath.Base(*out), func(w io.Writer) error { return e.Export(ctx, store, o, w) })
}

func (a *app) listExports(ctx context.Context, e *pipelines.Experiment, store cache.Store) error {
	exports, err := e.Exports(ctx, store)
	if err != nil {
		return err
	}
	if len(exports) == 0 {
		return fmt.Errorf("%w: this experiment has no vectors or maps yet: run it first", pipelines.ErrMissing)
	}
	var names []string
	for name := range exports {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(a.stdout, "%-40s %s\n", name, exports[name].Digest)
	}
	return nil
}
