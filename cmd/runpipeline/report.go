package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/pipelines/report"
)

// reportCommand makes the report of a finished run again, from what the run left in its folder.
func reportCommand(_ context.Context, a *app, args []string) error {
	f := newFlags("report", a.stderr)
	out := f.String("out", "", "`folder` for the report (default: that of the results)")
	if err := parse(f, args, 1); err != nil {
		return err
	}
	if f.NArg() == 0 {
		fmt.Fprintln(a.stderr, "runpipeline report: which folder? runpipeline report OUTPUT_DIR makes the report of the run that wrote there")
		return usage(f)
	}
	return a.report(f.Arg(0), *out)
}

func (a *app) report(dir, out string) error {
	results, err := report.Read(dir)
	if err != nil {
		return err
	}
	if out == "" {
		out = dir
	}
	if err := writable(out); err != nil {
		return err
	}
	files, err := replacements(results)
	if err != nil {
		return err
	}
	if err := replaceFiles(out, files); err != nil {
		return err
	}
	if full, err := filepath.Abs(out); err == nil {
		out = full
	}
	fmt.Fprintf(a.stderr, "report: open %s in a browser\n", filepath.Join(out, report.Page))
	return nil
}
