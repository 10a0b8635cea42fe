package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// verifyCommand computes what is stored again and compares.
func verifyCommand(ctx context.Context, a *app, args []string) error {
	var x experimentFlags
	var o pipelines.VerifyOptions
	f := newFlags("verify", a.stderr)
	x.register(f)
	f.Float64Var(&o.Sample, "sample", 1, "the `share` of units that are computed again, above 0 and at most 1")
	f.Uint64Var(&o.Seed, "seed", 0, "which units those are (default: drawn, and printed)")
	asJSON := f.Bool("json", false, "print one JSON object for each stage")
	stage, args, more := leading(args)
	if err := parse(f, args, more); err != nil {
		return err
	}
	if o.Stage = cmp.Or(stage, f.Arg(0)); !(o.Sample > 0 && o.Sample <= 1) {
		return pipelines.Problems{fmt.Sprintf("-sample %g: want a number above 0 and at most 1", o.Sample)}
	}
	if o.Seed == 0 {
		o.Seed = uint64(rand.Uint32()) + 1
	}
	e, err := x.load(ctx, false)
	if err != nil {
		return err
	}
	store, err := openExisting(ctx, x.cache)
	if err != nil {
		return err
	}
	a.deviceLine(e.DeviceLine())
	if o.Sample < 1 {
		a.stderr.line("units are chosen by -seed %d", o.Seed)
	}
	failed := 0
	err = e.Verify(ctx, store, o, func(v pipelines.Verified) {
		failed += len(v.Differs)
		if *asJSON {
			json.NewEncoder(a.stdout).Encode(v)
			return
		}
		a.verified(v)
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%w: %s %s not what is stored", errDiffers, count(failed, "output"), are(failed))
	}
	return err
}

func (a *app) verified(v pipelines.Verified) {
	switch {
	case v.Skipped:
		a.stdout.line("SKIP  %s: %s", v.Stage, v.How)
	case v.Checked == 0:
		a.stdout.line("SKIP  %s: none of its %s was chosen", v.Stage, count(v.Units, "unit"))
	case len(v.Differs) == 0:
		a.stdout.line("PASS  %s: %d of %s, %s", v.Stage, v.Checked, count(v.Units, "unit"), v.How)
	}
	for _, d := range v.Differs {
		a.stdout.line("FAIL  %s: %s", v.Stage, d)
	}
}
