package pipelines

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/transforms"
)

// VerifyOptions say what is computed again.
type VerifyOptions struct {
	Stage    string  // empty: every one
	Sample   float64 // the share of units, above 0 and at most 1
	Seed     uint64  // which units
	Progress func(Event)
}

// A Verified is what came of a stage's verification.
type Verified struct {
	Stage   string   `json:"stage"`
	Units   int      `json:"units"`   // of the stage
	Checked int      `json:"checked"` // were computed again
	How     string   `json:"how"`     // "bit for bit" or within what, or why it was left out
	Differs []string `json:"differs"` // unit, output and the first difference
	Skipped bool     `json:"skipped"`
}

// Verify computes units of stored stages again, from the stored inputs, and compares what comes out with what is stored.
// Nothing is written to the store. Stages that ask a judge are never asked again.
func (e *Experiment) Verify(ctx context.Context, store cache.Store, o VerifyOptions, tell func(Verified)) error {
	plan, err := e.Plan(ctx, store)
	if err != nil {
		return err
	}
	chosen, err := toVerify(plan, o.Stage)
	if err != nil {
		return err
	}
	again := &Plan{} // what is to be done, as if it were missing
	var stages []transforms.Stage
	for _, step := range chosen {
		step.State = Run
		again.Steps = append(again.Steps, step)
		stages = append(stages, step.Stage)
	}
	alone := e.Alone()
	if err := alone.CanRun(again); err != nil {
		return err
	}
	if err := alone.need(again).fits(ctx); err != nil {
		return err
	}
	name := "verify-" + runNameAt(wallClock())
	end := transforms.Begin(ctx, name, func(ev Event) {
		if o.Progress != nil {
			o.Progress(ev)
		}
	}, stages...)
	defer end()
	units := sample(chosen, o)
	for _, step := range chosen {
		v, err := verifyStage(ctx, store, name, plan, step, units[step.Stage.ID])
		if err != nil {
			return err
		}
		tell(v)
		transforms.Recomputed(ctx, name, step.Stage)
	}
	return nil
}

// toVerify gives the stages that are stored, or the one of that name.
func toVerify(plan *Plan, name string) (chosen []Step, err error) {
	var all []string
	for _, step := range plan.Steps {
		all = append(all, step.Stage.Name)
		if step.State == Hit && (name == "" || step.Stage.Name == name) {
			chosen = append(chosen, step)
		}
	}
	switch {
	case name != "" && !slices.Contains(all, name):
		return nil, Problems{fmt.Sprintf("no stage %q; the nearest is %q", name, strictjson.Nearest(name, all))}
	case len(chosen) == 0:
		return nil, fmt.Errorf("%w: %s is not stored: run the experiment first", ErrMissing, cmp.Or(name, "no stage of this experiment"))
	}
	return chosen, nil
}

// sample chooses units by the seed, each by itself: the same ones whatever else is verified. Where none is chosen, the
// one that was nearest to it is.
func sample(steps []Step, o VerifyOptions) map[string][]int {
	chosen := map[string][]int{}
	nearest, at, of := uint64(0), 0, ""
	for _, step := range steps {
		if step.Stage.Asks() {
			continue
		}
		for i := range step.Stage.Units {
			sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d", o.Seed, step.Stage.Name, i))
			draw := binary.LittleEndian.Uint64(sum[:])
			if o.Sample == 1 || float64(draw) < o.Sample*0x1p64 {
				chosen[step.Stage.ID] = append(chosen[step.Stage.ID], i)
			}
			if of == "" || draw < nearest {
				nearest, at, of = draw, i, step.Stage.ID
			}
		}
	}
	if len(chosen) == 0 && of != "" {
		chosen[of] = []int{at}
	}
	return chosen
}

// verifyStage computes units of a stage again.
func verifyStage(ctx context.Context, store cache.Store, run string, plan *Plan, step Step, units []int) (Verified, error) {
	s := step.Stage
	v := Verified{Stage: s.Name, Units: s.Units, Differs: []string{}, How: "bit for bit"}
	if t := s.Tolerance(); t > 0 {
		v.How = fmt.Sprintf("within %g of the largest number beside it", t)
	}
	if s.Asks() {
		v.Skipped, v.How = true, "a judge is not asked again"
		return v, nil
	}
	inputs, _ := plan.inputs(s) // they were there, or the stage would not be
	for _, i := range units {
		if err := ctx.Err(); err != nil {
			return v, err
		}
		fresh := cache.Overlay(store)
		key, outputs, err := transforms.Recompute(ctx, run, fresh, s, inputs, i)
		if err != nil {
			return v, cmp.Or(ctx.Err(), err)
		}
		v.Checked++
		record, ok, err := store.Lookup(ctx, key)
		if err != nil {
			return v, err
		}
		differs, err := compare(ctx, store, fresh, s, s.UnitManifest(step.Manifest, i), outputs)
		if err == nil && ok && len(differs) == 0 {
			differs, err = compare(ctx, store, fresh, s, record, outputs)
		}
		if err != nil {
			return v, err
		}
		for _, d := range differs {
			v.Differs = append(v.Differs, fmt.Sprintf("unit %d of %d, %s", i+1, s.Units, d))
		}
	}
	return v, nil
}

// compare holds outputs that were computed again against those that are stored.
func compare(ctx context.Context, store, fresh cache.Store, s transforms.Stage, was, is transforms.Manifest) (differs []string, err error) {
	for _, o := range was {
		now, ok := is.Find(o.Name)
		switch {
		case !ok:
			differs = append(differs, fmt.Sprintf("%s: it is not made any more", o.Name))
			continue
		case now.Kind != o.Kind || now.Rows != o.Rows:
			differs = append(differs, fmt.Sprintf("%s: it is %d rows of %s and was %d of %s", o.Name, now.Rows, now.Kind, o.Rows, o.Kind))
			continue
		case now.Digest == o.Digest:
			continue
		}
		before, err := store.Read(ctx, o.Digest)
		if err != nil {
			return nil, err
		}
		after, err := fresh.Read(ctx, now.Digest)
		if err != nil {
			return nil, err
		}
		if text := artifacts.Differ(o.Kind, before, after, s.Tolerance()); text != "" {
			differs = append(differs, fmt.Sprintf("%s (%s): %s", o.Name, o.Kind, text))
		}
	}
	for _, o := range is {
		if _, ok := was.Find(o.Name); !ok {
			differs = append(differs, fmt.Sprintf("%s: it was not made before", o.Name))
		}
	}
	return differs, nil
}
