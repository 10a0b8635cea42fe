package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
	"github.com/persona-transfer/runpipeline/pipelines/rows"
)

func fitCommand(ctx context.Context, a *app, args []string) error {
	var o pipelines.FitOptions
	f := newFlags("fit", a.stderr)
	f.StringVar(&o.Source, "source", "", "`file` of the source's activations, a row per position: .npy, safetensors or Arrow; FILE:NAME names one tensor or column of several")
	f.StringVar(&o.Target, "target", "", "`file` of the target's; row i of both is a pair")
	f.StringVar(&o.Groups, "groups", "", "`file` of the group of each row, of which whole ones make a fold: .npy of integers, .txt of one a line or .json list")
	f.Var((*list)(&o.Set), "set", "override one `key=value`: lambda_values, lambda_unit, folds, fit.method, fit.centre, fit.rank, seed; may be repeated")
	out := f.String("out", "", "`file` for the map, .safetensors or .json, which transfer reads")
	format := f.String("format", "", "safetensors or json, if the file's name does not say")
	asJSON := f.String("json", "", "`file` for the report as JSON")
	picture := f.String("plot", "", "`file` for a picture of it, .svg")
	f.IntVar(&o.Layers.Source, "source_layer", -1, "block after which the source's activations were taken, for files that do not say")
	f.IntVar(&o.Layers.Target, "layer", -1, "block after which the target's were")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	var problems pipelines.Problems
	for _, missing := range []struct{ flag, value string }{{"-source", o.Source}, {"-target", o.Target}, {"-out", *out}} {
		if missing.value == "" {
			problems = append(problems, missing.flag+": missing")
		}
	}
	to, err := formatOf(*format, *out)
	if err == nil {
		err = to.HoldsMaps()
	}
	if err != nil && *out != "" {
		problems = append(problems, err.Error())
	}
	for _, file := range []struct{ flag, name string }{{"-out", *out}, {"-json", *asJSON}, {"-plot", *picture}} {
		if file.name == "" {
			continue
		}
		if problem := cannotReplace(file.flag, file.name); problem != "" {
			problems = append(problems, problem)
		}
		for _, read := range []string{o.Source, o.Target, o.Groups} {
			if sameFile(file.name, read) {
				problems = append(problems, fmt.Sprintf("%s %s: it is one of the files to be read", file.flag, file.name))
			}
		}
	}
	if *picture != "" && filepath.Ext(*picture) != ".svg" {
		problems = append(problems, fmt.Sprintf("-plot %s: want a .svg", *picture))
	}
	if len(problems) > 0 {
		return problems
	}
	r, err := undivided(ctx, a, func(ctx context.Context) (*pipelines.FitResult, error) { return pipelines.FitFiles(ctx, o) })
	if err != nil {
		return err
	}
	a.notes(r.Notes)
	var svg []byte
	if *picture != "" {
		if svg, err = report.FitFigure(r.FitReport); err != nil {
			return err
		}
	}
	fitted := pipelines.Exported{Map: &r.Map}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{*out, func(w io.Writer) error { return fitted.Write(w, to) }},
		{*asJSON, r.WriteJSON},
		{*picture, func(w io.Writer) error { _, err := w.Write(svg); return err }},
	} {
		if file.name == "" {
			continue
		}
		if err := replaceFile(file.name, file.write); err != nil {
			return err
		}
	}
	if err := report.Fit(a.stdout, r, a.stdout.width()); err != nil {
		return err
	}
	a.wrote(*out, to, fitted)
	return nil
}

// sameFile reports an output that is one of the inputs.
func sameFile(out, in string) bool {
	path, _ := rows.Split(in)
	a, err := os.Stat(out)
	b, err2 := os.Stat(path)
	return err == nil && err2 == nil && os.SameFile(a, b)
}
