package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// explainCommand says how something stored came about, or why it is not there.
func explainCommand(ctx context.Context, a *app, args []string) error {
	var x experimentFlags
	f := newFlags("explain", a.stderr)
	x.register(f)
	asJSON := f.Bool("json", false, "print JSON, with recipes as they are")
	ref, args, more := leading(args)
	if err := parse(f, args, more); err != nil {
		return err
	}
	if ref = cmp.Or(ref, f.Arg(0)); ref == "" {
		fmt.Fprintln(a.stderr, "runpipeline explain: what? a stage, the name of an artifact (runpipeline show lists them), or the beginning of a key or a digest")
		return usage(f)
	}
	e, store, err := x.stored(ctx, a)
	if err != nil {
		return err
	}
	found, err := e.Explain(ctx, store, ref)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(a, found)
	}
	for i, one := range found {
		if i > 0 {
			a.stdout.line("")
		}
		a.explanation(one)
	}
	return nil
}

// maxValue is how much of a field's value is printed.
const maxValue = 200

func (a *app) explanation(x pipelines.Explanation) {
	out := a.stdout
	if x.Stage != "" {
		out.line("stage    %s: %s", x.Stage, x.State)
	}
	for i, why := range x.Why {
		out.line("%-8s %s", [2]string{"why", ""}[min(i, 1)], why)
	}
	if x.Key != (pipelines.Explanation{}).Key {
		out.line("key      %s", x.Key)
	}
	if len(x.Recipe) > 0 {
		out.line("recipe")
	}
	for _, f := range x.Recipe {
		value := []rune(f.Value)
		text := string(value[:min(len(value), maxValue)])
		if len(value) > maxValue {
			text += "…"
		}
		out.line("  %-20s %s", f.Name, strings.ReplaceAll(text, "\n", " "))
	}
	if len(x.Inputs) > 0 {
		out.line("inputs")
	}
	for _, in := range x.Inputs {
		out.line("  %-20s %s  %s", in.Name, in.Digest.Short(), cmp.Or(strings.Join(in.Of, ", "), "made by nothing in this store"))
	}
	if len(x.Outputs) > 0 {
		out.line("outputs")
	}
	for _, o := range x.Outputs {
		mark := " "
		if o.Name == x.Chosen {
			mark = "*"
		}
		out.line(" %s%-24s %-12s %6d rows %9d bytes  %s", mark, o.Name, o.Kind, o.Rows, o.Bytes, o.Digest)
	}
	for i, run := range x.Runs {
		out.line("%-8s %s", [2]string{"runs", ""}[min(i, 1)], run)
	}
}
