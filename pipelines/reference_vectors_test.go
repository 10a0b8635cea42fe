package pipelines

import (
	"fmt"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/steer"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// differenceError is how far a persona vector may be off, as a share of a mean residual: it is the
// difference of two means, each off by forward at most.
const differenceError = 2 * forward

// comparePersonas compares the persona vectors of both models, with their lengths.
func (r *referenceRun) comparePersonas(t *testing.T) {
	for _, side := range []string{"source", "target"} {
		residual := length(r.want.tensor(t, side+".mean"))
		outputs := r.outputs(t, "personas."+side, artifacts.KindVectors)
		if len(outputs) != len(r.PersonaDatasets.Sets) {
			t.Fatalf("%s: %d persona vectors, want %d", side, len(outputs), len(r.PersonaDatasets.Sets))
		}
		for _, o := range outputs {
			v := fetch(t, r.store, o, artifacts.DecodeVectors).Rows[0]
			want := r.want.tensor(t, "persona."+side+"."+v.Persona)
			nearVector(t, v.Persona+" of the "+side, v.Values, want, differenceError*residual)
			near(t, "norm of "+v.Persona+" of the "+side, v.Norm, length(want), differenceError*residual)
		}
	}
}

// conditionVectors reads the vectors of a condition for a persona.
func (r *referenceRun) conditionVectors(t *testing.T, condition, persona string) *artifacts.Vectors {
	t.Helper()
	for _, o := range r.outputs(t, "vectors", artifacts.KindVectors) {
		if o.Name == condition+"/"+persona {
			return fetch(t, r.store, o, artifacts.DecodeVectors)
		}
	}
	t.Fatalf("no vectors of %s for %s", condition, persona)
	return nil
}

// scaleError is how far a scale may be off, as a share of it. All are means of lengths, or quotients of
// them; a persona vector, which the scale native is made of, is shorter than what it is a difference of.
func (r *referenceRun) scaleError(t *testing.T, unit, persona string) float64 {
	if unit != "native" {
		return 2 * forward
	}
	return 2*forward + differenceError*length(r.want.tensor(t, "source.mean"))/length(r.want.tensor(t, "persona.source."+persona))
}

// compareScales compares what alpha 1 is in each unit.
func (r *referenceRun) compareScales(t *testing.T) {
	for persona, scales := range r.want.Scales {
		v := r.conditionVectors(t, "ridge", persona)
		if len(scales) != 3 {
			t.Fatalf("%d scales, want 3", len(scales))
		}
		for unit, want := range scales {
			got, ok := map[string]float64{"residual": v.Scales.Residual, "spread": v.Scales.Spread, "native": v.Scales.Native}[unit]
			if !ok {
				t.Fatalf("the reference has a unit %q", unit)
			}
			near(t, persona+", scale "+unit, got, want, r.scaleError(t, unit, persona)*want)
		}
	}
}

// compareVectors compares the vectors of every condition, draw by draw.
func (r *referenceRun) compareVectors(t *testing.T) {
	checked := 0
	for _, persona := range r.PersonaDatasets.Names() {
		for _, condition := range r.steered() {
			got, want := r.conditionVectors(t, condition, persona), r.want.tensor(t, condition+"."+persona)
			if len(got.Rows)*got.Hidden != len(want) {
				t.Fatalf("%s for %s: %d vectors of %d, want %d values", condition, persona, len(got.Rows), got.Hidden, len(want))
			}
			for k, row := range got.Rows {
				w := want[k*got.Hidden : (k+1)*got.Hidden]
				what := fmt.Sprintf("%s for %s, draw %d", condition, persona, k)
				tolerance := r.vectorError(t, condition, persona)
				nearVector(t, what, row.Values, w, tolerance)
				near(t, what+", norm", row.Norm, length(w), tolerance)
				near(t, what+", number", float64(row.Draw), float64(k), 0)
				checked++
			}
		}
	}
	if want := 2 * (1 + 1 + 20 + 1 + 1 + 1 + 20 + 20 + 1); checked != want {
		t.Errorf("%d vectors compared, want %d", checked, want)
	}
}

// vectorError is how far a condition's vector may be off: as the persona vector it is made from is, which no
// condition lengthens by more than a half; if a map carries it, as the map is too; and a random direction,
// the sum of n residuals with random factors over √n, as one residual is.
func (r *referenceRun) vectorError(t *testing.T, condition, persona string) float64 {
	side := "source"
	if condition == "oracle" || condition == "self" {
		side = "target"
	}
	vector := r.want.tensor(t, "persona."+side+"."+persona)
	made := 1.5 * differenceError * length(r.want.tensor(t, side+".mean"))
	switch condition {
	case "ridge", "self", "shuffled_pairs":
		return made + r.mapError()*length(vector)
	case "ridge_held_out":
		return made + r.mapErrorAt(r.heldOutMap(t, persona).Lambda)*length(vector)
	case "random_direction":
		return forward * r.want.Scales[persona]["residual"]
	}
	return made
}

// compareDoses compares what is added for each condition at each alpha: along the condition's vector,
// as long as the scale of the unit times alpha, whatever the vector's own length.
func (r *referenceRun) compareDoses(t *testing.T) {
	for _, persona := range r.PersonaDatasets.Names() {
		for _, condition := range r.steered() {
			v := r.conditionVectors(t, condition, persona)
			for _, alpha := range r.AlphaValues {
				for unit, scale := range r.want.Scales[persona] {
					push, norm, err := steer.Steering{Alpha: alpha, Unit: steer.Unit(unit)}.Push(v.Rows[0], v.Scales)
					if err != nil {
						t.Fatal(err)
					}
					what := fmt.Sprintf("dose %g %s of %s for %s", alpha, unit, condition, persona)
					tolerance := r.scaleError(t, unit, persona) * alpha * scale
					near(t, what, norm, alpha*scale, tolerance)
					near(t, what+", as added", length(push.Vector), alpha*scale, tolerance)
					near(t, what+", cosine with its vector", linear.Cosine(push.Vector, v.Rows[0].Values), 1, 1e-6)
				}
				push, norm, err := steer.Steering{Alpha: alpha, Unit: steer.Absolute}.Push(v.Rows[0], v.Scales)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "absolute dose", norm, alpha*length(v.Rows[0].Values), 1e-6*norm)
				near(t, "absolute dose, as added", length(push.Vector), alpha*length(v.Rows[0].Values), 1e-6*norm)
			}
		}
	}
}

// compareCosines compares the cosines of the report. A vector that is off by the share δ of its length moves
// a cosine by at most δ. What is left without the largest dimensions is shorter.
func (r *referenceRun) compareCosines(t *testing.T) {
	for _, v := range r.report(t).Vectors {
		want := r.want.Cosines[v.Persona][v.Condition]
		if len(v.Cosine) != len(want) || len(v.CosineWithout) != len(want) {
			t.Fatalf("%s for %s: %d cosines, want %d", v.Condition, v.Persona, len(v.Cosine), len(want))
		}
		native := r.vectorError(t, "oracle", v.Persona) / length(r.want.tensor(t, "oracle."+v.Persona))
		for k := range want {
			what := fmt.Sprintf("cosine of %s for %s, draw %d", v.Condition, v.Persona, k)
			tolerance := native + r.vectorError(t, v.Condition, v.Persona)/v.Norm[k]
			near(t, what, float64(v.Cosine[k]), want[k][0], tolerance)
			near(t, what+", without the largest dimensions", float64(v.CosineWithout[k]), want[k][1], 2*tolerance)
		}
		r.compareFloor(t, v, native)
	}
}

// compareFloor compares what a cosine is worth. Vectors of permuted labels, and of half of the texts, are off by as
// much as the persona's, and down to a quarter as long; what the map makes of them is no longer in proportion.
func (r *referenceRun) compareFloor(t *testing.T, v transforms.VectorReport, native float64) {
	what := fmt.Sprintf("%s for %s", v.Condition, v.Persona)
	for side, got := range []trial.Reliability{v.SourceReliability, v.TargetReliability} {
		want := r.want.Reliability[v.Persona][side]
		near(t, what+", cosine of halves", float64(got.Halves), want[0], 4*native)
		near(t, what+", reliability", float64(got.Whole), want[1], 8*native)
	}
	want, ok := r.want.Floors[v.Persona][v.Condition]
	if c, _ := transforms.FindCondition(v.Condition); ok != c.Carries() || ok != (v.Floor != nil) {
		t.Fatalf("%s: the reference has a floor: %t; the report: %+v", what, ok, v.Floor)
	}
	if !ok {
		return
	}
	tolerance := 4 * (native + r.vectorError(t, v.Condition, v.Persona)/v.Norm[0])
	for i, got := range []*trial.Floor{v.Floor, v.FloorWithout} {
		for k, value := range []trial.Number{got.Mean, got.Low, got.High} {
			near(t, what+[]string{", floor", ", floor without the largest dimensions"}[i]+[]string{", mean", ", 5 %", ", 95 %"}[k], float64(value), want[i][k], float64(i+1)*tolerance)
		}
		if got.Permutations != 200 {
			t.Errorf("%s: %d permutations, want 200", what, got.Permutations)
		}
	}
}
