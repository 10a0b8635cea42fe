package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
)

// finishSweep writes the results of each cell into a folder of its own and prints one table across them. A cell that
// could not be finished has a row that says so, and the sweep fails after all.
func (a *app) finishSweep(ctx context.Context, x *runFlags, s *pipelines.Sweep, done *pipelines.SweepResult, bar *progress, took time.Duration) error {
	var table report.Sweep
	var failed []error
	dir := s.Cells[0].Config.OutputDir
	for i := range done.Cells {
		if err := ctx.Err(); err != nil {
			return err
		}
		cell := s.Cells[i]
		row, err := cellFiles(ctx, dir, cell, s.Experiments[i], &done.Cells[i], took)
		if err != nil {
			return fmt.Errorf("%s: %w", cell.Text(), err)
		}
		if row.Failed != "" {
			failed = append(failed, fmt.Errorf("%s: %w", cell.Text(), done.Cells[i].Err))
		}
		table.Cells = append(table.Cells, row)
	}
	if err := writeSweep(&table, dir); err != nil {
		return err
	}
	bar.summary(done.Stages, took)
	err := a.printSweep(&table, x.json)
	bar.place(fmt.Sprintf("sweep.json, sweep.csv, sweep.md and a folder for each of %d experiments", len(s.Cells)-len(failed)), dir, report.SweepPage, false)
	if err == nil && failed != nil {
		err = &unfinished{failed, len(s.Cells)}
	}
	return err
}

// printSweep prints the table, or as JSON what sweep.json has.
func (a *app) printSweep(s *report.Sweep, asJSON bool) error {
	if !asJSON {
		return s.Print(a.stdout, a.stdout.width())
	}
	text, err := s.JSON()
	if err == nil {
		_, err = a.stdout.Write(text)
	}
	return err
}

// writeSweep writes the files of a sweep that are about all of its cells.
func writeSweep(s *report.Sweep, dir string) error {
	files, err := s.Files()
	if err != nil {
		return err
	}
	var out []replacement
	for _, f := range files {
		out = append(out, bytesOf(f.Name, f.Content))
	}
	return replaceFiles(dir, out)
}

// cellFiles writes the results of a cell, if it has any, and gives its row.
func cellFiles(ctx context.Context, dir string, cell pipelines.Cell, e *pipelines.Experiment, c *pipelines.CellResult, took time.Duration) (report.SweepCell, error) {
	if c.Err != nil {
		return report.CellFailed(cell, c.Err), nil
	}
	result, err := c.Load(ctx)
	if err != nil {
		return report.SweepCell{}, err
	}
	run := recordOf(e, result, took)
	if _, err := writeResults(filepath.Join(dir, cell.Name), result, run); err != nil {
		return report.SweepCell{}, err
	}
	return report.CellOf(cell, run.Experiment, result.Report)
}

// An unfinished sweep has cells that failed while others did not. It is a failure of stages, whatever the cause: what
// could be run was.
type unfinished struct {
	failed []error
	cells  int
}

// Error names the first cell; the table has all of them.
func (u *unfinished) Error() string {
	return fmt.Sprintf("%d of %d cells failed, the first: %v", len(u.failed), u.cells, u.failed[0])
}
