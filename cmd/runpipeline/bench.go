package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
)

func benchCommand(ctx context.Context, a *app, args []string) error {
	var o pipelines.BenchOptions
	f := newFlags("bench", a.stderr)
	f.StringVar(&o.Model, "model", "", "model: a folder, a .gguf file, a hub id or tiny:…")
	f.StringVar(&o.Device, "device", "cpu", "`device` that runs it")
	f.IntVar(&o.Layer, "layer", -1, "block after which activations are captured and a vector is added (default: the middle one)")
	f.IntVar(&o.Repeat, "repeat", 3, "how many times everything is measured; the median counts")
	asJSON := f.Bool("json", false, "print JSON instead of a table")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	b, err := a.bench(ctx, o)
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", " ")
		return enc.Encode(b)
	}
	return report.Bench(a.stdout, b, a.stdout.width())
}

// bench measures until an interrupt, which ends it wherever it is: half a measurement is none.
func (a *app) bench(ctx context.Context, o pipelines.BenchOptions) (*pipelines.Bench, error) {
	ctx, end := a.stoppable(ctx)
	defer end()
	var b *pipelines.Bench
	done := make(chan error, 1)
	go func() {
		var err error
		b, err = pipelines.RunBench(ctx, o, func(round int) { a.stderr.line("round %d of %d", round, o.Repeat) })
		done <- err
	}()
	select {
	case err := <-done:
		if ctx.Err() == nil {
			return b, err
		}
	case <-ctx.Done(): // loading weights does not look
	}
	return nil, fmt.Errorf("%w: %w", errNothingKept, ctx.Err())
}
