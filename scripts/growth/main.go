// Command growth measures how time and memory grow with the size of the work, and prints a Markdown table.
//
//	go run ./scripts/growth                    everything; about three minutes on two quiet cores
//	go run ./scripts/growth -run '^width'      only what has this varied
//	go run ./scripts/growth -repeat 1          faster, and noisier
//	go run ./scripts/growth -list              what would be measured
//
// A row is one kind of work at several sizes:
//
//   - Seconds are the least of some repetitions, which come in rounds over all sizes.
//   - MiB are what the Go heap had alive at most beside the weights: the largest count of marked bytes of a
//     collector that runs half of the time, less what was alive before the work, in a run of its own that is
//     not timed. It is what the work needs, whatever the collector's settings leave lying about, and nothing
//     is elsewhere: weights, pages of keys and values, scratch and results are all on that heap. Garbage that
//     is made while the collector marks is counted as well, which is why small sizes have more than they need.
//   - An exponent is the slope of the least-squares line through the logarithms at the upper sizes: the
//     larger half of them, three at least. What is the same at every size flattens it.
//   - Expected is what the cost model says (the comment beside each row in the program); a range where a
//     fixed part and a growing one are both in it. A measured exponent that is more than 0.2 away is in
//     bold.
//
// Work with a pretrained model is left out, with a line, where the model of -model is not.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		stop()
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out, progress io.Writer) error {
	f := flag.NewFlagSet("growth", flag.ContinueOnError)
	names := f.String("run", "", "only work whose \"varied, work\" matches this `regexp`")
	repeat := f.Int("repeat", 3, "rounds of repetitions, of which the least counts")
	model := f.String("model", "models/SmolLM2-135M-Instruct.Q4_1.gguf", "a pretrained `model`; left out if it is not there")
	list := f.Bool("list", false, "print what would be measured and measure nothing")
	if err := f.Parse(args); err != nil {
		return err
	}
	match, err := regexp.Compile(*names)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if *repeat < 1 {
		return fmt.Errorf("-repeat %d: want 1 or more", *repeat)
	}
	all := quantities(embedded)
	if _, err := os.Stat(*model); err == nil {
		all = append(all, pretrained(*model)...)
	} else {
		fmt.Fprintf(progress, "left out what is measured with a pretrained model: %v\n", err)
	}
	all = slices.DeleteFunc(all, func(q quantity) bool { return !match.MatchString(q.String()) })
	if len(all) == 0 {
		return fmt.Errorf("nothing matches -run %q", *names)
	}
	if *list {
		for _, q := range all {
			fmt.Fprintln(out, q, q.sizes)
		}
		return nil
	}
	var rows []row
	for _, q := range all {
		fmt.Fprintln(progress, q)
		r, err := measure(ctx, q, *repeat)
		if err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
		rows = append(rows, r)
	}
	return write(out, rows)
}
