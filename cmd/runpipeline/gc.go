package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// gcCommand makes room.
func gcCommand(ctx context.Context, a *app, args []string) error {
	var o pipelines.GCOptions
	f := newFlags("gc", a.stderr)
	location := storeFlag(f)
	f.Var((*list)(&o.Keep), "keep", "a `run` whose results stay, by its name or the beginning of it; may be repeated")
	f.IntVar(&o.Last, "runs", -1, "so many of the last runs keep what they refer to (default: 10, and 0 with -keep)")
	f.BoolVar(&o.Delete, "delete", false, "do it: without, it is only said what would go")
	f.BoolVar(&o.Force, "force", false, "with -delete, although a run is at work: it may have to compute again what it made in its last half minute")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	if o.Last < -1 {
		return pipelines.Problems{fmt.Sprintf("-runs %d: want 0 or more", o.Last)}
	}
	if o.Last == -1 {
		o.Last = 10
		if len(o.Keep) > 0 {
			o.Last = 0
		}
	}
	store, err := openExisting(ctx, *location)
	if err != nil {
		return err
	}
	r, err := pipelines.GC(ctx, store, o)
	if r == nil {
		return err
	}
	if *asJSON {
		return cmp.Or(err, printJSON(a, r))
	}
	if err == nil {
		a.freed(r)
	}
	return err
}

func (a *app) freed(r *pipelines.GCReport) {
	a.stdout.line("kept for %s: %s", count(len(r.Runs), "run"), heldText(r.Kept))
	for _, run := range r.Runs {
		a.stdout.line("  %s", run)
	}
	word := "would be freed"
	if r.Deleted {
		word = "freed"
	}
	a.stdout.line("%s: %s", word, heldText(r.Total))
	for _, f := range r.Freed {
		a.stdout.line("  %-24s %7d  %s", f.Kind, f.Count, strings.TrimSpace(pipelines.Size(int(f.Bytes))))
	}
	if !r.Deleted && r.Total.Bytes > 0 {
		a.stderr.line("nothing was removed; with -delete it is")
	}
}

func heldText(h pipelines.Held) string {
	return fmt.Sprintf("%s and %s, %d bytes", count(h.Actions, "action"), count(h.Blobs, "blob"), h.Bytes)
}
