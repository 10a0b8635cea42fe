package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	dir := f.Arg(0)
	if *out == "" {
		*out = dir
	}
	s, err := report.ReadSweep(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return a.report(dir, *out)
	}
	if err != nil {
		return err
	}
	return a.sweepReport(s, dir, *out)
}

// sweepReport makes the reports of all cells of a sweep, and the table across them.
func (a *app) sweepReport(s *report.Sweep, dir, out string) error {
	for _, c := range s.Cells {
		if c.Failed == "" {
			if err := a.report(filepath.Join(dir, c.Folder), filepath.Join(out, c.Folder)); err != nil {
				return err
			}
		}
	}
	if err := writeSweep(s, out); err != nil {
		return err
	}
	if full, err := filepath.Abs(out); err == nil {
		out = full
	}
	a.openPage(filepath.Join(out, report.SweepPage))
	return nil
}

func (a *app) report(dir, out string) error {
	results, err := report.Read(dir)
	if err != nil {
		return err
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
	a.openPage(filepath.Join(out, report.Page))
	return nil
}

// openPage says which page shows results, in a line that is not broken, so that it can be copied.
func (a *app) openPage(path string) {
	fmt.Fprintf(a.stderr, "report: open %s in a browser\n", path)
}
