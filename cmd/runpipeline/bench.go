package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
)

func benchCommand(ctx context.Context, a *app, args []string) error {
	var o pipelines.BenchOptions
	f := newFlags("bench", a.stderr)
	f.StringVar(&o.Model, "model", "", "model: a folder, a .gguf file, a hub id or tiny:…")
	var device deviceFlags
	device.register(f, "cpu")
	f.IntVar(&o.Layer, "layer", -1, "block after which activations are captured and a vector is added (default: the middle one)")
	f.IntVar(&o.Repeat, "repeat", 3, "how many times everything is measured; the median counts")
	for _, list := range []struct {
		name, usage string
		to          *[]int
	}{
		{"texts", "how many texts are read at a time, `N,…`: a measurement of capturing each (default: 64,512 on a card, else as many as the model's size allows)", &o.Texts},
		{"batches", "how many texts are continued side by side, `N,…`: a measurement each (default: 32,128 on a card, else 1,8,32,90)", &o.Batches},
	} {
		f.Func(list.name, list.usage, func(text string) (err error) {
			*list.to, err = numbers(text)
			return err
		})
	}
	asJSON := f.Bool("json", false, "print JSON instead of a table")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	o.Device, o.Plugin = device.name, device.plugin
	b, err := undivided(ctx, a, func(ctx context.Context) (*pipelines.Bench, error) {
		return pipelines.RunBench(ctx, o, func(round int) {
			if round == 0 {
				a.stderr.line("first calls, which compile")
				return
			}
			a.stderr.line("round %d of %d", round, o.Repeat)
		})
	})
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

// numbers reads "1,8,32".
func numbers(text string) (list []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("%.40q is no number; want some, with commas between them", part)
		}
		list = append(list, n)
	}
	return list, nil
}

// undivided does a piece of work until an interrupt, which ends it wherever it is: half of it is nothing.
func undivided[T any](ctx context.Context, a *app, work func(context.Context) (T, error)) (result T, err error) {
	ctx, end := a.stoppable(ctx)
	defer end()
	var got T
	done := make(chan error, 1)
	go func() {
		var err error
		got, err = work(ctx)
		done <- err
	}()
	select {
	case err := <-done:
		if ctx.Err() == nil {
			return got, err
		}
	case <-ctx.Done(): // loading weights and solving equations do not look
	}
	return result, fmt.Errorf("%w: %w", errNothingKept, ctx.Err())
}
