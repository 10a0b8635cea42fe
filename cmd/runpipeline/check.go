package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/persona-transfer/runpipeline/pipelines"
)

func checkCommand(ctx context.Context, a *app, args []string) error {
	var x experimentFlags
	f := newFlags("check", a.stderr)
	x.register(f)
	asJSON := f.Bool("json", false, "print one JSON object for each check")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	e, err := x.load(ctx, false)
	if err != nil {
		return err
	}
	a.deviceLine(e.DeviceLine())
	failed := 0
	err = e.Check(ctx, func(r pipelines.CheckResult) {
		word := "PASS"
		if !r.Pass {
			word = "FAIL"
			failed++
		}
		if *asJSON {
			json.NewEncoder(a.stdout).Encode(map[string]any{"check": r.Name, "pass": r.Pass, "detail": r.Detail})
			return
		}
		a.stdout.line("%s  %s: %s", word, r.Name, r.Detail)
	})
	if err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of the checks above say FAIL", errDiffers, failed)
	}
	return nil
}
