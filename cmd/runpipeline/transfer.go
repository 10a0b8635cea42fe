package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/pipelines"
)

func transferCommand(ctx context.Context, a *app, args []string) error {
	var x experimentFlags
	f := newFlags("transfer", a.stderr)
	name := f.String("map", "", "map `file`, as export writes it, or the name of a stored map, for instance fit/map")
	vector := f.String("vector", "", "vector `file` of the source model: safetensors, GGUF control vector or JSON")
	out := f.String("out", "", "`file` for the vector of the target model; its name says the format")
	format := f.String("format", "", "safetensors, gguf or json, if the file's name does not say")
	var layers pipelines.Layers
	f.IntVar(&layers.Source, "source_layer", -1, "block after which the vector was taken, for a map that does not say where it starts")
	f.IntVar(&layers.Target, "layer", -1, "block of the target after which the new vector is to be added, for a map that does not say")
	x.register(f)
	if err := parse(f, args, 0); err != nil {
		return err
	}
	var problems pipelines.Problems
	for _, missing := range []struct{ flag, value string }{{"-map", *name}, {"-vector", *vector}, {"-out", *out}} {
		if missing.value == "" {
			problems = append(problems, missing.flag+": missing")
		}
	}
	if problem := cannotReplace("-out", *out); problem != "" {
		problems = append(problems, problem)
	}
	to, err := formatOf(*format, *out)
	if err != nil && *out != "" {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return problems
	}
	m, err := x.transferMap(ctx, a, *name)
	if err != nil {
		return err
	}
	w, notes, err := pipelines.Transfer(m, layers, *vector)
	if err != nil {
		return err
	}
	a.notes(notes)
	carried := pipelines.Exported{Vector: &w}
	if err := replaceFile(*out, func(file io.Writer) error { return carried.Write(file, to) }); err != nil {
		return err
	}
	a.wrote(*out, to, carried)
	return nil
}

// transferMap finds a map: a file if there is one of that name, else an artifact of the experiment.
func (x *experimentFlags) transferMap(ctx context.Context, a *app, name string) (m export.Map, err error) {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return pipelines.ReadMap(name)
	}
	if _, err := pipelines.ParseFormat(name); err == nil { // it looks like a file's name, so say that there is none
		return pipelines.ReadMap(name)
	}
	e, store, err := x.stored(ctx, a)
	if err != nil {
		return m, err
	}
	return e.StoredMap(ctx, store, name)
}
