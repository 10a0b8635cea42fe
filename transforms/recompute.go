package transforms

import (
	"context"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
)

// Recompute computes a unit anew for a run that has begun, in a store that knows nothing of it but what it reads, and
// gives the key and the outputs that it has there.
func Recompute(ctx context.Context, run string, store cache.Store, stage Stage, inputs []Manifest, index int) (cache.ActionKey, Manifest, error) {
	key, err := compute(&Unit{Stage: stage, Index: index, Store: store, inputs: inputs, run: lookupRun(ctx, Env{Run: run})})
	if err != nil {
		return key, nil, err
	}
	outputs, ok, err := store.Lookup(ctx, key)
	if err == nil && !ok {
		err = fmt.Errorf("%s, unit %d of %d: it was computed and is not there", stage.Name, index+1, stage.Units)
	}
	return key, outputs, err
}

// Recomputed tells the models of a run that a stage needs them no more.
func Recomputed(ctx context.Context, run string, stage Stage) {
	lookupRun(ctx, Env{Run: run}).finished(stage.ID)
}

// UnitManifest is what a stage's manifest has of a unit, under the names that the unit gave.
func (s Stage) UnitManifest(m Manifest, index int) (own Manifest) {
	if !kinds[s.Kind].many {
		return m
	}
	for _, o := range m {
		if name, ok := strings.CutPrefix(o.Name, unitName(index, "")); ok {
			o.Name = name
			own = append(own, o)
		}
	}
	return own
}

// Asks reports a stage whose units ask somebody who may answer otherwise the next time.
func (s Stage) Asks() bool { return s.Kind == "judge" }

// How far numbers of two computations may lie apart on a card, by the type that it computes in: gpu/xla's documentation
// says what decides their last bits.
const (
	cardTolerance     = 1e-4
	bfloat16Tolerance = 3e-2
)

// Tolerance is how far numbers may lie apart when the stage is computed twice, relative to the largest of those that
// stand together; 0: not a bit. Only what a card computes is not the same to the bit in another process.
func (s Stage) Tolerance() (t float64) {
	for _, m := range s.Models() {
		switch {
		case !strings.HasPrefix(m.Device, "cuda"):
		case strings.Contains(m.Device, "bfloat16"):
			t = max(t, bfloat16Tolerance)
		default:
			t = max(t, cardTolerance)
		}
	}
	return t
}
