package pipelines

import (
	"fmt"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// compareProbe compares the scale of each persona's probe and the trait that it gives every text.
func (r *referenceRun) compareProbe(t *testing.T) {
	measures := r.report(t).Measures
	if len(measures) != 1 || measures[0].Name != "probe" || len(measures[0].Scales) != len(r.want.Probe) {
		t.Fatalf("measures %+v, want a probe with %d scales", measures, len(r.want.Probe))
	}
	for _, got := range measures[0].Scales {
		want := r.want.Probe[got.Persona]
		near(t, got.Persona+", logit of unsteered texts", float64(got.Unsteered), want.Unsteered, probeError(want.Weight))
		near(t, got.Persona+", logit of held-out positive texts", float64(got.Positive), want.Positive, probeError(want.Weight))
		near(t, got.Persona+", AUROC against unsteered texts", float64(got.Separation.AUROC.Value), want.Separation.AUROC, digits)
		for i, v := range []trial.Number{got.Separation.DPrime.Value, got.Separation.DPrime.Low, got.Separation.DPrime.High} {
			near(t, fmt.Sprintf("%s, number %d of d'", got.Persona, i), float64(v), want.Separation.DPrime[i], 10*probeError(want.Weight)) // of logits about a standard deviation apart
		}
	}
	place := map[textKey]int{}
	for i, row := range r.want.Rows {
		for _, seed := range row.Seeds {
			place[textKey{row.Condition, row.Persona, row.Alpha, row.Prompt, seed}] = i
		}
	}
	for _, got := range fetch(t, r.store, r.outputs(t, "evaluate", artifacts.KindEvaluation)[0], artifacts.DecodeEvaluation).Rows {
		key := textKey{got.Condition, got.Persona, got.Alpha, got.Prompt, got.Seed}
		if got.Condition == "none" {
			key.persona = ""
		}
		want := r.want.Probe[got.Persona]
		near(t, fmt.Sprintf("%v, trait of %s by the probe", key, got.Persona), got.Measures.Of("probe trait"), float64(want.Traits[place[key]]), 4*3*probeError(want.Weight)/(want.Positive-want.Unsteered))
	}
}

// probeError is how far a logit of a probe with weights of that length may be off. A residual errs by forward of its
// length, which is about four times as long as it differs between texts; that share of a standardised activation,
// whose length is about 1, goes through the weights. Errors of the texts that it was fitted on are independent and
// move it by less.
func probeError(weight float64) float64 { return 4 * forward * weight }
