package pipelines

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/steer"
)

// whyAbsolute says where a unit comes from that nobody wrote down.
func (e *Experiment) whyAbsolute(values string) string {
	if !slices.Contains(e.assumed, values+"_unit") {
		return ""
	}
	return fmt.Sprintf(", since the file has %s_values and no %s_unit", values, values)
}

// doses says how long the vector is that each alpha adds, as far as that is known: lengths are measured
// on activations, so before the stage vectors has run there are none.
func (e *Experiment) doses(ctx context.Context, store cache.Store, plan *Plan) (string, error) {
	stored, err := e.steeredVectors(ctx, store, plan)
	if err != nil {
		return "", err
	}
	if len(stored) == 0 {
		return fmt.Sprintf("alpha times %s at layer %d; how much that is, is known after the stage vectors", steer.Unit(e.AlphaUnit), e.TargetLayer()), nil
	}
	var each []string
	for _, alpha := range e.AlphaValues {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range stored {
			for _, row := range v.Rows {
				_, length, err := steer.Steering{Layer: v.Layer, Alpha: alpha, Unit: steer.Unit(e.AlphaUnit)}.Push(row, v.Scales)
				if err != nil {
					return "", fmt.Errorf("plan: %w", err)
				}
				low, high = min(low, length), max(high, length)
			}
		}
		text := fmt.Sprintf("%g adds %.3g", alpha, low)
		if upper := fmt.Sprintf("%.3g", high); upper != fmt.Sprintf("%.3g", low) {
			text += " to " + upper
		}
		each = append(each, text)
	}
	return "alpha " + strings.Join(each, ", "), nil
}

// steeredVectors are the stored vectors of the conditions, if the plan found them.
func (e *Experiment) steeredVectors(ctx context.Context, store cache.Store, plan *Plan) (stored []*artifacts.Vectors, err error) {
	for _, step := range plan.Steps {
		if step.Stage.Name != "vectors" || step.State != Hit {
			continue
		}
		for _, o := range step.Manifest {
			if o.Kind != artifacts.KindVectors {
				continue
			}
			v, err := artifacts.Fetch(ctx, store, o.Digest, artifacts.DecodeVectors)
			if err != nil {
				return nil, err
			}
			stored = append(stored, v)
		}
	}
	return stored, nil
}
