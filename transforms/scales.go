package transforms

import (
	"fmt"
	"strconv"

	"github.com/persona-transfer/runpipeline/artifacts"
)

// KindJSON is the kind of a report: JSON for people and programs.
const KindJSON = "json"

// Scales are the lengths that alpha may be a multiple of, at the layer that is steered.
type Scales struct {
	Residual float64 `json:"residual"` // mean ‖h‖ over the calibration texts
	Spread   float64 `json:"spread"`   // mean ‖h − mean h‖: the better unit where h is mostly its mean
	Native   float64 `json:"native"`   // Residual times the source vector's own share of its model's mean ‖h‖
}

// notes is the form in which scales are kept beside vectors.
func (s Scales) notes() map[string]string {
	text := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return map[string]string{"scale.residual": text(s.Residual), "scale.spread": text(s.Spread), "scale.native": text(s.Native)}
}

// scalesOf reads the scales that stand beside vectors.
func scalesOf(v *artifacts.Vectors) (s Scales, err error) {
	for name, into := range map[string]*float64{"residual": &s.Residual, "spread": &s.Spread, "native": &s.Native} {
		if *into, err = strconv.ParseFloat(v.Notes["scale."+name], 64); err != nil {
			return s, fmt.Errorf("vectors lack the scale %q: %w", name, artifacts.ErrFormat)
		}
	}
	return s, nil
}
